"""What stands between ids and the decoder: embeddings of each modality, places in space and time, and the visual head.

Everything here is per token: only the decoder mixes positions. Every learned number is in a module (never a bare
parameter), so that adapters can name it, and takes part in every step, so that data-parallel training never waits for
a gradient that does not come. Factor 0 of a visual id is its least significant digits (`CamViGConfig.visual_factors`).
The modalities are those of CamViG section 3; factorised visual ids, places, and copy features are our choices.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .configuration_camera_tokenizer import TIMELESS_KINDS
from .configuration_camvig import CamViGConfig
from .quantizers import CodeBook

MAX_LOGITS = 2**26
"""Logits of one factor held at once by the loss; with more, the loss is computed in chunks and again in backward."""


class Table(nn.Embedding):
    """An embedding that knows with which spread it starts; a visual table must not drown the positions, nor vanish."""

    def __init__(self, num_embeddings: int, embedding_dim: int, initial_std: float):
        super().__init__(num_embeddings, embedding_dim)
        self.initial_std = initial_std


def split_factors(ids: Tensor, factors: list[int] | tuple[int, ...]) -> list[Tensor]:
    """ids `[...]` -> one tensor `[...]` a factor, least significant first."""
    parts = []
    for size in factors:
        parts.append(ids % size)
        ids = ids // size
    return parts


def join_factors(parts: list[Tensor], factors: list[int] | tuple[int, ...]) -> Tensor:
    """The inverse of `split_factors`."""
    ids = torch.zeros_like(parts[0])
    for part, size in zip(reversed(parts), reversed(factors), strict=True):
        ids = ids * size + part
    return ids


class VisualEmbedding(nn.Module):
    """A visual id: a table a factor, plus a linear map of its digits, so that near codes start near each other."""

    def __init__(self, config: CamViGConfig):
        super().__init__()
        hidden_size = config.get_text_config().hidden_size
        self.factors = list(config.visual_factors)
        self.tables = nn.ModuleList([Table(size, hidden_size, 0.15) for size in self.factors])
        self.codebook = CodeBook(config.visual_levels)
        self.from_digits = nn.Linear(len(config.visual_levels), hidden_size, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        """ids `[B, N]` -> `[B, N, D]`."""
        embedding = self.from_digits(self.codebook.ids_to_codes(ids).to(self.from_digits.weight.dtype))
        for table, part in zip(self.tables, split_factors(ids, self.factors), strict=True):
            embedding = embedding + table(part)
        return embedding


class CameraEmbedding(nn.Module):
    """Camera ids, or the missing-camera embedding in their place: what a camera token says, without where it stands.

    With `camera_feature_size` > 0 the camera tokenizer's own vectors of its ids are known too (`features`, a part of the
    checkpoint).
    """

    features: Tensor  # [L*K, camera_feature_size]

    def __init__(self, config: CamViGConfig):
        super().__init__()
        hidden_size, feature_size = config.get_text_config().hidden_size, config.camera_feature_size
        vocab_size = config.camera_levels * config.camera_codebook_size
        self.table = Table(vocab_size, hidden_size, 0.15)
        self.missing = Table(1, hidden_size, 0.15)
        self.from_features = nn.Linear(feature_size, hidden_size, bias=False) if feature_size else None
        if feature_size:
            self.register_buffer("features", torch.zeros(vocab_size, feature_size))

    def forward(self, camera_ids: Tensor, camera_is_missing: Tensor) -> Tensor:
        """camera_ids `[B, L*n]`, camera_is_missing bool `[B]` -> `[B, L*n, D]`."""
        embedding = self.table(camera_ids)
        if self.from_features is not None:
            features = self.features[camera_ids].to(
                self.from_features.weight.dtype
            )  # FSDP2 may hold weights in bfloat16
            embedding = embedding + self.from_features(features)
        return torch.where(camera_is_missing[:, None, None], self.missing.weight[0].to(embedding.dtype), embedding)


def latent_frame_of_camera_tokens(config: CamViGConfig) -> list[int] | None:
    """The latent frame of each camera token of a level, that of its pose; None if these tokens have no time.

    Codec frames are spread evenly over the poses. Bins begin with 2 tokens of the first pose's lens; 7 of each later pose follow.
    """
    if config.camera_kind in TIMELESS_KINDS:
        return None
    if config.camera_kind == "uniform":
        poses = [0, 0, *(pose for pose in range(1, config.num_frames) for _ in range(7))]
    else:
        frames = config.camera_frames
        poses = [math.floor((frame + 0.5) * config.num_frames / frames) for frame in range(frames)]
    return [math.ceil(pose / config.temporal_downsample) for pose in poses]


class SpaceTimePositions(nn.Module):
    """Where tokens stand, learned and factorised; camera, image and video tokens of a latent frame share its time.

    Camera tokens that have no time ("dct", "spectrum") have none of these times: only their level and their number tell them apart.
    """

    def __init__(self, config: CamViGConfig):
        super().__init__()
        hidden_size, size = config.get_text_config().hidden_size, config.latent_size
        self.latent_frames = config.latent_frames
        self.latent_of_camera_token = latent_frame_of_camera_tokens(config)
        self.time = Table(config.latent_frames, hidden_size, 0.05)
        self.row = Table(size, hidden_size, 0.05)
        self.column = Table(size, hidden_size, 0.05)
        self.place = Table(size * size, hidden_size, 0.05)
        self.image_type = Table(1, hidden_size, 0.05)
        self.camera_level = Table(config.camera_levels, hidden_size, 0.05)
        self.camera_frame = Table(config.camera_frames, hidden_size, 0.05)

    def _places(self) -> Tensor:
        grid = self.row.weight[:, None] + self.column.weight[None]
        return grid.flatten(0, 1) + self.place.weight

    def image(self) -> Tensor:
        """`[h*w, D]`: the image is latent frame 0."""
        return self._places() + self.time.weight[0] + self.image_type.weight[0]

    def video(self) -> Tensor:
        """`[(t-1)*h*w, D]`, raster order, latent frame after latent frame, from latent frame 1."""
        return (self.time.weight[1:, None] + self._places()[None]).flatten(0, 1)

    def camera(self) -> Tensor:
        """`[L*n, D]`, level-major."""
        places = self.camera_level.weight[:, None] + self.camera_frame.weight[None]
        if self.latent_of_camera_token is not None:
            places = places + self.time(torch.tensor(self.latent_of_camera_token, device=places.device))[None]
        return places.flatten(0, 1)


class VideoContext(nn.Module):
    """What is added to the input that predicts a video token, beside the token before it: all but the sequence itself.

    Copy features: the image's token at the same place (`static`), and the same-place token of the latent frame before
    (`from_previous`; nothing for latent frame 1, whose predecessor is an image token, of another kind). Alignment: the
    camera tokens of the target's latent frame.
    """

    def __init__(self, config: CamViGConfig):
        super().__init__()
        hidden_size = config.get_text_config().hidden_size
        self.latent_frames, self.camera_levels = config.latent_frames, config.camera_levels
        self.latent_of_camera_token = latent_frame_of_camera_tokens(config)
        self.from_previous = nn.Linear(hidden_size, hidden_size, bias=False) if config.copy_features else None
        self.from_image = nn.Linear(hidden_size, hidden_size, bias=False) if config.copy_features else None
        self.from_camera = nn.Linear(hidden_size, hidden_size, bias=False) if config.align_camera else None

    def static(self, image_embedding: Tensor, camera_embedding: Tensor) -> Tensor | float:
        """image `[B, h*w, D]`, camera `[B, L*n, D]` -> `[B, (t-1)*h*w, D]`: the part known before any video token."""
        total: Tensor | float = 0.0
        if self.from_image is not None:
            total = total + self.from_image(image_embedding).repeat(1, self.latent_frames - 1, 1)
        if self.from_camera is not None:
            aligned = self.from_camera(self._camera_of_latent_frames(camera_embedding))
            total = total + aligned.repeat_interleave(image_embedding.shape[1], dim=1)
        return total

    def _camera_of_latent_frames(self, camera_embedding: Tensor) -> Tensor:
        """`[B, L*n, D]` -> `[B, t-1, D]`: summed over levels, averaged over a latent frame's tokens."""
        of_frame = camera_embedding.unflatten(1, (self.camera_levels, -1)).sum(1)
        belongs = torch.tensor(self.latent_of_camera_token, device=of_frame.device)
        belongs = belongs == torch.arange(1, self.latent_frames, device=of_frame.device)[:, None]
        return (belongs / belongs.sum(1, keepdim=True)).to(of_frame.dtype) @ of_frame


