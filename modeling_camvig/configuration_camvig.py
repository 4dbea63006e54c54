"""Configurations of the three trained parts: the visual tokenizer, the camera tokenizer and the transformer.

Each is a strict transformers configuration: unknown types are refused when it is built, `validate_*` methods refuse
combinations that cannot work, and everything a checkpoint needs besides its weights stands here. Defaults are the
geometry of CamViG (arXiv 2405.13195) and of MAGVIT-v2/VideoPoet on which it builds; the embedded tiny checkpoint is the
same code with smaller numbers.
"""

import math
from typing import ClassVar, cast

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, DacConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec

QUANTIZER_LEVELS = {"lfq": [2] * 18, "fsq": [8] * 6}
"""The two 18-bit codes: 18 signs (lookup-free quantization, the paper's) or 6 digits of 8 levels (FSQ)."""

SIGNAL_LAYOUTS = ("poses", "spectrum")
CAMERA_KINDS = ("codec", "dct", "uniform")
TOKEN_KINDS = (*CAMERA_KINDS, "spectrum")
"""What a transformer must know of its camera tokens: their tokenizer's kind; "spectrum" is a codec of that signal layout."""
TIMELESS_KINDS = ("dct", "spectrum")
"""Tokens that stand for frequencies, not for moments."""

OPEN_ARCHITECTURES = {"open_magvit2": "lfq", "vidtok": "fsq"}
"""The architectures of open weights (`open_weights`), each with the quantizer that it has."""


@strict
class CamViGVisualTokenizerConfig(PreTrainedConfig):
    """Frames <-> visual ids. Defaults: 17x128x128 -> 5x16x16 ids of 18 bits (MAGVIT-v2, CamViG section 3).

    Args:
        kind: "plain" (ids alone give the frames, the paper's) or "motion" (the ids of latent frames 1.. code the motion
            relative to frame 0 and new content, and decoding needs the reference picture; our departure).
        architecture: "camvig" (our networks), or, for kind "plain", those of open weights: "open_magvit2", "vidtok".
        quantizer: "lfq" or "fsq", both 18 bits a token.
        num_frames: frames of a clip, 1 + a multiple of `temporal_downsample`.
        image_size: height and width of the frames the networks see, pixels.
        temporal_downsample: frames a latent frame stands for, after the first.
        spatial_downsample: pixels a token stands for along each side.
        hidden_sizes: channels of the networks, one a resolution level, from fine to coarse.
        blocks_per_level: residual blocks at each level.
        has_canvas: kind "motion": what the reference does not show is painted on a canvas behind it (`hidden_canvas`),
            instead of into each frame.
    """

    model_type = "camvig_visual_tokenizer"
    newer_fields: ClassVar = ("has_canvas",)

    kind: str = "plain"
    architecture: str = "camvig"
    quantizer: str = "lfq"
    num_frames: int = 17
    image_size: int = 128
    temporal_downsample: int = 4
    spatial_downsample: int = 8
    hidden_sizes: list[int] | tuple[int, ...] = (128, 128, 256, 512)
    blocks_per_level: int = 2
    has_canvas: bool = False

    def validate_geometry(self):
        if self.kind not in ("plain", "motion"):
            raise ValueError(f"expected kind 'plain' or 'motion', got {self.kind!r}")
        if self.quantizer not in QUANTIZER_LEVELS:
            raise ValueError(f"expected quantizer 'lfq' or 'fsq', got {self.quantizer!r}")
        if min(self.num_frames, self.image_size, self.temporal_downsample, self.spatial_downsample) < 1:
            raise ValueError("expected num_frames, image_size and downsampling of at least 1")
        if (self.num_frames - 1) % self.temporal_downsample:
            raise ValueError(
                f"expected num_frames = 1 + a multiple of {self.temporal_downsample}, got {self.num_frames}"
            )
        if self.image_size % self.spatial_downsample:
            raise ValueError(f"expected image_size in multiples of {self.spatial_downsample}, got {self.image_size}")
        if self.has_canvas and (self.kind, self.spatial_downsample) != ("motion", 8):
            raise ValueError(
                f"expected kind 'motion' and spatial_downsample 8 with has_canvas, got {self.kind!r} and {self.spatial_downsample}"
            )

    def validate_architecture(self):
        if self.architecture not in ("camvig", *OPEN_ARCHITECTURES):
            expected = ", ".join(map(repr, ("camvig", *OPEN_ARCHITECTURES)))
            raise ValueError(f"expected architecture {expected}, got {self.architecture!r}")
        if self.architecture != "camvig":
            expected, got = ("plain", OPEN_ARCHITECTURES[self.architecture]), (self.kind, self.quantizer)
            if got != expected:
                raise ValueError(
                    f"expected kind and quantizer {expected} with architecture {self.architecture!r}, got {got}"
                )

    @property
    def is_strictly_causal(self) -> bool:
        """Does latent frame k depend on frames 0..4k alone, so that a picture has the first ids of its videos?

        Open-MAGVIT2 normalises over all frames of a clip: there a picture is encoded as a video of one frame, and what
        is cached or trained as a picture's ids must come from the picture alone (`CamViGVisualTokenizer.encode_clip`).
        """
        return self.architecture != "open_magvit2"

    @property
    def code_levels(self) -> list[int]:
        """Levels of each digit of a code; their product is the vocabulary."""
        return QUANTIZER_LEVELS[self.quantizer]

    @property
    def vocab_size(self) -> int:
        return math.prod(self.code_levels)

    @property
    def latent_frames(self) -> int:
        return 1 + (self.num_frames - 1) // self.temporal_downsample

    @property
    def latent_size(self) -> int:
        return self.image_size // self.spatial_downsample


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


