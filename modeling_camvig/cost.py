"""What the transformer costs: parameters, floating-point operations and bytes, by a formula over its own layers.

What holds: only matrix products count, a multiply-add as 2 FLOPs; what a step does besides (norms, softmax, look-ups, the
optimizer) and what it does twice (activation checkpointing, the loss in chunks) does not, so that the figures are the
model's and not the machine's. With N tokens in a sequence of which P are the prefix, one sample costs

    forward   = sum over linear maps of 2 * in * out * (tokens that pass through)  +  layers * 4 * heads * head_dim * pairs
    backward  = for each product, once more for each of its two factors that has a gradient

`pairs` of query and key are those that are computed: all N * N for "sdpa" and "eager", whose mask only hides, and
P * P + (N - P) * N for "camvig_matmul". Tests hold both formulas equal to torch's own count, to the last FLOP. Camera tokens of
kind "dct" are counted as if the longest path were in the batch: no padding is cut off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from torch import nn

from .configuration_camvig import CamViGConfig
from .matmul_attention import MATMUL_ATTENTION

if TYPE_CHECKING:
    from .modeling_camvig import CamViGForConditionalGeneration

CONSTANT_INPUTS = (
    "image_embedding.from_digits",
    "video_embedding.from_digits",
    "camera_embedding.from_features",
    "picture_features.to_hidden",
)
"""Linear maps of what is not learned: no gradient goes into their inputs."""


@dataclass(frozen=True)
class TransformerCost:
    """What one sample costs. FLOPs are of matrix products, bytes of the precision that the weights are held in.

    Args:
        parameters: all of them, adapters included.
        trainable_parameters: those with a gradient.
        sequence_tokens: N, tokens that pass through the decoder in training.
        forward_flops: of one teacher-forced pass of one sample.
        training_flops: of forward and backward of one sample; frozen weights (LoRA) cost no gradient of their own.
        generation_flops: of writing one video with the cache and without guidance, which doubles it.
        parameter_bytes: the weights.
        training_state_bytes: weights, and for trainable ones a gradient and AdamW's two moments (Muon keeps one). Activations
            come on top.
        cache_bytes: keys and values of one whole video.
        read_bytes_per_token: read to write one token at the end of a video: decoder, heads and cache.
    """

    parameters: int
    trainable_parameters: int
    sequence_tokens: int
    forward_flops: int
    training_flops: int
    generation_flops: int
    parameter_bytes: int
    training_state_bytes: int
    cache_bytes: int
    read_bytes_per_token: int


def transformer_cost(model: CamViGForConditionalGeneration) -> TransformerCost:
    """The cost of a model as it stands: its attention, precision, frozen weights and adapters (peft's LoRA) are seen.

    A gradient of the input is counted for every product, also where nothing before the first layer is trained.

    Raises ValueError for a decoder with large weights outside linear maps (experts, for example).
    """
    _check_decoder(model)
    length, prefix = _sequence_tokens(model), model.prefix_length
    pairs = prefix**2 + (length - prefix) * length if _skips_hidden_pairs(model) else length**2
    pairs_written = prefix**2 + sum(range(prefix + 1, length + 1))
    linear_forward, linear_training, linear_written = _linear_flops(model)
    align, frozen = _alignment_flops(cast(CamViGConfig, model.config)), _picture_flops(model)
    weights = [(parameter, parameter.numel() * parameter.element_size()) for parameter in model.parameters()]
    trainable = [size for parameter, size in weights if parameter.requires_grad]
    cache_bytes = _cache_bytes(model, length)
    return TransformerCost(
        parameters=sum(parameter.numel() for parameter, _ in weights),
        trainable_parameters=sum(parameter.numel() for parameter, _ in weights if parameter.requires_grad),
        sequence_tokens=length,
        forward_flops=linear_forward + frozen + align + _attention_flops(model, pairs),
        training_flops=linear_training + frozen + 2 * align + 3 * _attention_flops(model, pairs),
        generation_flops=linear_written + frozen + align + _attention_flops(model, pairs_written),
        parameter_bytes=sum(size for _, size in weights),
        training_state_bytes=sum(size for _, size in weights) + 3 * sum(trainable),
        cache_bytes=cache_bytes,
        read_bytes_per_token=cache_bytes + _module_bytes(model.decoder) + _module_bytes(model.head),
    )


def _sequence_tokens(model: CamViGForConditionalGeneration) -> int:
    """The last video token is never an input."""
    return model.prefix_length + model.config.num_video_tokens - 1


def _skips_hidden_pairs(model: CamViGForConditionalGeneration) -> bool:
    return model.attention == MATMUL_ATTENTION


def _tokens_of_part(model: CamViGForConditionalGeneration) -> dict[str, int]:
    """Beginning of a module's name -> tokens of a sample that pass through it in training."""
    config = model.config
    return {
        "decoder.": _sequence_tokens(model),
        "image_embedding.": config.tokens_per_latent_frame,
        "video_embedding.": config.num_video_tokens,
        "picture_features.": config.tokens_per_latent_frame,
        "camera_embedding.": config.num_camera_tokens,
        "video_context.from_previous": config.num_video_tokens - config.tokens_per_latent_frame,
        "video_context.from_image": config.tokens_per_latent_frame,
        "video_context.from_camera": config.latent_frames - 1,
        "head.": config.num_video_tokens,
    }


def _linear_flops(model: CamViGForConditionalGeneration) -> tuple[int, int, int]:
    """FLOPs of all linear maps for one sample: forward, forward and backward, writing a video."""
    tokens_of_part = _tokens_of_part(model)
    forward = training = written = 0
    for name, module in model.named_modules():
        if not isinstance(module, nn.Linear):
            continue
        (tokens,) = (tokens for part, tokens in tokens_of_part.items() if name.startswith(part))
        flops = 2 * module.in_features * module.out_features * tokens
        has_input_gradient = "lora_B" in name or not name.startswith(CONSTANT_INPUTS)
        forward += flops
        training += flops * (1 + has_input_gradient + module.weight.requires_grad)
        last_is_not_read = name.startswith("video_embedding.")  # the last token that is written
        written += flops // tokens * (tokens - 1) if last_is_not_read else flops
    return forward, training, written


def _attention_flops(model: CamViGForConditionalGeneration, pairs: int) -> int:
    """Scores and weighted values of all layers: two multiply-adds a pair and channel."""
    text_config = model.decoder.config
    return text_config.num_hidden_layers * 4 * text_config.num_attention_heads * _head_dim(text_config) * pairs


def _alignment_flops(config: CamViGConfig) -> int:
    """`VideoContext` averages camera tokens by a matrix that is not learned."""
    hidden_size = config.get_text_config().hidden_size
    return 2 * (config.latent_frames - 1) * config.camera_frames * hidden_size if config.align_camera else 0


def _picture_flops(model: CamViGForConditionalGeneration) -> int:
    """The frozen convolutions of `PictureFeatures`, of which there is no backward pass."""
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    return 2 * sum(module.weight.numel() for module in convolutions) * model.config.tokens_per_latent_frame


def _head_dim(text_config) -> int:
    return getattr(text_config, "head_dim", None) or text_config.hidden_size // text_config.num_attention_heads


def _cache_bytes(model: CamViGForConditionalGeneration, length: int) -> int:
    text_config = model.decoder.config
    heads = getattr(text_config, "num_key_value_heads", None) or text_config.num_attention_heads
    return 2 * text_config.num_hidden_layers * length * heads * _head_dim(text_config) * model.dtype.itemsize


def _module_bytes(module: nn.Module) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())


def _check_decoder(model: CamViGForConditionalGeneration):
    counted = {
        id(parameter)
        for module in model.decoder.modules()
        if isinstance(module, nn.Linear)
        for parameter in module.parameters()
    }
    others = [name for name, parameter in model.decoder.named_parameters() if parameter.ndim > 1]
    missed = [name for name in others if id(model.decoder.get_parameter(name)) not in counted]
    if missed:
        raise ValueError(f"expected a decoder whose matrices are linear maps, got {', '.join(missed[:3])}")
