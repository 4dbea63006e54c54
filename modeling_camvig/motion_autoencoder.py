"""The motion autoencoder: a picture, and how its pixels move (our departure from MAGVIT-v2; decoding needs the picture).

Frame 0 goes through `PictureAutoencoder`, alone. Each later latent frame stands for `temporal_downsample` frames, and its
codes carry their optical flow back to frame 0 and what frame 0 cannot show. The decoder turns codes into flow and new
content, moves the reference picture by the flow, and blends: `weight * moved + (1 - weight) * new`. Always true: latent
frame k sees frames 4k-3..4k and frame 0 on the way in, and codes of latent frames <= k on the way out; normalisation
never crosses frames. Flow is in units of the frame's width and height, so it fits a reference of any resolution.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from .hidden_canvas import read_canvas
from .motion_decoder import MotionDecoder
from .motion_layers import ResidualBlock, resize_frames, warp
from .picture_depth import PictureDepth, PictureTrunk
from .quantizers import build_quantizer
from .rigid_flow import RigidScene, rigid_flow

FLOW_LIMIT = 0.75
"""Flow is clamped to this share of the frame before it is coded."""


class PictureAutoencoder(PictureTrunk):
    """Frame 0 alone <-> one latent frame. A depth head on the codes makes them carry geometry."""

    def __init__(self, config: CamViGVisualTokenizerConfig):
        super().__init__(config)
        fine, coarse = config.hidden_sizes
        digits, blocks = len(config.code_levels), range(config.blocks_per_level)
        self.encoder_norm = nn.GroupNorm(8, coarse)
        self.to_latent = nn.Conv2d(coarse, digits, 1)
        self.from_code = nn.Conv2d(digits, coarse, 3, padding=1)
        self.coarse_decoder = nn.Sequential(*(ResidualBlock(coarse) for _ in blocks))
        self.depth_head = nn.Conv2d(coarse, 4, 3, padding=1)
        self.up = nn.Conv2d(coarse, 4 * fine, 1)
        self.fine_decoder = nn.Sequential(*(ResidualBlock(fine) for _ in blocks))
        self.decoder_norm = nn.GroupNorm(8, fine)
        self.to_pixels = nn.Conv2d(fine, 3 * self.patch**2, 3, padding=1)

    def encode(self, picture: Tensor) -> Tensor:
        """`[B, 3, S, S]` -> latent `[B, h, w, D]`."""
        _, x = self.features(picture)
        return self.to_latent(F.silu(self.encoder_norm(x))).permute(0, 2, 3, 1)

    def decode(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """codes `[B, h, w, D]` -> picture `[B, 3, S, S]`, log inverse depth relative to its median `[B, 1, 2h, 2w]`."""
        x = self.coarse_decoder(self.from_code(codes.permute(0, 3, 1, 2).to(self.from_code.weight.dtype)))
        log_inverse_depth = F.pixel_shuffle(self.depth_head(x).float(), 2)
        x = self.fine_decoder(F.pixel_shuffle(self.up(x), 2))
        pixels = self.to_pixels(F.silu(self.decoder_norm(x))).float()
        return F.pixel_shuffle(pixels, self.patch), log_inverse_depth


class MotionEncoder(nn.Module):
    """Flow, visibility and hidden pixels of a latent frame's frames -> its latent. Each latent frame on its own."""

    def __init__(self, config: CamViGVisualTokenizerConfig):
        super().__init__()
        fine, coarse = config.hidden_sizes
        self.steps = config.temporal_downsample
        self.patch = config.spatial_downsample // 2
        digits, blocks = len(config.code_levels), range(config.blocks_per_level)
        self.patchify = nn.Conv2d(6 * self.steps * self.patch**2, fine, 1)
        self.fine_blocks = nn.Sequential(*(ResidualBlock(fine) for _ in blocks))
        self.down = nn.Conv2d(fine, coarse, 4, stride=2, padding=1)
        self.coarse_blocks = nn.Sequential(*(ResidualBlock(coarse) for _ in blocks))
        self.norm = nn.GroupNorm(8, coarse)
        self.to_latent = nn.Conv2d(coarse, digits, 1)
        self.linear = nn.Conv2d(3 * self.steps, digits, 1)

    def forward(self, frames: Tensor, flow: Tensor, visibility: Tensor) -> Tensor:
        """frames `[B, N, 3, S, S]`, flow `[B, N, 2, S, S]`, visibility `[B, N, 1, S, S]` -> `[B, t-1, h, w, D]`."""
        motion = torch.cat([2 * flow.clamp(-FLOW_LIMIT, FLOW_LIMIT), visibility - 0.5], dim=2)
        motion = motion.unflatten(1, (-1, self.steps)).flatten(2, 3)  # [B, t-1, 3 steps, S, S]
        hidden = (frames * (1 - visibility)).unflatten(1, (-1, self.steps)).flatten(2, 3)
        batch = motion.shape[0]
        x = torch.cat([motion, hidden], dim=2).flatten(0, 1).to(self.patchify.weight.dtype)
        x = self.fine_blocks(self.patchify(F.pixel_unshuffle(x, self.patch)))
        x = self.coarse_blocks(self.down(x))
        pooled = F.avg_pool2d(motion.flatten(0, 1), 2 * self.patch)
        latent = self.to_latent(F.silu(self.norm(x))).float() + self.linear(2 * pooled.to(x.dtype)).float()
        return latent.unflatten(0, (batch, -1)).permute(0, 1, 3, 4, 2)


