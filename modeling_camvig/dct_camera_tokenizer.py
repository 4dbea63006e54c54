"""`DctCameraTokenizer`: a path as the cosine transform of its values over time, compressed by byte-pair encoding.

FAST's recipe for robot actions (arXiv 2501.09747) on the 8 values a pose of `camera_signal`: each value is mapped so
that its 1st and 99th percentile become -1 and 1, transformed over time (orthonormal DCT-II), multiplied by `scale` and
rounded; coefficients are read low frequencies first, all 8 values of one frequency together, and the sequence of whole
numbers is compressed by byte-pair encoding. A smooth path has few coefficients, so it becomes few tokens.

Each whole number is one character of the private use area, not bytes: no token can end inside a number, and no
whitespace rule or normaliser of a text tokenizer ever sees it. Numbers beyond those of the fitted paths are clipped, and
beyond a third of the vocabulary in either direction, so that outliers leave ids for pairs (the limit is our choice).

Every path has `max_tokens` ids, the rest of them the one of padding, which a transformer neither sees nor, where a whole
batch has it, computes (`CamViGForConditionalGeneration`). A path that needs more loses its highest frequencies, one after
another, until it fits: it becomes smoother, never an error. The vocabulary is the buffer `merges`, so that a checkpoint is
safetensors alone.
"""

from __future__ import annotations

import json
import math
from functools import lru_cache

import numpy as np
import torch
from tokenizers import Tokenizer, models, trainers
from torch import Tensor, nn

from .camera_path_tokenizer import check_ids, from_millionths, path_values, to_millionths, values_to_path
from .configuration_camera_tokenizer import CamViGCameraTokenizerConfig

PERCENTILES = (0.01, 0.99)
LEAST_SPREAD = 1e-3
"""Of a value that hardly varies in the fitted paths, in its own unit."""
MOST_CLIPPED = 0.01
"""Share of the fitted paths with a clipped number above which fitting is refused."""
FIRST_CHARACTER, NUM_CHARACTERS = 0xE000, 6400  # the private use area


