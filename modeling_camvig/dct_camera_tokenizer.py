"""`DctCameraTokenizer`: a path as the cosine transform of its values over time, compressed by byte-pair encoding.

FAST's recipe for robot actions (arXiv 2501.09747) on the 8 values a pose of `camera_signal`: each value is mapped so
that its 1st and 99th percentile become -1 and 1, transformed over time (orthonormal DCT-II), multiplied by `scale` and
rounded; coefficients are read low frequencies first, all 8 values of one frequency together, and the sequence of whole
numbers is compressed by byte-pair encoding. A smooth path has few coefficients, so it becomes few tokens.

Each whole number is one character of the private use area, not bytes: no token can end inside a number, and no
whitespace rule or normaliser of a text tokenizer ever sees it. Numbers beyond those of the fitted paths are clipped, and
beyond a third of the vocabulary in either direction, so that outliers leave ids for pairs (the limit is our choice).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from tokenizers import Tokenizer, models, trainers
from torch import Tensor

from .camera_path_tokenizer import NUM_POSES, check_ids, path_values, values_to_path

PERCENTILES = (0.01, 0.99)
LEAST_SPREAD = 1e-3
"""Of a value that hardly varies in the fitted paths, in its own unit."""
MOST_CLIPPED = 0.01
"""Share of the fitted paths with a clipped number above which fitting is refused."""
FIRST_CHARACTER, NUM_CHARACTERS = 0xE000, 6400  # the private use area


class DctCameraTokenizer:
    """About 30 tokens of 10 bits for a real path with the defaults; the number differs from path to path.

    Args:
        scale: what coefficients are multiplied by before rounding; more is finer, and more tokens. FAST has 10 for robots; 30
            is our choice.
        vocab_size: ids, at most; 1,024 is FAST's.
    """

    def __init__(self, scale: float = 30.0, vocab_size: int = 1024):
        self.scale, self.vocab_size = scale, vocab_size
        self.cosines = _cosine_matrix(NUM_POSES)  # [frequency, time]

    @property
    def bits_per_token(self) -> float:
        return math.log2(self.vocab_size)

    def fit(self, camera_to_world: Tensor, intrinsics: Tensor) -> None:
        values = path_values(camera_to_world, intrinsics)
        low, high = (values.flatten(0, 1).quantile(share, dim=0) for share in PERCENTILES)  # [8] each
        self.middle, self.spread = (low + high) / 2, ((high - low) / 2).clamp(min=LEAST_SPREAD)
        numbers = self._to_numbers(values)
        limit = min(self.vocab_size // 3, NUM_CHARACTERS // 2 - 1)
        clipped = float((numbers.abs().amax((1, 2)) > limit).float().mean())
        if clipped > MOST_CLIPPED:
            raise ValueError(
                f"expected a vocabulary for coefficients of scale {self.scale:g}, got {self.vocab_size} ids: "
                f"{clipped:.0%} of the fitted paths go beyond; a smaller scale or more ids help"
            )
        numbers = numbers.clamp(-limit, limit)
        self.least, self.greatest = int(numbers.min()), int(numbers.max())
        alphabet = [chr(FIRST_CHARACTER + number) for number in range(self.greatest - self.least + 1)]
        self.pairs = Tokenizer(models.BPE())
        trainer = trainers.BpeTrainer(vocab_size=self.vocab_size, initial_alphabet=alphabet, show_progress=False)
        self.pairs.train_from_iterator(self._to_texts(numbers), trainer)

    def encode(self, camera_to_world: Tensor, intrinsics: Tensor) -> list[Tensor]:
        numbers = self._to_numbers(path_values(camera_to_world, intrinsics)).clamp(self.least, self.greatest)
        return [torch.tensor(self.pairs.encode(text).ids) for text in self._to_texts(numbers)]

    def decode(self, ids: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        numbers = torch.stack([self._read_numbers(row) for row in ids])  # [B, frequency, 8]
        values = self.cosines.T @ (numbers / self.scale)  # [B, T, 8]
        return values_to_path(values * self.spread + self.middle)

    def _to_numbers(self, values: Tensor) -> Tensor:
        """Values `[B, T, 8]` -> rounded coefficients `[B, frequency, 8]` int64."""
        coefficients = self.cosines @ ((values - self.middle) / self.spread)
        return (coefficients * self.scale).round().long()

    def _to_texts(self, numbers: Tensor) -> list[str]:
        """Whole numbers `[B, frequency, 8]` -> one text a path."""
        first = FIRST_CHARACTER - self.least
        return ["".join(chr(first + number) for number in row) for row in numbers.flatten(1).tolist()]

    def _read_numbers(self, ids: Tensor) -> Tensor:
        """The ids of one path -> whole numbers `[frequency, 8]`."""
        check_ids(ids, self.pairs.get_vocab_size())
        text = "".join(str(self.pairs.id_to_token(token)) for token in ids.tolist())
        if len(text) != NUM_POSES * 8:
            raise ValueError(f"expected ids that stand for {NUM_POSES * 8} numbers, got {len(text)}")
        return torch.tensor([ord(character) - FIRST_CHARACTER + self.least for character in text]).unflatten(0, (-1, 8))


def _cosine_matrix(length: int) -> Tensor:
    """The orthonormal DCT-II, `[frequency, time]`: its transpose is its inverse."""
    steps = torch.arange(length, dtype=torch.float64)
    matrix = torch.cos(math.pi / length * (steps + 0.5) * steps[:, None]) * math.sqrt(2 / length)
    matrix[0] /= math.sqrt(2)
    return matrix.float()
