"""`CamViGConfig`: what the transformer's checkpoint needs besides its weights.

A strict transformers configuration: unknown types are refused when it is built, and `validate_*` methods refuse combinations
that cannot work. Defaults are the token geometry of CamViG (arXiv 2405.13195) and VideoPoet, on which it builds. What it must
know of its tokens is copied from the tokenizers' configurations (`configuration_visual_tokenizer`,
`configuration_camera_tokenizer`); the pipeline checks that they agree.
"""

import math
from typing import ClassVar

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec

from .configuration_camera_tokenizer import TIMELESS_KINDS, TOKEN_KINDS


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