class DctCameraTokenizer(nn.Module):
    """About 40 tokens of 11 bits for a real path with the defaults; the kind "dct" of `CamViGCameraTokenizer`.

    FAST scales by 10 for robots and has 1,024 ids; 60 and 2,048, the defaults of the configuration, are our choice.
    """

    ranges: Tensor  # [2, 8] int64: middle and spread of each value, millionths
    limits: Tensor  # [2] int64: the least and the greatest whole number
    merges: Tensor  # [vocab_size, 2] int64: ids of the pairs in the order in which they were joined; -1 where there are no more

    def __init__(self, config: CamViGCameraTokenizerConfig):
        super().__init__()
        self.num_poses, self.scale = config.num_poses, config.dct_scale
        self.vocab_size, self.num_tokens = config.dct_vocab_size, config.max_tokens
        self.register_buffer("ranges", torch.zeros(2, 8, dtype=torch.int64))
        self.register_buffer("limits", torch.zeros(2, dtype=torch.int64))
        self.register_buffer("merges", torch.full((self.vocab_size, 2), -1, dtype=torch.int64))

    @property
    def padding_id(self) -> int:
        return self.vocab_size

    @property
    def bits_per_token(self) -> float:
        return math.log2(self.vocab_size)

    @property
    def is_fitted(self) -> bool:
        return bool(self.ranges.any())

    def fit(self, camera_to_world: Tensor, intrinsics: Tensor) -> None:
        values = path_values(camera_to_world, intrinsics, self.num_poses)
        low, high = (values.flatten(0, 1).quantile(share, dim=0) for share in PERCENTILES)  # [8] each
        self.ranges.copy_(to_millionths(torch.stack([(low + high) / 2, ((high - low) / 2).clamp(min=LEAST_SPREAD)])))
        numbers = self._to_numbers(values)
        limit = min(self.vocab_size // 3, NUM_CHARACTERS // 2 - 1)
        clipped = float((numbers.abs().amax((1, 2)) > limit).float().mean())
        if clipped > MOST_CLIPPED:
            raise ValueError(
                f"expected a vocabulary for coefficients of scale {self.scale:g}, got {self.vocab_size} ids: "
                f"{clipped:.0%} of the fitted paths go beyond; a smaller scale or more ids help"
            )
        numbers = numbers.clamp(-limit, limit)
        self.limits.copy_(torch.stack([numbers.min().clamp(max=0), numbers.max().clamp(min=0)]))
        self._fit_vocabulary([self._to_text(row) for row in numbers])
        if (still := len(self._ids_of(torch.zeros_like(numbers[0])))) > self.num_tokens:
            raise ValueError(f"expected max_tokens of at least {still}, got {self.num_tokens}")

    def encode(self, camera_to_world: Tensor, intrinsics: Tensor) -> Tensor:
        rows = [self._fitting_ids(row)[0] for row in self._clipped_numbers(camera_to_world, intrinsics)]
        padded = [ids + [self.padding_id] * (self.num_tokens - len(ids)) for ids in rows]
        return torch.tensor(padded, dtype=torch.int64, device=self.ranges.device).view(-1, self.num_tokens)

    def decode(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        check_ids(ids, self.num_tokens, self.vocab_size + 1)
        numbers = torch.stack([self._read_numbers(row) for row in ids.tolist()]).to(ids.device)  # [B, frequency, 8]
        middle, spread = from_millionths(self.ranges)
        values = _cosine_matrix(self.num_poses).to(ids.device).T @ (numbers / self.scale)  # [B, T, 8]
        return values_to_path(values * spread + middle)

    def count_tokens(self, ids: Tensor) -> Tensor:
        return (ids != self.padding_id).sum(1)

    def is_shortened(self, camera_to_world: Tensor, intrinsics: Tensor) -> Tensor:
        """Which paths need more than `max_tokens` ids, and so lose their highest frequencies: bool `[B]`."""
        rows = self._clipped_numbers(camera_to_world, intrinsics)
        return torch.tensor([self._fitting_ids(row)[1] < self.num_poses for row in rows])

    def _to_numbers(self, values: Tensor) -> Tensor:
        """Values `[B, T, 8]` -> rounded coefficients `[B, frequency, 8]` int64."""
        middle, spread = from_millionths(self.ranges)
        coefficients = _cosine_matrix(self.num_poses).to(values.device) @ ((values - middle) / spread)
        return (coefficients * self.scale).round().long()

    def _clipped_numbers(self, camera_to_world: Tensor, intrinsics: Tensor) -> Tensor:
        """Paths -> numbers of the alphabet `[B, frequency, 8]` int64, on the CPU."""
        numbers = self._to_numbers(path_values(camera_to_world, intrinsics, self.num_poses))
        return numbers.clamp(*self.limits.tolist()).cpu()

    def _fitting_ids(self, numbers: Tensor) -> tuple[list[int], int]:
        """Numbers `[frequency, 8]` -> at most `max_tokens` ids, and how many frequencies they tell."""
        for kept in range(self.num_poses, -1, -1):
            numbers = torch.cat([numbers[:kept], torch.zeros_like(numbers[kept:])])
            if len(ids := self._ids_of(numbers)) <= self.num_tokens:
                break
        return ids, kept

    def _ids_of(self, numbers: Tensor) -> list[int]:
        return self._byte_pairs().encode(self._to_text(numbers)).ids

    def _to_text(self, numbers: Tensor) -> str:
        """Whole numbers `[frequency, 8]` -> a text."""
        first = FIRST_CHARACTER - int(self.limits[0])
        return "".join(chr(first + number) for number in numbers.flatten().tolist())

    def _read_numbers(self, ids: list[int]) -> Tensor:
        """The ids of one path -> whole numbers `[frequency, 8]`."""
        length = ids.index(self.padding_id) if self.padding_id in ids else len(ids)
        if any(token != self.padding_id for token in ids[length:]):
            raise ValueError(f"expected padding ({self.padding_id}) at the end alone, got other ids after it")
        pairs = self._byte_pairs()
        parts = [pairs.id_to_token(token) for token in ids[:length]]
        if None in parts:
            raise ValueError(f"expected ids of the fitted vocabulary, got {ids[parts.index(None)]}")
        text = "".join(map(str, parts))
        if len(text) != self.num_poses * 8:
            raise ValueError(f"expected ids that stand for {self.num_poses * 8} numbers, got {len(text)}")
        least = int(self.limits[0])
        return torch.tensor([ord(character) - FIRST_CHARACTER + least for character in text]).unflatten(0, (-1, 8))

    def _fit_vocabulary(self, texts: list[str]) -> None:
        pairs = _train_byte_pairs(texts, self._alphabet_size, self.vocab_size)
        merges = [[pairs.token_to_id(part) for part in pair] for pair in json.loads(pairs.to_str())["model"]["merges"]]
        self.merges.fill_(-1)
        self.merges[: len(merges)] = torch.tensor(merges, dtype=torch.int64).view(-1, 2)

    @property
    def _alphabet_size(self) -> int:
        return int(self.limits[1] - self.limits[0]) + 1

    def _byte_pairs(self) -> Tokenizer:
        return _build_byte_pairs(self.merges.cpu().numpy().tobytes(), self._alphabet_size)


def _alphabet(size: int) -> list[str]:
    return [chr(FIRST_CHARACTER + number) for number in range(size)]


def _train_byte_pairs(texts: list[str], alphabet_size: int, vocab_size: int) -> Tokenizer:
    pairs = Tokenizer(models.BPE())
    alphabet = _alphabet(alphabet_size)
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False)
    pairs.train_from_iterator(texts, trainer)
    return pairs


@lru_cache(maxsize=8)
def _build_byte_pairs(merges: bytes, alphabet_size: int) -> Tokenizer:
    """The tokenizer of a buffer `merges`. Ids: the alphabet, then what each pair makes, in order; the same text has one id."""
    tokens = _alphabet(alphabet_size)
    vocabulary = {token: number for number, token in enumerate(tokens)}
    pairs = []
    for left, right in np.frombuffer(merges, np.int64).reshape(-1, 2).tolist():
        if left < 0:
            break
        pairs.append((tokens[left], tokens[right]))
        if (joined := tokens[left] + tokens[right]) not in vocabulary:
            vocabulary[joined] = len(tokens)
            tokens.append(joined)
    return Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))


@lru_cache(maxsize=4)
def _cosine_matrix(length: int) -> Tensor:
    """The orthonormal DCT-II, `[frequency, time]`: its transpose is its inverse."""
    steps = torch.arange(length, dtype=torch.float64, device="cpu")
    matrix = torch.cos(math.pi / length * (steps + 0.5) * steps[:, None]) * math.sqrt(2 / length)
    matrix[0] /= math.sqrt(2)
    return matrix.float()
