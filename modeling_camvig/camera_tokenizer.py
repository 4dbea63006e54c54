"""`CamViGCameraTokenizer`: a camera path <-> camera ids, by a neural audio codec over a 1-D signal (CamViG section 3).

Kind "codec" is the paper's, and all that is said here is of it. The kinds "dct" and "uniform" are `DctCameraTokenizer` and
`UniformCameraTokenizer`, behind the same `encode` and `decode`; they have no weights and are fitted to paths (`fit`).

The path becomes the signal of `camera_signal` (the layout is ours); a transformers `DacModel`, SoundStream's open
descendant, turns it into L levels of N residual codes. Ids are level-major, and no two levels share one
(`camera_level_ids`). The first levels alone decode too, to a coarser path.

DAC's quantizers start as noise around zero, and on this signal they collapse. What trains well (our choice): either the
encoder and decoder alone first (`forward(..., quantize=False)`), or ones that pass the signal on (`start_as_identity`); then
`initialize_codebooks` once; then `forward` with `restart_dead_codes` now and then. `from_pretrained_codec` trains nothing.
"""

from __future__ import annotations

import math
import os
from typing import cast

import torch
from torch import Tensor
from transformers import DacConfig, DacModel, PreTrainedModel
from transformers.models.dac.modeling_dac import DacVectorQuantize

from .binned_camera_tokenizers import UniformCameraTokenizer
from .camera_codebooks import fit_codebooks, project_codes, restart_dead_codes
from .camera_codec_losses import CameraTokenizerOutput, level_perplexity, quantize_by_levels, reconstruction_loss
from .camera_codec_start import pass_signal_on
from .camera_level_ids import codes_to_ids, ids_to_codes
from .camera_path_tokenizer import check_poses
from .camera_signal import poses_to_signal, read_values, signal_to_poses
from .configuration_camera_tokenizer import CamViGCameraTokenizerConfig
from .dct_camera_tokenizer import DctCameraTokenizer

FITTED_KINDS = {"dct": DctCameraTokenizer, "uniform": UniformCameraTokenizer}
SIGNALS_AT_ONCE = 128
PAPER_HOP = 320
"""Samples a codec frame: 34,000 samples become 106 frames."""
WARM_UP_NOISE = 0.1
"""Noise on the latents while nothing is quantized, as a part of their spread."""


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
        check_poses(camera_to_world, intrinsics, self.config.num_poses)
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
            check_poses(camera_to_world, intrinsics, self.config.num_poses)
            with self._exactly():
                return self.fitted.encode(camera_to_world.float(), intrinsics.float())
        latent = self.codec.encoder(self._codec_input(camera_to_world, intrinsics))  # [B, D, N]
        codes = self.codec.quantizer(latent)[1]  # [B, L, N]
        return codes_to_ids(codes, self.config.codebook_size)

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
        codes = ids_to_codes(ids, self.config)  # [B, k, N]
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
            levels, codes, codec_loss = quantize_by_levels(self._quantizers, latent, self.config)  # L of [B, D, N]
        else:
            noise = torch.randn(latent.shape, generator=generator).to(latent)
            levels = [latent + WARM_UP_NOISE * latent.detach().std() * noise]
        values = read_values(signal * self.config.headroom, self.config)  # [B, T, 8]
        decoded = self._codec_output(levels[-1])
        loss = reconstruction_loss(decoded, values, self.config)
        coarse_losses = (
            [reconstruction_loss(self._codec_output(coarse), values, self.config) for coarse in levels[:-1]]
            if coarse_weight
            else []
        )
        poses, intrinsics = self._read_poses(decoded.detach())
        return CameraTokenizerOutput(
            loss=loss + codec_loss + coarse_weight * sum(coarse_losses),
            reconstruction_loss=loss.detach(),
            level_losses=torch.stack([*coarse_losses, loss]).detach(),
            codec_loss=codec_loss.detach(),
            ids=None if codes is None else codes_to_ids(codes, self.config.codebook_size),
            level_perplexity=None if codes is None else level_perplexity(codes, self.config.codebook_size),
            camera_to_world=poses,
            intrinsics=intrinsics,
        )

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
        check_poses(camera_to_world, intrinsics, self.config.num_poses)
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
