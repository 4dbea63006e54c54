"""A start for training a camera codec: encoder and decoder that pass the signal on, instead of random ones.

A camera's numbers must come back to a part in a thousand, and from random weights that takes a DAC very long. So (our
choice) one channel carries the samples at first: residual units add nothing, activations are nearly linear, a strided
convolution either sorts the samples of a step into as many channels or, where the quantizers would not keep them, averages
them; the decoder does the reverse. Other channels keep their random weights, but for the latent's, and everything is trained.
"""

from __future__ import annotations

import math
from typing import Any, cast

from torch import Tensor
from transformers import DacModel

from .configuration_camera_tokenizer import CamViGCameraTokenizerConfig

SNAKE_ALPHA = 1e-5
"""Of snake(x) = x + sin(alpha x)^2 / alpha: about x + alpha x^2, nearly linear."""


def pass_signal_on(codec: DacModel, config: CamViGCameraTokenizerConfig) -> None:
    """Overwrites weights of the codec, in place."""
    encoder, decoder = cast(Any, codec.encoder), cast(Any, codec.decoder)
    _make_plain(encoder)
    _make_plain(decoder)
    sorts, carried = _which_strides_sort(config), 1
    _carry(encoder.conv1.weight, 1, config.headroom)
    for block, stride, sort in zip(encoder.block, config.dac_config.downsampling_ratios, sorts, strict=True):
        _stride(block.conv1.weight, carried, stride, sort, average=True)
        carried *= stride if sort else 1
    encoder.conv2.weight.zero_()  # nothing else in the latent: the quantizers would spend codes on it
    _carry(encoder.conv2.weight, carried, 1.0)
    _carry(decoder.conv1.weight, carried, 1.0)
    for block, stride, sort in zip(decoder.block, config.dac_config.upsampling_ratios, sorts[::-1], strict=True):
        carried //= stride if sort else 1
        _stride(block.conv_t1.weight, carried, stride, sort, average=False)
    decoder.conv2.weight.zero_()
    _carry(decoder.conv2.weight, 1, 1 / config.headroom)


def _make_plain(part) -> None:
    """No biases, nearly linear activations, and residual units that add nothing."""
    for name, parameter in part.named_parameters():
        if name.endswith("alpha"):
            parameter.fill_(SNAKE_ALPHA)
        elif name.endswith("bias") or (".res_unit" in name and name.endswith("conv2.weight")):
            parameter.zero_()


def _which_strides_sort(config: CamViGCameraTokenizerConfig) -> list[bool]:
    """From the last stride back, as many as a quantizer's projection has room for; the others average."""
    dac, carried, sorts = config.dac_config, 1, []
    for stride in reversed(dac.downsampling_ratios):
        sorts.append(carried * stride < dac.codebook_dim)
        carried *= stride if sorts[-1] else 1
    return sorts[::-1]


def _carry(weight: Tensor, carried: int, gain: float) -> None:
    """Kernel `[out, in, width]`: output channels 0..carried - 1 become input channels 0..carried - 1, times `gain`."""
    weight[:carried] = 0
    for channel in range(carried):
        weight[channel, channel, weight.shape[2] // 2] = gain


def _stride(weight: Tensor, channels: int, stride: int, sort: bool, average: bool) -> None:
    """Kernel between `channels` fine channels (its second dimension) and the coarse ones (its first), in place.

    Sorting: coarse channel c * stride + j is sample j of fine channel c. Else: coarse channel c is their mean (encoder,
    `average`), or each of them (decoder).
    """
    first = math.ceil(stride / 2)  # tap of a step's first sample
    coarse = channels * stride if sort else channels
    if average:
        weight[:coarse] = 0
    else:
        weight[:, :channels] = 0
    for channel in range(channels):
        for sample in range(stride):
            row = channel * stride + sample if sort else channel
            weight[row, channel, first + sample] = 1 / stride if average and not sort else 1
