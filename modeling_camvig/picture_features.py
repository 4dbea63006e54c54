"""What a motion tokenizer's picture decoder reads out of an image's ids: features from which it tells depth.

Always true: they are a function of the image's ids alone, with the tokenizer's own weights, which are copied once
(`CamViGForConditionalGeneration.set_picture_features`), never trained, and saved with the transformer.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .motion_layers import ResidualBlock
from .quantizers import CodeBook


def hold_as_buffers(module: nn.Module):
    """Its own parameters become buffers of the same names, which no optimizer and no adapter ever sees."""
    for name, weight in list(module.named_parameters(recurse=False)):
        delattr(module, name)
        module.register_buffer(name, weight.detach())


class PictureFeatures(nn.Module):
    """Image ids -> features -> what is added to the image's embedding (our choice: the paper's transformer has the ids alone).

    Args:
        levels: of each digit of a visual id.
        latent_size: tokens along each side of the image.
        size, blocks: channels and residual blocks of the tokenizer's coarse decoder.
        hidden_size: of the transformer.
    """

    def __init__(self, levels: list[int] | tuple[int, ...], latent_size: int, size: int, blocks: int, hidden_size: int):
        super().__init__()
        self.latent_size, self.size = latent_size, size
        self.codebook = CodeBook(levels)
        self.from_code = nn.Conv2d(len(levels), size, 3, padding=1)
        self.coarse_decoder = nn.Sequential(*(ResidualBlock(size) for _ in range(blocks)))
        self.to_hidden = nn.Linear(size, hidden_size, bias=False)
        for part in (*self.from_code.modules(), *self.coarse_decoder.modules()):
            hold_as_buffers(part)

    @torch.no_grad()
    def features(self, image_ids: Tensor) -> Tensor:
        """`[B, h*w]` -> `[B, h*w, size]`, each token's with mean 0 and variance 1."""
        codes = self.codebook.ids_to_codes(image_ids).unflatten(1, (self.latent_size, -1)).permute(0, 3, 1, 2)
        features = self.coarse_decoder(self.from_code(codes.to(self.from_code.weight.dtype)))
        return F.layer_norm(features.flatten(2).transpose(1, 2).float(), (self.size,))

    def forward(self, image_ids: Tensor) -> Tensor:
        """`[B, h*w]` -> `[B, h*w, D]`."""
        return self.to_hidden(self.features(image_ids).to(self.to_hidden.weight.dtype))