@strict
class CamViGConfig(PreTrainedConfig):
    """The multimodal decoder-only transformer (CamViG section 3, VideoPoet). Defaults: the paper's token geometry.

    Args:
        text_config: any transformers decoder configuration (Qwen3-like by default); its own vocabulary is not used.
        visual_levels: levels of each digit of a visual code (18 x 2 for LFQ, 6 x 8 for FSQ).
        visual_factors: sizes of the factors in which a visual id is predicted, least significant digits first; their
            product is the visual vocabulary. One factor = an unfactorised softmax.
        latent_frames: latent frames of a video; the first is the given image.
        latent_size: tokens along each side of a latent frame.
        temporal_downsample: frames a latent frame stands for, after the first; says which camera tokens go with it.
        camera_kind: kind of the camera tokens (`TOKEN_KINDS`), which says when they are: those of a codec are spread evenly
            over the poses, those of bins belong to theirs, those of "dct" and "spectrum" have no time.
        camera_levels: RVQ levels of the camera ids; 1 unless a codec makes them.
        camera_codebook_size: ids a level.
        camera_frames: tokens a level: codec frames of a codec, all tokens of the other kinds.
        camera_feature_size: size of the camera tokenizer's own vectors of its ids, given to the transformer beside a
            learned table (0 = table alone, as in the paper; ours otherwise).
        picture_feature_size: channels of what the motion tokenizer's picture decoder makes of the image's ids, from which it
            tells depth, given to the transformer beside the ids (0 = ids alone, as in the paper; `picture_features`).
        picture_feature_blocks: residual blocks of that decoder.
        copy_features: add the embeddings of the same-place token in the previous latent frame and in the image to the
            input of a video token (our choice; a small model learns to follow the camera much sooner).
        align_camera: also add the embedding of a latent frame's camera tokens to its video tokens (our choice; off in
            the paper, where the camera stands in the prefix alone). Needs camera tokens that have a time.
        max_translation: largest translation from the first pose seen in training, scene depths.
        max_rotation_degrees: largest rotation from the first pose seen in training.
        zoom_range: smallest and largest focal-length ratio to the first frame seen in training.
    """

    model_type = "camvig"
    sub_configs_defaults: ClassVar = {"text_config": SubConfigSpec(config_class=AutoConfig, model_type="qwen3")}

    text_config: dict | PreTrainedConfig | None = None
    visual_levels: list[int] | tuple[int, ...] = (2,) * 18
    visual_factors: list[int] | tuple[int, ...] = (512, 512)
    latent_frames: int = 5
    latent_size: int = 16
    temporal_downsample: int = 4
    camera_kind: str = "codec"
    camera_levels: int = 4
    camera_codebook_size: int = 1024
    camera_frames: int = 106
    camera_feature_size: int = 0
    picture_feature_size: int = 0
    picture_feature_blocks: int = 2
    copy_features: bool = True
    align_camera: bool = False
    max_translation: float = 0.6
    max_rotation_degrees: float = 45.0
    zoom_range: list[float] | tuple[float, float] = (0.7, 1.45)
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs):
        if self.text_config is None:
            self.text_config = AutoConfig.for_model(
                "qwen3", hidden_size=1536, intermediate_size=6144, num_hidden_layers=24
            )
        elif isinstance(self.text_config, dict):
            text_config = dict(self.text_config)
            self.text_config = AutoConfig.for_model(text_config.pop("model_type", "qwen3"), **text_config)
        super().__post_init__(**kwargs)

    def validate_vocabulary(self):
        if math.prod(self.visual_factors) != math.prod(self.visual_levels):
            raise ValueError(
                f"expected visual_factors with product {math.prod(self.visual_levels)}, got {list(self.visual_factors)}"
            )

    def validate_picture_features(self):
        if self.picture_feature_size < 0 or self.picture_feature_size % 8 or self.picture_feature_blocks < 0:
            raise ValueError(
                f"expected picture_feature_size 0 or a multiple of 8 and picture_feature_blocks of at least 0, got "
                f"{self.picture_feature_size} and {self.picture_feature_blocks}"
            )

    def validate_camera_kind(self):
        if self.camera_kind not in TOKEN_KINDS:
            raise ValueError(f"expected camera_kind {', '.join(map(repr, TOKEN_KINDS))}, got {self.camera_kind!r}")
        if self.camera_kind in ("dct", "uniform") and self.camera_levels != 1:
            raise ValueError(
                f"expected camera_levels 1 with camera_kind {self.camera_kind!r}, got {self.camera_levels}"
            )
        if self.camera_kind in TIMELESS_KINDS and self.align_camera:
            raise ValueError(
                f"expected align_camera False with camera_kind {self.camera_kind!r}, whose tokens have no time, got True"
            )

    def validate_camera_frames(self):
        if self.camera_kind == "uniform" and self.camera_frames != 2 + 7 * (self.num_frames - 1):
            raise ValueError(
                f"expected camera_frames {2 + 7 * (self.num_frames - 1)} for {self.num_frames} poses with camera_kind "
                f"'uniform', got {self.camera_frames}"
            )
        if self.camera_kind == "codec" and self.camera_frames < self.latent_frames:
            raise ValueError(
                f"expected at least one codec frame for each of the {self.latent_frames} latent frames, "
                f"got camera_frames {self.camera_frames}"
            )

    @property
    def num_frames(self) -> int:
        """Frames of a video, and poses of a path."""
        return 1 + (self.latent_frames - 1) * self.temporal_downsample

    @property
    def visual_vocab_size(self) -> int:
        return math.prod(self.visual_levels)

    @property
    def tokens_per_latent_frame(self) -> int:
        return self.latent_size**2

    @property
    def num_video_tokens(self) -> int:
        """Tokens the model writes: every latent frame but the given image."""
        return (self.latent_frames - 1) * self.tokens_per_latent_frame

    @property
    def num_camera_tokens(self) -> int:
        return self.camera_levels * self.camera_frames
