"""`CamViGForConditionalGeneration`: image ids and camera ids -> video ids, a decoder-only prefix language model.

The sequence (CamViG section 3, VideoPoet), always of the same length:

    <camera> camera ids </camera> <image> image ids </image> <video> | video ids

Everything up to and including <video> is the prefix, and sees itself in both directions; the video part is causal. The
position of <video> predicts video token 0, the position that holds video token k predicts token k + 1, and the last
video token is never an input. The loss is on video tokens alone. A missing camera is its own embedding at every camera
position, so that clips with and without a path share a batch. The decoder is any of transformers' (`text_config`),
without its vocabulary.

Camera ids of kind "dct" end in padding, which no token sees: a sample gives the same whatever it is batched with
(`prefix_mask`). A missing camera of this kind is one embedding, the rest padding.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, GenerationConfig, GenerationMixin, PreTrainedModel
from transformers import initialization as init
from transformers.utils.generic import ModelOutput

from . import matmul_attention  # noqa: F401  (registers the attention "camvig_matmul")
from .configuration_camvig import CamViGConfig
from .cost import TransformerCost, transformer_cost
from .embeddings import CameraEmbedding, ChainedFactorHead, SpaceTimePositions, Table, VideoContext, VisualEmbedding
from .generation import FactorSampler, check_sampling, write_video
from .generation_defaults import GENERATION_DEFAULTS
from .matmul_attention import MATMUL_ATTENTION
from .motion_autoencoder import PictureAutoencoder
from .picture_features import PictureFeatures
from .prefix_mask import decoder_positions, prefix_lm_mask, without_common_padding
from .transformer_inputs import check_camera_ids, check_visual_ids

__all__ = ["MATMUL_ATTENTION", "CamViGForConditionalGeneration", "CamViGOutput"]

SAMPLING = ("guidance_scale", "temperature", "top_k", "top_p")
SPECIAL_TOKENS = ("<camera>", "</camera>", "<image>", "</image>", "<video>")


@dataclass
class CamViGOutput(ModelOutput):
    """What a teacher-forced pass gives.

    Args:
        loss: scalar, nats a video token (summed over factors, averaged over tokens and batch).
        per_token_loss: `[B, (t-1)*h*w]`, the same before averaging.
        per_factor_loss: `[B, (t-1)*h*w, F]`, before the sum over factors too, least significant first.
        logits: float32 `[B, (t-1)*h*w, factors[k]]`, one a factor, factor k given the true factors before it.
        padding_share: scalar, share of padding among the tokens that went through the decoder; None for kinds without any.
    """

    loss: Tensor | None = None
    per_token_loss: Tensor | None = None
    per_factor_loss: Tensor | None = None
    logits: tuple[Tensor, ...] | None = None
    padding_share: Tensor | None = None


class CamViGForConditionalGeneration(PreTrainedModel, GenerationMixin):
    """The multimodal transformer of CamViG (section 3). `forward` trains it, `generate_video` samples from it.

    `generation_config` (`generation_config.json`) says how: `GENERATION_DEFAULTS`, unless the checkpoint says otherwise.
    `cost()` tells what it costs, as it stands: parameters, FLOPs and bytes a sample (`cost.TransformerCost`).
    """

    config: Any  # a `CamViGConfig`, whose text_config is any of transformers'
    config_class = CamViGConfig
    base_model_prefix = "camvig"
    main_input_name = "image_ids"
    supports_gradient_checkpointing = True
    _supports_sdpa = True

    def __init__(self, config: CamViGConfig):
        layer_types = set(getattr(config.text_config, "layer_types", None) or ["full_attention"])
        if layer_types != {"full_attention"}:
            raise ValueError(f"expected a text_config with full attention in every layer, got {sorted(layer_types)}")
        config = copy.deepcopy(config)  # two models that shared one text_config would reset each other's attention
        text_config: Any = config.get_text_config()
        text_config.vocab_size, text_config.pad_token_id = 1, None
        super().__init__(config)
        self.generation_config = GenerationConfig(**GENERATION_DEFAULTS)
        self.decoder = AutoModel.from_config(text_config)
        self.decoder.set_input_embeddings(None)  # type: ignore[arg-type]  # an unused parameter would stop DDP
        self.special_tokens = Table(len(SPECIAL_TOKENS), text_config.hidden_size, 0.1)
        self.image_embedding = VisualEmbedding(config)
        self.picture_features = self._build_picture_features(config)
        self.video_embedding = VisualEmbedding(config)
        self.camera_embedding = CameraEmbedding(config)
        self.positions = SpaceTimePositions(config)
        self.video_context = VideoContext(config)
        self.head = ChainedFactorHead(config)
        self.post_init()

    @staticmethod
    def _build_picture_features(config: CamViGConfig) -> PictureFeatures | None:
        if not config.picture_feature_size:
            return None
        return PictureFeatures(
            config.visual_levels,
            config.latent_size,
            config.picture_feature_size,
            config.picture_feature_blocks,
            config.get_text_config().hidden_size,
        )

    def adjust_generation_fn(self, *args: Any, **kwargs: Any):
        """transformers' own reading of `generation_config.json`; what the file leaves open has our defaults, not transformers'."""
        super().adjust_generation_fn(*args, **kwargs)  # type: ignore[misc]  # of a mixin that asks for more than it uses
        if self.generation_config._from_model_config:  # there is no such file
            self.generation_config = GenerationConfig(**GENERATION_DEFAULTS)
        for name, value in GENERATION_DEFAULTS.items():
            if getattr(self.generation_config, name, None) is None:
                setattr(self.generation_config, name, value)

    @property
    def prefix_length(self) -> int:
        return len(SPECIAL_TOKENS) + self.config.num_camera_tokens + self.config.tokens_per_latent_frame

    @property
    def attention(self) -> str:
        """The name of the decoder's attention: "sdpa", "eager", `MATMUL_ATTENTION`, or another of transformers'."""
        return self.decoder.config._attn_implementation

    def cost(self) -> TransformerCost:
        """Parameters, FLOPs and bytes of one sample: see `cost.transformer_cost`."""
        return transformer_cost(self)

    def get_input_embeddings(self) -> nn.Module:
        """The table of special tokens: the one embedding that every sequence passes through.

        It is used by calling it, never by its weight: Accelerate's FSDP2 shards it on its own.
        """
        return self.special_tokens

    def _init_weights(self, module: nn.Module):
        """Our own modules; the decoder initialises itself. Linear maps keep the variance of torch's default."""
        if isinstance(module, Table):
            init.normal_(module.weight, std=module.initial_std)
        elif isinstance(module, nn.Linear):
            init.normal_(module.weight, std=(3 * module.in_features) ** -0.5)
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, CameraEmbedding) and module.from_features is not None:
            init.zeros_(module.features)

    @torch.no_grad()
    def set_camera_features(self, vectors: Tensor):
        """Give the transformer the camera tokenizer's vectors of its ids (`code_vectors`); they are saved with the weights.

        Args:
            vectors: `[L * K, camera_feature_size]` or `[L, K, camera_feature_size]`, in camera id order. They
                are all divided by one number, their root mean square, which keeps the levels' relative sizes.
        """
        if self.camera_embedding.from_features is None:
            raise ValueError(
                "expected a configuration with camera_feature_size > 0, got 0: there is no room for features"
            )
        features = self.camera_embedding.features
        if vectors.shape[-1] != features.shape[-1] or vectors.numel() != features.numel():
            raise ValueError(f"expected code vectors {list(features.shape)}, got {list(vectors.shape)}")
        root_mean_square = vectors.float().square().mean().sqrt()
        if not torch.isfinite(root_mean_square) or root_mean_square == 0:
            raise ValueError(f"expected finite code vectors that are not all zero, got RMS {float(root_mean_square)}")
        features.copy_(vectors.reshape(features.shape) / root_mean_square)

    def set_picture_features(self, picture: PictureAutoencoder):
        """Give the transformer what the motion tokenizer's picture decoder makes of an image's ids; saved with the weights.

        Raises ValueError unless the configuration has room for features of this size.
        """
        mine = self.picture_features
        try:
            if mine is None:
                raise RuntimeError("picture_feature_size 0")
            mine.from_code.load_state_dict(picture.from_code.state_dict())
            mine.coarse_decoder.load_state_dict(picture.coarse_decoder.state_dict())
        except RuntimeError as error:
            raise ValueError(
                f"expected picture_feature_size {picture.from_code.out_channels} and picture_feature_blocks "
                f"{len(picture.coarse_decoder)}, got others: {' '.join(str(error).split())}"
            ) from None

    def forward(
        self,
        image_ids: Tensor,
        video_ids: Tensor,
        camera_ids: Tensor | None = None,
        camera_is_missing: Tensor | None = None,
        return_logits: bool = True,
    ) -> CamViGOutput:
        """One teacher-forced pass.

        Args:
            image_ids: `[B, h*w]` or `[B, h, w]` int64, ids of latent frame 0.
            video_ids: `[B, (t-1)*h*w]` or `[B, t-1, h, w]` int64, ids of the latent frames after it, raster order.
            camera_ids: `[B, L*n]` int64, level-major; None = missing for all.
            camera_is_missing: bool `[B]`; rows that are True ignore their camera ids.
            return_logits: False spares the memory of the logits (with 2^18 of them a token that is most of all memory).
        """
        image_ids = check_visual_ids("image_ids", image_ids, self.config.tokens_per_latent_frame, self.config)
        video_ids = check_visual_ids("video_ids", video_ids, self.config.num_video_tokens, self.config)
        if len(image_ids) != len(video_ids):
            raise ValueError(f"expected as many videos as images ({len(image_ids)}), got {len(video_ids)}")
        camera_ids, camera_is_missing = check_camera_ids(camera_ids, camera_is_missing, image_ids, self.config)
        camera_ids, lengths = without_common_padding(camera_ids, camera_is_missing, self.config)
        prefix, context = self.embed_prefix(image_ids, camera_ids, camera_is_missing)
        video = self.video_embedding(video_ids)
        if self.video_context.from_previous is not None:
            later = self.video_context.from_previous(video[:, : -image_ids.shape[1]])
            context = context + nn.functional.pad(later, (0, 0, image_ids.shape[1], 0))
        first, rest = prefix[:, -1:] + context[:, :1], video[:, :-1] + context[:, 1:]
        inputs = torch.cat([prefix[:, :-1], first, rest], dim=1)
        output = self.decoder(
            inputs_embeds=inputs,
            attention_mask=prefix_lm_mask(inputs, prefix.shape[1], lengths, self.attention),
            position_ids=decoder_positions(camera_ids.shape[1], 0, inputs, self.config),
            use_cache=False,
        )
        hidden = output.last_hidden_state[:, prefix.shape[1] - 1 :]  # [B, (t-1)*h*w, D]
        if return_logits:
            logits = self.head(hidden, video_ids)
            per_factor_loss = self.head.loss_of_logits(logits, video_ids)
        else:
            logits, per_factor_loss = None, self.head.loss(hidden, video_ids)
        per_token_loss = per_factor_loss.sum(-1)
        return CamViGOutput(
            loss=per_token_loss.mean(),
            per_token_loss=per_token_loss,
            per_factor_loss=per_factor_loss,
            logits=logits,
            padding_share=None if lengths is None else (camera_ids.shape[1] - lengths).float().mean() / inputs.shape[1],
        )

    def embed_prefix(self, image_ids: Tensor, camera_ids: Tensor, camera_is_missing: Tensor) -> tuple[Tensor, Tensor]:
        """Checked ids -> (prefix `[B, P, D]`, context `[B, (t-1)*h*w, D]`).

        The context is what is added where each video token is predicted: its place, and what the image and the camera
        say about it. The prefix ends in the bare <video>; its context is context[:, 0].
        """
        image, camera = self.image_embedding(image_ids), self.camera_embedding(camera_ids, camera_is_missing)
        if self.picture_features is not None:
            image = image + self.picture_features(image_ids)
        tokens = torch.arange(len(SPECIAL_TOKENS), device=image_ids.device)
        special = self.special_tokens(tokens)[:, None, None].expand(-1, len(image_ids), 1, -1)
        prefix = torch.cat(
            [
                special[0],
                camera + self.positions.camera()[: camera.shape[1]],
                special[1],
                special[2],
                image + self.positions.image(),
                special[3],
                special[4],
            ],
            dim=1,
        )
        context = (self.positions.video() + self.video_context.static(image, camera)).expand(len(image_ids), -1, -1)
        return prefix, context

    def generate(self, image_ids: Tensor, camera_ids: Tensor | None = None, **given: Any) -> Tensor:  # type: ignore[override]
        """`generate_video`, with the settings of `generation_config` where none are given. transformers' own loop writes text."""
        stored = {name: getattr(self.generation_config, name) for name in SAMPLING}
        return self.generate_video(image_ids, camera_ids, **{**stored, **given})

    @torch.no_grad()
    def generate_video(
        self,
        image_ids: Tensor,
        camera_ids: Tensor | None = None,
        camera_is_missing: Tensor | None = None,
        generator: torch.Generator | list[torch.Generator] | None = None,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        guidance_scale: float = 1.0,
        callback: Callable[[int, int], None] | None = None,
    ) -> Tensor:
        """Write the video that starts with an image and follows a camera path.

        Args:
            image_ids: `[B, h, w]` or `[B, h*w]` int64.
            camera_ids: `[B, L*n]` int64, level-major; None = no camera for any sample.
            camera_is_missing: bool `[B]`; rows that are True ignore their camera ids.
            generator: one for the batch, or a list with one a sample (then a batch gives what its single runs give).
            temperature: 0 = the most probable choice of each factor.
            top_k: choices kept of each factor, 0 = all.
            top_p: probability kept of each factor, in (0, 1].
            guidance_scale: missing + scale * (given - missing), on the logits of each factor; 1 = no guidance, 0 = no
                camera. Any other value runs each sample twice (our choice; the paper does not tell of guidance).
            callback: called with (tokens written, tokens in all) after each token.

        Returns:
            ids `[B, t, h, w]` int64; latent frame 0 is the image's own.
        """
        image_ids = check_visual_ids("image_ids", image_ids, self.config.tokens_per_latent_frame, self.config)
        camera_ids, camera_is_missing = check_camera_ids(camera_ids, camera_is_missing, image_ids, self.config)
        check_sampling(generator, temperature, top_k, top_p, guidance_scale, len(image_ids))
        if guidance_scale == 0:
            camera_is_missing = torch.ones_like(camera_is_missing)
        guided = guidance_scale != 1 and not bool(camera_is_missing.all())
        sampler = FactorSampler(generator, temperature, top_k, top_p, guidance_scale if guided else None)
        prefix_ids = image_ids
        if guided:
            prefix_ids, camera_ids = image_ids.repeat(2, 1), camera_ids.repeat(2, 1)
            camera_is_missing = torch.cat([camera_is_missing, torch.ones_like(camera_is_missing)])
        video_ids = write_video(self, prefix_ids, camera_ids, camera_is_missing, sampler, callback)[: len(image_ids)]
        size = self.config.latent_size
        return torch.cat([image_ids, video_ids], dim=1).view(len(image_ids), -1, size, size)


AutoConfig.register(CamViGConfig.model_type, CamViGConfig, exist_ok=True)
AutoModel.register(CamViGConfig, CamViGForConditionalGeneration, exist_ok=True)
