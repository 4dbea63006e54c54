"""`CamViGVisualTokenizer`: frames <-> visual ids, causal in time, in two kinds behind one interface.

*Plain* is the paper's tokenizer: ids alone give the frames. *Motion* is our departure: frame 0 is coded as a picture, the
ids of the later latent frames code motion relative to it and what it cannot show, and decoding moves the pixels of a
reference picture at whatever resolution that picture has. In both kinds latent frame k depends on frames 0..4k alone, so
an image's ids are exactly those of the first latent frame of any video that starts with it. The one exception is a
plain tokenizer of Open-MAGVIT2's open weights (`config.is_strictly_causal` is False): an image is a video of one frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.utils.generic import ModelOutput

from .configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from .motion_autoencoder import MotionAutoencoder
from .open_magvit2_autoencoder import OpenMagvit2Autoencoder
from .plain_autoencoder import PlainAutoencoder, check_frames
from .vidtok_autoencoder import VidTokAutoencoder

PLAIN_ARCHITECTURES = {
    "camvig": PlainAutoencoder,
    "open_magvit2": OpenMagvit2Autoencoder,
    "vidtok": VidTokAutoencoder,
}


@dataclass
class VisualDecoderOutput(ModelOutput):
    """What decoding gives.

    Args:
        video: `[B, 3, T, H, W]` in [-1, 1].
        flow: motion kind only: `[B, T-1, 2, H, W]`, from each pixel of a frame to its place in the reference, in units
            of the frame's width and height.
        reference_weight: motion kind only: `[B, T-1, 1, H, W]` in [0, 1], how much of each pixel is the moved reference.
    """

    video: Tensor
    flow: Tensor | None = None
    reference_weight: Tensor | None = None


class CamViGVisualTokenizer(PreTrainedModel):
    """A causal spatio-temporal VQ autoencoder (MAGVIT-v2; CamViG section 3) with 18 bits a token."""

    config_class = CamViGVisualTokenizerConfig
    base_model_prefix = "visual_tokenizer"
    main_input_name = "video"
    supports_gradient_checkpointing = True

    def __init__(self, config: CamViGVisualTokenizerConfig):
        super().__init__(config)
        self.autoencoder: MotionAutoencoder | PlainAutoencoder
        if config.kind == "motion":
            self.autoencoder = MotionAutoencoder(config)
        else:
            self.autoencoder = PLAIN_ARCHITECTURES[config.architecture](config)
        self.post_init()

    def _init_weights(self, module):
        """The networks initialise themselves; loading must not draw new numbers over them."""

    def forward(self, video: Tensor, **inputs: Tensor):
        """The training pass of the configured kind: see `MotionAutoencoder.forward`, `PlainAutoencoder.forward`."""
        return self.autoencoder(video, **inputs)

    @torch.no_grad()
    def encode(self, video: Tensor, flow: Tensor | None = None, visibility: Tensor | None = None) -> Tensor:
        """Frames to ids.

        Args:
            video: `[B, 3, T, H, W]` in [-1, 1], T = 1 or `num_frames`-like (1 + a multiple of 4), H = W = `image_size`.
            flow: motion kind with T > 1: `[B, T-1, 2, H, W]`, backward to frame 0, in units of the frame's size.
            visibility: motion kind with T > 1: `[B, T-1, 1, H, W]`, 1 where frame 0 shows the point.

        Returns:
            ids `[B, t, h, w]` int64, t = 1 + (T - 1) / 4.
        """
        self._check_video(video)
        if isinstance(self.autoencoder, PlainAutoencoder) or video.shape[2] == 1:
            return self.autoencoder.encode_ids(video)
        if flow is None or visibility is None:
            raise ValueError("a motion tokenizer encodes a video with its flow and visibility; got only frames")
        _check_shape("flow", flow, (video.shape[0], video.shape[2] - 1, 2, *video.shape[3:]))
        _check_shape("visibility", visibility, (video.shape[0], video.shape[2] - 1, 1, *video.shape[3:]))
        return self.autoencoder.encode_ids(video, flow, visibility)

    def encode_clip(
        self, video: Tensor, flow: Tensor | None = None, visibility: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """A clip to what a transformer is given and what it writes; arguments as in `encode`, T > 1.

        Returns:
            image ids `[B, h * w]`, those of frame 0 alone, as the pipeline has them; video ids `[B, (t - 1) * h * w]`.
        """
        ids = self.encode(video, flow, visibility).flatten(2)
        image_ids = ids[:, 0] if self.config.is_strictly_causal else self.encode(video[:, :, :1]).flatten(1)
        return image_ids, ids[:, 1:].flatten(1)

    @torch.no_grad()
    def decode(
        self,
        ids: Tensor,
        reference: Tensor | None = None,
        cameras: tuple[Tensor, Tensor] | None = None,
        mirrored_ids: Tensor | None = None,
    ) -> VisualDecoderOutput:
        """Ids to frames.

        Args:
            ids: `[B, t, h, w]` int64; t = 1 gives the first frame alone. Motion kind: also `[B, K, t, h, w]`, of K videos that
                share a picture; their codes are averaged, and with them how things move.
            reference: motion kind: the picture whose pixels are moved, `[B, 3, H, W]` in [-1, 1], of any size. Without
                it, the picture that the first latent frame's ids decode to.
            cameras: motion kind: poses `[B, T, 4, 4]` relative to the first, in scene depths, and intrinsics `[B, T, 4]` in
                picture widths and heights. With them the scene is at rest: flow is what these cameras see (`rigid_flow`).
            mirrored_ids: motion kind: as `ids`, for the reference mirrored left to right. They count as much as `ids` do, so that
                a model's liking for one side cancels out.

        Returns:
            `VisualDecoderOutput`; frames have the size of the reference, or `image_size`.
        """
        self._check_ids(ids)
        if isinstance(self.autoencoder, PlainAutoencoder):
            if reference is not None or cameras is not None or mirrored_ids is not None:
                raise ValueError(
                    "a plain tokenizer decodes ids alone; got a reference picture, cameras or mirrored ids"
                )
            return VisualDecoderOutput(video=self.autoencoder.decode_ids(ids))
        if reference is not None and (
            reference.ndim != 4 or reference.shape[:2] != (len(ids), 3) or not reference.numel()
        ):
            raise ValueError(f"expected reference [{len(ids)}, 3, H, W], got {list(reference.shape)}")
        if cameras is not None:
            frames = 1 + (ids.shape[-3] - 1) * self.config.temporal_downsample
            _check_shape("poses", cameras[0], (len(ids), frames, 4, 4))
            _check_shape("intrinsics", cameras[1], (len(ids), frames, 4))
        if mirrored_ids is not None:
            self._check_ids(mirrored_ids)
            if (len(mirrored_ids), mirrored_ids.shape[-3]) != (len(ids), ids.shape[-3]):
                raise ValueError(
                    f"expected mirrored ids of as many videos and latent frames as ids {list(ids.shape)}, "
                    f"got {list(mirrored_ids.shape)}"
                )
        video, flow, reference_weight = self.autoencoder.decode_ids(ids, reference, cameras, mirrored_ids)
        return VisualDecoderOutput(video=video, flow=flow, reference_weight=reference_weight)

    def _check_video(self, video: Tensor):
        size, step = self.config.image_size, self.config.temporal_downsample
        if video.ndim != 5 or video.shape[1] != 3 or tuple(video.shape[3:]) != (size, size):
            raise ValueError(f"expected video [B, 3, T, {size}, {size}], got {list(video.shape)}")
        check_frames(video.shape[2], step)
        if not video.isfinite().all():
            raise ValueError("expected finite pixels, got NaN or infinity")

    def _check_ids(self, ids: Tensor):
        size = self.config.latent_size
        is_shaped = ids.ndim == 4 or (ids.ndim == 5 and self.config.kind == "motion")
        if not is_shaped or tuple(ids.shape[-2:]) != (size, size) or 0 in ids.shape[1:]:
            several = ", or [B, K, t, h, w] to be averaged" if self.config.kind == "motion" else ""
            raise ValueError(f"expected ids [B, t, {size}, {size}]{several}, got {list(ids.shape)}")
        if ids.dtype != torch.int64:
            raise ValueError(f"expected ids of int64, got {ids.dtype}")
        if ids.numel() and not (int(ids.min()) >= 0 and int(ids.max()) < self.config.vocab_size):
            raise ValueError(f"expected ids in 0..{self.config.vocab_size - 1}, got {int(ids.min())}..{int(ids.max())}")


def _check_shape(name: str, tensor: Tensor, shape: tuple[int, ...]):
    if tuple(tensor.shape) != shape:
        raise ValueError(f"expected {name} {list(shape)}, got {list(tensor.shape)}")
    if not tensor.isfinite().all():
        raise ValueError(f"expected finite {name}, got NaN or infinity")