class ChainedFactorHead(nn.Module):
    """The probability of a visual id as a chain over its factors, factor 0 (least significant) first.

    Factor 0 is read off the decoder's output h; factor k off silu(Linear(h) + the tables of the factors before it). One
    factor makes it a plain softmax.
    """

    def __init__(self, config: CamViGConfig):
        super().__init__()
        hidden_size = config.get_text_config().hidden_size
        self.factors = list(config.visual_factors)
        self.to_logits = nn.ModuleList([nn.Linear(hidden_size, size) for size in self.factors])
        self.from_hidden = nn.ModuleList([nn.Linear(hidden_size, hidden_size) for _ in self.factors[1:]])
        self.from_factors = nn.ModuleList(
            [
                nn.ModuleList([Table(size, hidden_size, 0.15) for size in self.factors[:number]])
                for number in range(1, len(self.factors))
            ]
        )

    def logits(self, hidden: Tensor, previous: list[Tensor]) -> Tensor:
        """hidden `[..., D]`, the k previous factors `[...]` each -> float32 logits `[..., factors[k]]` of factor k."""
        number = len(previous)
        if number:
            mixed = self.from_hidden[number - 1](hidden)
            for table, part in zip(self.from_factors[number - 1], previous, strict=True):  # type: ignore[arg-type]
                mixed = mixed + table(part)
            hidden = F.silu(mixed)
        return self.to_logits[number](hidden).float()

    def forward(self, hidden: Tensor, ids: Tensor) -> tuple[Tensor, ...]:
        """hidden `[B, N, D]`, the true ids `[B, N]` -> teacher-forced logits `[B, N, factors[k]]`, one a factor."""
        parts = split_factors(ids, self.factors)
        return tuple(self.logits(hidden, parts[:number]) for number in range(len(parts)))

    def loss_of_logits(self, logits: tuple[Tensor, ...], ids: Tensor) -> Tensor:
        """The logits of `forward` and its ids `[..., N]` -> nats `[..., N, F]` of each factor; a token's are their sum."""
        parts = split_factors(ids, self.factors)
        nats = [
            F.cross_entropy(factor_logits.flatten(0, -2), part.flatten(), reduction="none")
            for factor_logits, part in zip(logits, parts, strict=True)
        ]
        return torch.stack(nats, dim=-1).view(*ids.shape, len(parts))

    def loss(self, hidden: Tensor, ids: Tensor) -> Tensor:
        """The same from hidden `[B, N, D]`, ids `[B, N]`, holding at most `MAX_LOGITS` logits of a factor at once."""
        rows, row_ids = hidden.flatten(0, 1), ids.flatten()
        chunk = max(1, MAX_LOGITS // max(self.factors))
        if len(rows) <= chunk:
            return self._row_loss(rows, row_ids).view(*ids.shape, -1)
        bounds = [*range(0, len(rows), chunk), len(rows)]
        losses = [
            checkpoint(self._row_loss, rows[start:stop], row_ids[start:stop], use_reentrant=False)
            for start, stop in pairwise(bounds)
        ]
        return torch.cat(losses).view(*ids.shape, -1)

    def _row_loss(self, rows: Tensor, row_ids: Tensor) -> Tensor:
        return self.loss_of_logits(self(rows, row_ids), row_ids)