class MotionAutoencoder(nn.Module):
    """Picture autoencoder, motion encoder and motion decoder behind the interface of `CamViGVisualTokenizer`."""

    def __init__(self, config: CamViGVisualTokenizerConfig):
        super().__init__()
        if len(config.hidden_sizes) != 2:
            raise ValueError(
                f"expected 2 hidden_sizes (fine, coarse) for kind 'motion', got {list(config.hidden_sizes)}"
            )
        if config.hidden_sizes[0] % 8 or config.hidden_sizes[1] % 32 or min(config.hidden_sizes) < 1:
            raise ValueError(f"expected hidden_sizes in multiples of 8 and of 32, got {list(config.hidden_sizes)}")
        if config.spatial_downsample < 8 or config.spatial_downsample % 4:
            raise ValueError(
                f"expected spatial_downsample 8, 12, 16, ... for kind 'motion', got {config.spatial_downsample}"
            )
        self.image_size = config.image_size
        self.quantizer = build_quantizer(config.quantizer, config.code_levels)
        self.picture = PictureAutoencoder(config)
        self.encoder = MotionEncoder(config)
        self.decoder = MotionDecoder(config)
        self.depth = PictureDepth(config) if config.has_depth_network else None

    def encode_ids(self, video: Tensor, flow: Tensor | None = None, visibility: Tensor | None = None) -> Tensor:
        """video `[B, 3, T, S, S]` (with flow and visibility where T > 1) -> ids `[B, t, h, w]`.

        Pictures are encoded one by one: convolutions round differently for other batch sizes and layouts, and a picture's
        ids are to be the same to the bit in a video, in a batch and alone.
        """
        pictures = [self.picture.encode(picture.contiguous()) for picture in video[:, :, 0].split(1)]
        latent = torch.cat(pictures)[:, None]
        if video.shape[2] > 1:
            frames = video[:, :, 1:].transpose(1, 2)
            latent = torch.cat([latent.float(), self.encoder(frames, flow, visibility)], dim=1)
        return self.quantizer.codes_to_ids(self.quantizer(latent)[0])

    def forward(
        self,
        video: Tensor,
        flow: Tensor | None = None,
        visibility: Tensor | None = None,
        pictures: Tensor | None = None,
        **decoded: Any,
    ) -> dict[str, Tensor]:
        """What training losses need.

        Of a video with its flow: `code_motion`. Of pictures `[B, 3, 1, S, S]`: their depth, or with what `decode_ids` takes (ids,
        cameras, mirrored_ids) the frames after them.
        """
        if flow is not None and visibility is not None and pictures is not None:
            return self.code_motion(video, flow, visibility, pictures)
        if decoded:
            frames = self.decode_ids(reference=video[:, :, 0], **decoded)[0][:, :, 1:]
            return {"reconstruction": frames.transpose(1, 2)}
        assert self.depth is not None
        return {"log_inverse_depth": self.depth(video[:, :, 0])}

    def code_motion(self, video: Tensor, flow: Tensor, visibility: Tensor, pictures: Tensor) -> dict[str, Tensor]:
        """Everything that a training loss needs, with straight-through gradients.

        Args:
            video: `[B, 3, T, S, S]`.
            flow: `[B, T-1, 2, S, S]`, backward to frame 0.
            visibility: `[B, T-1, 1, S, S]`.
            pictures: `[P, 3, S, S]`, for the picture autoencoder; any frames.
        """
        frames = video[:, :, 1:].transpose(1, 2)
        codes, motion_loss = self.quantizer(self.encoder(frames, flow, visibility))
        parts = self.decoder(codes, video[:, :, 0])
        moved = warp(video[:, :, 0], parts.flow)
        weight = parts.weight_logit.sigmoid()
        picture_codes, picture_loss = self.quantizer(self.picture.encode(pictures))
        decoded_pictures, log_inverse_depth = self.picture.decode(picture_codes)
        return {
            "reconstruction": weight * moved + (1 - weight) * parts.content,
            "moved": moved,
            "flow": parts.flow,
            "weight_logit": parts.weight_logit,
            "pictures": decoded_pictures,
            "log_inverse_depth": log_inverse_depth,
            "auxiliary_loss": motion_loss + picture_loss,
        }

    def decode_ids(
        self,
        ids: Tensor,
        reference: Tensor | None = None,
        cameras: tuple[Tensor, Tensor] | None = None,
        mirrored_ids: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """ids `[B, t, h, w]`, reference `[B, 3, H, W]` of any size -> video `[B, 3, T, H, W]` in [-1, 1], flow, weight.

        ids `[B, K, t, h, w]` of K videos with one first frame: the video of the mean of their codes. With cameras (poses
        `[B, T, 4, 4]` and intrinsics `[B, T, 4]`) it shows a scene at rest. Mirrored ids, as ids, are of the same video mirrored.
        """
        codes = self._codes(ids)
        mirrored = None if mirrored_ids is None else self._codes(mirrored_ids)
        if reference is None:
            reference = self.picture.decode(codes[:, 0])[0]
        reference = reference.float().clamp(-1, 1)
        if codes.shape[1] == 1:
            empty = reference.new_zeros(len(ids), 0, 2, *reference.shape[-2:])
            return reference[:, :, None], empty, empty[:, :, :1]
        size = reference.shape[-2:]
        small = F.interpolate(reference, (self.image_size,) * 2, mode="bilinear", antialias=True, align_corners=False)
        scene = None if cameras is None else RigidScene.of(*cameras, self.inverse_depth(small, codes, mirrored))
        parts = self.decoder(codes[:, 1:], small, scene, None if mirrored is None else mirrored[:, 1:])
        weight = resize_frames(parts.weight_logit.sigmoid(), *size)
        if scene is None or parts.inverse_depth is None:
            flow = resize_frames(parts.flow, *size)
        else:
            flow = rigid_flow(parts.inverse_depth, scene, *size)
        painted = parts.painted
        content = (
            resize_frames(parts.content, *size) if painted is None else read_canvas(reference, painted, flow, small)
        )
        frames = weight * warp(reference, flow, mode="bicubic") + (1 - weight) * content
        video = torch.cat([reference[:, None], frames], dim=1).clamp(-1, 1)
        return video.transpose(1, 2), flow, weight

    def _codes(self, ids: Tensor) -> Tensor:
        codes = self.quantizer.ids_to_codes(ids)
        return codes.mean(1) if ids.ndim == 5 else codes

    def inverse_depth(self, picture: Tensor, codes: Tensor, mirrored: Tensor | None = None) -> Tensor:
        """A picture `[B, 3, S, S]` and codes `[B, t, h, w, D]` of a video of it -> inverse depth, median about 1, `[B, 1, g, g]`.

        Of the picture itself where there is a network for it, else of its codes; with the mirrored video's the mean of both.
        """
        log = self._log_inverse_depth(picture, codes)
        if mirrored is not None:
            log = (log + self._log_inverse_depth(picture.flip(-1), mirrored).flip(-1)) / 2
        return log.exp()

    def _log_inverse_depth(self, picture: Tensor, codes: Tensor) -> Tensor:
        return self.picture.decode(codes[:, 0])[1] if self.depth is None else self.depth(picture)
