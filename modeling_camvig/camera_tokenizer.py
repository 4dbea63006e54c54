"""`CamViGCameraTokenizer`: a camera path <-> camera ids, by a neural audio codec over a 1-D signal (CamViG section 3).

Kind "codec" is the paper's, and all that is said here is of it. The kinds "dct" and "uniform" are `DctCameraTokenizer` and
`UniformCameraTokenizer`, behind the same `encode` and `decode`; they have no weights and are fitted to paths (`fit`).

The path becomes the signal of `camera_signal` (the layout is ours); a transformers `DacModel`, SoundStream's open
descendant, turns it into L levels of N residual codes. Ids are level-major, as in the paper: all of level 0, then all
of level 1, ...; level l owns the ids `l * codebook_size .. (l + 1) * codebook_size - 1`, so no two levels share one.
The first levels alone decode too, to a coarser path.

DAC's quantizers start as noise around zero, and on this signal they collapse. What trains well (our choice): either the
encoder and decoder alone first (`forward(..., quantize=False)`), or ones that pass the signal on (`start_as_identity`); then
`initialize_codebooks` once; then `forward` with `restart_dead_codes` now and then. `from_pretrained_codec` trains nothing.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import DacConfig, DacModel, PreTrainedModel
from transformers.models.dac.modeling_dac import DacVectorQuantize
from transformers.utils.generic import ModelOutput

from .binned_camera_tokenizers import UniformCameraTokenizer
from .camera_codebooks import fit_codebooks, project_codes, restart_dead_codes
from .camera_codec_start import pass_signal_on
from .camera_signal import poses_to_signal, read_values, signal_to_poses
from .configuration_camera_tokenizer import CamViGCameraTokenizerConfig
from .dct_camera_tokenizer import DctCameraTokenizer

FITTED_KINDS = {"dct": DctCameraTokenizer, "uniform": UniformCameraTokenizer}
ROTATION_TOLERANCE = 1e-3
SIGNALS_AT_ONCE = 128
PAPER_HOP = 320
"""Samples a codec frame: 34,000 samples become 106 frames."""
WARM_UP_NOISE = 0.1
"""Noise on the latents while nothing is quantized, as a part of their spread."""
MIN_SPREAD = 0.02
"""Least spread of a value by which its errors are divided, in signal units."""
SPECTRUM_SPREAD = 0.03
"""The same for the layout "spectrum", all of whose numbers matter alike: about the error at which training should care."""


@dataclass
class CameraTokenizerOutput(ModelOutput):
    """What `CamViGCameraTokenizer.forward` gives.

    Args:
        loss: scalar, the reconstruction and codec losses, and those of the coarser levels by their weight.
        reconstruction_loss: scalar, L1 + L2 between the values of the path and those read back, each of the 8 values
            in units of its spread in this batch (so that the rarer turns are learned as soon as the rest; our choice),
            in the layout "spectrum" all in the same unit.
        level_losses: `[L]`, the reconstruction loss after 1, 2, ... levels; without a weight for them only the last.
        codec_loss: scalar, the codec's codebook and commitment losses, weighted by its configuration.
        ids: `[B, L * N]` int64, level-major; None without quantization.
        level_perplexity: `[L]`, exp of the entropy of the codes in this batch, 1..codebook_size; None without.
        camera_to_world: `[B, T, 4, 4]`, the reconstructed path, relative to its first pose.
        intrinsics: `[B, T, 4]`.
    """

    loss: Tensor | None = None
    reconstruction_loss: Tensor | None = None
    level_losses: Tensor | None = None
    codec_loss: Tensor | None = None
    ids: Tensor | None = None
    level_perplexity: Tensor | None = None
    camera_to_world: Tensor | None = None
    intrinsics: Tensor | None = None


class CamViGCameraTokenizer(PreTrainedModel):
    """A camera path as ids: `encode` and `decode` are the tokenizer; `forward` trains a codec, `fit` fits the other kinds.

    It is a `CameraPathTokenizer`.
    """

    config: CamViGCameraTokenizerConfig
    config_class = CamViGCameraTokenizerConfig
    base_model_prefix = "camera_tokenizer"
    main_input_name = "camera_to_world"

    def __init__(self, config: CamViGCameraTokenizerConfig):
        super().__init__(config)
        self.fitted: DctCameraTokenizer | UniformCameraTokenizer | None = None
        if config.kind == "codec":
            self.codec = DacModel(config.dac_config)
        else:
            self.fitted = FITTED_KINDS[config.kind](config)
        self.post_init()

    @classmethod
    def from_pretrained_codec(
        cls, codec: str | os.PathLike[str], num_levels: int = 4, **configuration
    ) -> CamViGCameraTokenizer:
        """A frozen audio codec as the camera tokenizer, as in the paper: any `DacModel` with hop 320, untouched by cameras.

        Args:
            codec: a folder or a Hub repository, such as "descript/dac_16khz"; its first `num_levels` levels are used.
            configuration: other fields of `CamViGCameraTokenizerConfig`.

        Raises:
            ValueError: the codec has another hop, or fewer levels.
        """
        source = DacModel.from_pretrained(codec)
        hop, levels = math.prod(source.config.downsampling_ratios), source.config.n_codebooks
        if hop != PAPER_HOP or levels < num_levels:
            raise ValueError(
                f"expected a codec of hop {PAPER_HOP} with at least {num_levels} levels, got {hop} and {levels} in {codec}"
            )
        codec_config = DacConfig(**{**source.config.to_dict(), "n_codebooks": num_levels})
        tokenizer = cls(CamViGCameraTokenizerConfig(codec_config=codec_config, **configuration))
        unused = tuple(f"quantizer.quantizers.{level}." for level in range(num_levels, levels))
        tokenizer.codec.load_state_dict(
            {name: weight for name, weight in source.state_dict().items() if not name.startswith(unused)}
        )
        return tokenizer.requires_grad_(False).eval()

    def _init_weights(self, module):
        """The codec initialises itself; nothing here has weights of its own."""

    @property
    def dtype(self) -> torch.dtype:
        """Of the codec's weights; what is fitted has none, and computes in float32."""
        return super().dtype if self.fitted is None else torch.float32

    @property
    def device(self) -> torch.device:
        return super().device if self.fitted is None else self.fitted.ranges.device

    @property
    def bits_per_token(self) -> float:
        """log2 of the number of ids among which each token is one."""
        return math.log2(self.config.codebook_size) if self.fitted is None else self.fitted.bits_per_token

    def count_tokens(self, ids: Tensor) -> Tensor:
        """Ids `[B, L * N]` -> how many of each path's are not padding, `[B]`."""
        return torch.full_like(ids[:, 0], ids.shape[1]) if self.fitted is None else self.fitted.count_tokens(ids)

    def is_shortened(self, camera_to_world: Tensor, intrinsics: Tensor) -> Tensor:
        """Which paths, as for `encode`, lose their finest motion for want of tokens, bool `[B]`; only those of kind "dct" can."""
        if not isinstance(self.fitted, DctCameraTokenizer):
            return torch.zeros(len(camera_to_world), dtype=torch.bool)
        with self._exactly():
            return self.fitted.is_shortened(camera_to_world.float(), intrinsics.float())

    @torch.no_grad()
    def fit(self, camera_to_world: Tensor, intrinsics: Tensor) -> None:
        """Kinds "dct" and "uniform": take ranges and vocabulary from these paths, as for `encode`; seconds for thousands."""
        if self.fitted is None:
            raise ValueError(
                "expected kind 'dct' or 'uniform' to fit, got 'codec': it is trained, by train_camera_tokenizer"
            )
        self._check_poses(camera_to_world, intrinsics)
        self.fitted.fit(camera_to_world.float(), intrinsics.float())

    @torch.no_grad()
    def encode(self, camera_to_world: Tensor, intrinsics: Tensor) -> Tensor:
        """A path to ids.

        Args:
            camera_to_world: `[B, T, 4, 4]`, translations in scene depths; made relative to its first pose here.
            intrinsics: `[B, T, 4]`, (fx, fy, cx, cy) normalised by width and height.

        Returns:
            ids `[B, L * N]` int64, level-major.
        """
        if self.fitted is not None:
            self._check_poses(camera_to_world, intrinsics)
            with self._exactly():
                return self.fitted.encode(camera_to_world.float(), intrinsics.float())
        latent = self.codec.encoder(self._codec_input(camera_to_world, intrinsics))  # [B, D, N]
        codes = self.codec.quantizer(latent)[1]  # [B, L, N]
        return self._codes_to_ids(codes)

    @torch.no_grad()
    def decode(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Ids to a path.

        Args:
            ids: `[B, L * N]` int64, level-major; or `[B, k * N]`, the first k levels alone, for a coarser path.

        Returns:
            camera_to_world `[B, T, 4, 4]`, the first pose exactly the identity; intrinsics `[B, T, 4]`.

        Raises:
            ValueError: ids out of range, or (kind "dct") ids that stand for no path.
        """
        if self.fitted is not None:
            with self._exactly():
                return self.fitted.decode(ids)
        self._check_ids(ids)
        codes = ids.unflatten(1, (-1, self.config.codec_frames)) % self.config.codebook_size  # [B, k, N]
        latent = cast(Tensor, self.codec.quantizer.from_codes(codes)[0])
        return self._read_poses(self._codec_output(latent))

    def forward(
        self,
        camera_to_world: Tensor,
        intrinsics: Tensor,
        quantize: bool = True,
        generator: torch.Generator | None = None,
        coarse_weight: float = 0.0,
    ) -> CameraTokenizerOutput:
        """One training step's losses; gradients pass the quantizers straight through.

        Args:
            camera_to_world: `[B, T, 4, 4]`, as for `encode`.
            intrinsics: `[B, T, 4]`.
            quantize: False leaves the quantizers out, with a little noise on the latents in their place (the warm-up).
            generator: draws that noise, on the CPU.
            coarse_weight: weight of the reconstruction by the first level alone, by the first two, ... (each is decoded).
        """
        signal = self._codec_input(camera_to_world, intrinsics)
        latent, codes, codec_loss = self.codec.encoder(signal), None, signal.new_zeros(())  # latent [B, D, N]
        if quantize:
            levels, codes, codec_loss = self._quantize(latent)  # L of [B, D, N]
        else:
            noise = torch.randn(latent.shape, generator=generator).to(latent)
            levels = [latent + WARM_UP_NOISE * latent.detach().std() * noise]
        values = read_values(signal * self.config.headroom, self.config)  # [B, T, 8]
        decoded = self._codec_output(levels[-1])
        reconstruction_loss = self._reconstruction_loss(decoded, values)
        coarse_losses = (
            [self._reconstruction_loss(self._codec_output(coarse), values) for coarse in levels[:-1]]
            if coarse_weight
            else []
        )
        poses, intrinsics = self._read_poses(decoded.detach())
        return CameraTokenizerOutput(
            loss=reconstruction_loss + codec_loss + coarse_weight * sum(coarse_losses),
            reconstruction_loss=reconstruction_loss.detach(),
            level_losses=torch.stack([*coarse_losses, reconstruction_loss]).detach(),
            codec_loss=codec_loss.detach(),
            ids=None if codes is None else self._codes_to_ids(codes),
            level_perplexity=None if codes is None else self._perplexity(codes),
            camera_to_world=poses,
            intrinsics=intrinsics,
        )

    def _quantize(self, latent: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """Latent `[B, D, N]` -> what the first 1, 2, ... L levels say of it, codes `[B, L, N]`, the codec's loss."""
        weights, total, loss = self.config.dac_config, torch.zeros_like(latent), latent.new_zeros(())
        levels, codes = [], []
        for quantizer in self._quantizers:
            quantized, commitment_loss, codebook_loss, level_codes, _ = quantizer(latent - total)
            loss = (
                loss + weights.commitment_loss_weight * commitment_loss + weights.codebook_loss_weight * codebook_loss
            )
            total = total + quantized
            levels.append(total)
            codes.append(level_codes)
        return levels, torch.stack(codes, dim=1), loss

    def _reconstruction_loss(self, decoded: Tensor, values: Tensor) -> Tensor:
        """Signal `[B, 1, samples]`, the true values `[B, T, 8]` -> L1 + L2, scalar."""
        by_value = self.config.signal_layout == "poses"
        spread = values.std((0, 1)).clamp(min=MIN_SPREAD) if by_value else SPECTRUM_SPREAD
        error = (read_values(decoded, self.config) - values) / spread
        return error.abs().mean() + error.square().mean()

    @torch.no_grad()
    def code_vectors(self) -> Tensor:
        """Each id's own part of the codec's latent: `[L * codebook_size, D]`, D = `config.feature_size`.

        The latent that the codec decodes is the sum of these over the levels. Of kind "uniform": the middles of the bins
        (`UniformCameraTokenizer.code_vectors`); of kind "dct" nothing is known of an id alone, and this is an error.
        """
        if isinstance(self.fitted, DctCameraTokenizer):
            raise ValueError("expected camera_feature_size 0 with camera tokens of kind 'dct', which have no vectors")
        if self.fitted is not None:
            return self.fitted.code_vectors()
        return torch.cat([project_codes(quantizer, quantizer.codebook.weight) for quantizer in self._quantizers])

    @torch.no_grad()
    def start_as_identity(self):
        """Set encoder and decoder so that they pass the signal on (`camera_codec_start`): a start for training."""
        pass_signal_on(self.codec, self.config)

    @torch.no_grad()
    def initialize_codebooks(
        self,
        camera_to_world: Tensor,
        intrinsics: Tensor,
        generator: torch.Generator | None = None,
        fine: bool = False,
    ):
        """Fit the quantizers to the encoder's latents of these paths (some hundreds or more), once, after the warm-up.

        See `camera_codebooks.fit_codebooks`, also for `fine`.
        """
        fit_codebooks(self._quantizers, self._many_latents(camera_to_world, intrinsics), generator, fine)

    @torch.no_grad()
    def restart_dead_codes(
        self,
        camera_to_world: Tensor,
        intrinsics: Tensor,
        generator: torch.Generator | None = None,
        min_usage: float = 0.1,
    ) -> Tensor:
        """Move codes that these paths hardly use to latents that they do have (`camera_codebooks.restart_dead_codes`).

        Usage is counted on the paths given, so give enough for every code to have its chance: a thousand or more.

        Args:
            camera_to_world: `[B, T, 4, 4]`.
            intrinsics: `[B, T, 4]`.
            generator: draws the latents, on the CPU; the same state gives the same codes.
            min_usage: a code used less than this part of its uniform share is dead.

        Returns:
            how many codes were moved at each level, `[L]` int64.
        """
        latents = self._many_latents(camera_to_world, intrinsics)
        return restart_dead_codes(self._quantizers, latents, generator, min_usage)

    def _exactly(self) -> torch.autocast:
        """What is fitted is computed in float32, whatever is around it; nothing is encoded or decoded before."""
        assert self.fitted is not None
        if not self.fitted.is_fitted:
            raise ValueError(
                f"expected a fitted camera tokenizer, got one of kind {self.config.kind!r} that is not: see fit"
            )
        return torch.autocast(self.device.type, enabled=False)

    @property
    def _quantizers(self) -> list[DacVectorQuantize]:
        return cast(list[DacVectorQuantize], list(self.codec.quantizer.quantizers))

    def _codec_input(self, camera_to_world: Tensor, intrinsics: Tensor) -> Tensor:
        """Checked poses -> what the codec hears, `[B, 1, samples]`."""
        if self.fitted is not None:
            raise ValueError(f"expected kind 'codec' to train, got {self.config.kind!r}: it is fitted, by fit")
        self._check_poses(camera_to_world, intrinsics)
        signal = poses_to_signal(camera_to_world, intrinsics, self.config) / self.config.headroom
        return signal.to(self.dtype)

    def _many_latents(self, camera_to_world: Tensor, intrinsics: Tensor) -> Tensor:
        """Latents of thousands of paths, `[B, D, N]`, some at a time: signals are long."""
        signals = self._codec_input(camera_to_world, intrinsics).split(SIGNALS_AT_ONCE)
        return torch.cat([self.codec.encoder(signal) for signal in signals])

    def _codec_output(self, latent: Tensor) -> Tensor:
        """Quantized latent `[B, D, N]` -> signal `[B, 1, decoded_samples]`."""
        return self.codec.decoder(latent) * self.config.headroom

    def _read_poses(self, signal: Tensor) -> tuple[Tensor, Tensor]:
        """Signal -> poses in float32."""
        return signal_to_poses(signal.float(), self.config)

    def _codes_to_ids(self, codes: Tensor) -> Tensor:
        """Codes `[B, L, N]` -> ids `[B, L * N]`."""
        first_ids = torch.arange(codes.shape[1], device=codes.device) * self.config.codebook_size
        return (codes + first_ids[:, None]).flatten(1)

    def _perplexity(self, codes: Tensor) -> Tensor:
        """Codes `[B, L, N]` -> `[L]`."""
        usage = F.one_hot(codes, self.config.codebook_size).float().mean((0, 2))  # [L, codebook_size]
        return torch.special.entr(usage).sum(-1).exp()

    def _check_poses(self, camera_to_world: Tensor, intrinsics: Tensor):
        expected, shape = self.config.num_poses, list(camera_to_world.shape)
        if len(shape) != 4 or shape[2:] != [4, 4]:
            raise ValueError(f"expected camera_to_world [B, {expected}, 4, 4], got {shape}")
        if list(intrinsics.shape) != [*shape[:2], 4]:
            raise ValueError(f"expected intrinsics {[*shape[:2], 4]}, got {list(intrinsics.shape)}")
        if shape[1] != expected:
            raise ValueError(
                f"expected {expected} poses, got {shape[1]}; resample the path, for example path.resample({expected})"
            )
        if not (camera_to_world.isfinite().all() and intrinsics.isfinite().all()):
            raise ValueError("expected finite poses and intrinsics, got NaN or infinity")
        if not (intrinsics[..., :2] > 0).all():
            raise ValueError(f"expected positive focal lengths, got {float(intrinsics[..., :2].min()):.4g}")
        rotation = camera_to_world[..., :3, :3].double()
        identity = torch.eye(3, dtype=rotation.dtype, device=rotation.device)
        deviation = float((rotation @ rotation.transpose(-1, -2) - identity).abs().max())
        if deviation > ROTATION_TOLERANCE or (torch.linalg.det(rotation) < 0).any():
            raise ValueError(
                f"expected rotations in camera_to_world, got matrices {deviation:.2g} off orthonormal, or mirrored"
            )

    def _check_ids(self, ids: Tensor):
        frames, size = self.config.codec_frames, self.config.codebook_size
        if ids.ndim != 2 or ids.shape[1] % frames or not 0 < ids.shape[1] <= self.config.num_levels * frames:
            raise ValueError(f"expected ids [B, {self.config.num_levels * frames}], got {list(ids.shape)}")
        levels = torch.arange(ids.shape[1], device=ids.device) // frames
        wrong = ids // size != levels
        if wrong.any():
            level = int(levels.expand_as(ids)[wrong][0])
            raise ValueError(
                f"expected ids {level * size}..{(level + 1) * size - 1} at level {level}, got {int(ids[wrong][0])}"
            )
