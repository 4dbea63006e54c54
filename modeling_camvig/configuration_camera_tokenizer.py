"""`CamViGCameraTokenizerConfig`: what a camera tokenizer's checkpoint needs besides its weights, for all of its kinds.

A strict transformers configuration: unknown types are refused when it is built, and `validate_*` methods refuse combinations
that cannot work. Defaults are the geometry of CamViG (arXiv 2405.13195), `compact` is ours for small models.
"""

import math
from typing import ClassVar, cast

from huggingface_hub.dataclasses import strict
from transformers import DacConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec

SIGNAL_LAYOUTS = ("poses", "spectrum")
CAMERA_KINDS = ("codec", "dct", "uniform")
TOKEN_KINDS = (*CAMERA_KINDS, "spectrum")
"""What a transformer must know of its camera tokens: their tokenizer's kind; "spectrum" is a codec of that signal layout."""
TIMELESS_KINDS = ("dct", "spectrum")
"""Tokens that stand for frequencies, not for moments."""


@strict
class CamViGCameraTokenizerConfig(PreTrainedConfig):
    """Camera path <-> camera ids, by one of three kinds; a token of a level is one of `codebook_size` ids.

    "codec": a 1-D signal and a neural audio codec (CamViG section 3; the layout is ours). "dct": a cosine transform over
    time and byte-pair encoding (`dct_camera_tokenizer`), as many ids as a path needs, padded to `max_tokens`. "uniform":
    even bins (`binned_camera_tokenizers`). The latter two have one level, are fitted to paths instead of trained, and
    ignore what belongs to the codec, which their configuration does not have.

    The codec: each pose is 8 numbers (3 translation, 3 rotation vector, 2 log focal length), each held for `samples_per_value`
    samples. Defaults are the paper's geometry: 17 poses x 8 x 250 = 34,000 samples, hop 320 -> 106 codec frames x 4
    levels = 424 ids from 4 x 1,024.

    Args:
        kind: "codec", "dct" or "uniform".
        codec_config: a `DacConfig` (SoundStream's open descendant): levels, codebook size, hop; None for the other kinds.
        num_poses: poses of a path.
        samples_per_value: samples for which each of the 8 values of a pose is held.
        padding_samples: silence after them.
        signal_layout: "poses" (values of the poses in time order, `camera_signal`) or "spectrum" (their gain-shape spectrum,
            `camera_spectrum`, which needs far fewer bits and ignores the first two scales).
        translation_scale: translation, in scene depths, that becomes 1.0 in the signal.
        rotation_scale: rotation, in radians, that becomes 1.0.
        log_focal_scale: log of the ratio to `reference_focal` that becomes 1.0.
        reference_focal: normalised focal length that becomes 0 in the signal.
        headroom: the signal is divided by it before the codec, whose output ends in a tanh: +-1 then lies where the
            tanh still has a slope, and values up to nearly +-headroom can be written.
        dct_scale: kind "dct": what coefficients are multiplied by before rounding; more is finer, and more tokens.
        dct_vocab_size: kind "dct": ids, at most, beside the one of padding.
        max_tokens: kind "dct": ids of every path, padding included.
        num_bins: kind "uniform": bins of each number.
    """

    model_type = "camvig_camera_tokenizer"
    sub_configs_defaults: ClassVar = {"codec_config": SubConfigSpec(config_class=DacConfig, optional=True)}
    newer_fields: ClassVar = (
        "kind",
        "signal_layout",
        "padding_samples",
        "dct_scale",
        "dct_vocab_size",
        "max_tokens",
        "num_bins",
    )
    """Fields that the first token caches did not know: at their defaults they do not enter a cache's fingerprint."""

    kind: str = "codec"
    codec_config: dict | PreTrainedConfig | None = None
    num_poses: int = 17
    samples_per_value: int = 250
    padding_samples: int = 0
    signal_layout: str = "poses"
    translation_scale: float = 0.75
    rotation_scale: float = 0.8
    log_focal_scale: float = 1.0
    reference_focal: float = 0.785
    headroom: float = 2.0
    dct_scale: float = 60.0
    dct_vocab_size: int = 2048
    max_tokens: int = 72
    num_bins: int = 256

    def __post_init__(self, **kwargs):
        if self.codec_config is None and self.kind == "codec":
            self.codec_config = DacConfig(
                encoder_hidden_size=16, decoder_hidden_size=128, downsampling_ratios=[8, 5, 4, 2], n_codebooks=4
            )
        elif isinstance(self.codec_config, dict):
            self.codec_config = DacConfig(**self.codec_config)
        super().__post_init__(**kwargs)

    @classmethod
    def compact(cls, **kwargs) -> "CamViGCameraTokenizerConfig":
        """One codec frame a pose, 17 x 4 = 68 ids, 0.14 M parameters: our geometry for small models."""
        codec_config = DacConfig(
            encoder_hidden_size=16, decoder_hidden_size=64, downsampling_ratios=[8], n_codebooks=4, codebook_dim=12
        )
        return cls(codec_config=codec_config, samples_per_value=1, **kwargs)

    @property
    def dac_config(self) -> DacConfig:
        """`codec_config` of kind "codec", which is built by now."""
        return cast(DacConfig, self.codec_config)

    @property
    def token_kind(self) -> str:
        """One of `TOKEN_KINDS`."""
        return "spectrum" if self.kind == "codec" and self.signal_layout == "spectrum" else self.kind

    @property
    def feature_size(self) -> int:
        """Size of what is known of each id (`CamViGCameraTokenizer.code_vectors`); 0 = nothing."""
        if self.kind == "codec":
            return self.dac_config.hidden_size
        return 0 if self.kind == "dct" else 9

    @property
    def num_levels(self) -> int:
        return self.dac_config.n_codebooks if self.kind == "codec" else 1

    @property
    def codebook_size(self) -> int:
        """Ids of a level."""
        if self.kind == "codec":
            return self.dac_config.codebook_size
        return self.dct_vocab_size + 1 if self.kind == "dct" else 9 * self.num_bins

    @property
    def tokens_per_level(self) -> int:
        """Tokens of a path, one level alone: codec frames, `max_tokens`, or the numbers that are binned."""
        if self.kind == "codec":
            return self.codec_frames
        return self.max_tokens if self.kind == "dct" else 2 + 7 * (self.num_poses - 1)

    @property
    def vocab_size(self) -> int:
        """All levels together; the levels' ids are disjoint."""
        return self.num_levels * self.codebook_size

    @property
    def num_samples(self) -> int:
        return self.num_poses * 8 * self.samples_per_value + self.padding_samples

    @property
    def codec_frames(self) -> int:
        """Codec frames of a path: 106 in the paper's geometry, one a pose in the compact one."""
        length = self.num_samples
        for stride in self.dac_config.downsampling_ratios:  # kernel 2 x stride, padding ceil(stride / 2)
            length = (length + 2 * math.ceil(stride / 2)) // stride - 1
        return length

    @property
    def decoded_samples(self) -> int:
        """Samples that the codec gives back: a little fewer than it got where a hop does not fit or a stride is odd."""
        length = self.codec_frames
        for stride in self.dac_config.upsampling_ratios:
            length = (length + 1) * stride - 2 * math.ceil(stride / 2)
        return length

    @property
    def first_read(self) -> int:
        """The first of a value's samples that is read, and as many are left out at its end."""
        return self.samples_per_value // 4

    def validate_layout(self):
        if self.signal_layout not in SIGNAL_LAYOUTS:
            raise ValueError(
                f"expected signal_layout {', '.join(map(repr, SIGNAL_LAYOUTS))}, got {self.signal_layout!r}"
            )

    def validate_kind(self):
        if self.kind not in CAMERA_KINDS:
            raise ValueError(f"expected kind {', '.join(map(repr, CAMERA_KINDS))}, got {self.kind!r}")
        if self.kind != "codec" and self.codec_config is not None:
            raise ValueError(f"expected no codec_config with kind {self.kind!r}, got one")
        if min(self.num_poses - 1, self.dct_vocab_size, self.max_tokens, self.num_bins) < 1 or not self.dct_scale > 0:
            raise ValueError(
                "expected at least 2 poses, and a positive vocabulary, scale, and number of tokens and bins"
            )

    def validate_codec(self):
        if self.kind != "codec":
            return
        lost = self.num_samples - self.padding_samples - self.decoded_samples
        if lost >= self.samples_per_value - self.first_read:
            raise ValueError(
                f"expected a codec that gives back a sample of every value, got one that loses the last {lost} samples "
                f"with {self.samples_per_value} a value"
            )
