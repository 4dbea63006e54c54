"""`CamViGVisualTokenizerConfig`: what a visual tokenizer's checkpoint needs besides its weights.

A strict transformers configuration: unknown types are refused when it is built, and `validate_*` methods refuse combinations
that cannot work. Defaults are the geometry of MAGVIT-v2, on which CamViG (arXiv 2405.13195) builds; the embedded tiny
checkpoint is the same code with smaller numbers.
"""

import math
from typing import ClassVar

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

QUANTIZER_LEVELS = {"lfq": [2] * 18, "fsq": [8] * 6}
"""The two 18-bit codes: 18 signs (lookup-free quantization, the paper's) or 6 digits of 8 levels (FSQ)."""

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
        has_depth_network: kind "motion": depth of a scene at rest is read from the picture (`picture_depth`), instead of from
            its ids.
    """

    model_type = "camvig_visual_tokenizer"
    decoder_fields: ClassVar = ("has_canvas", "has_depth_network")
    """Fields that ids do not depend on: they do not enter a cache's fingerprint."""

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
    has_depth_network: bool = False

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
        if self.has_depth_network and self.kind != "motion":
            raise ValueError(f"expected kind 'motion' with has_depth_network, got {self.kind!r}")

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
