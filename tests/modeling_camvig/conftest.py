"""Tiny real transformers with a seed: 3 latent frames of 2x2 tokens, 2 x 9 camera ids, two layers of width 32."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from transformers import AutoConfig

from camvig.modeling_camvig.configuration_camvig import CamViGConfig
from camvig.modeling_camvig.modeling_camvig import CamViGForConditionalGeneration

TEXT_CONFIGS = {
    "qwen3": {"num_key_value_heads": 1, "head_dim": 16},
    "llama": {"num_key_value_heads": 2},
}


@pytest.fixture(scope="session")
def build_transformer() -> Callable[..., CamViGForConditionalGeneration]:
    """`build_transformer(decoder="qwen3", **changes of the configuration)`, in eval mode."""

    def build(decoder: str = "qwen3", **changes) -> CamViGForConditionalGeneration:
        torch.manual_seed(0)
        text_config = AutoConfig.for_model(
            decoder,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=2,
            **TEXT_CONFIGS[decoder],
        )
        settings = {
            "visual_levels": [2] * 6,
            "visual_factors": [8, 8],
            "latent_frames": 3,
            "latent_size": 2,
            "camera_levels": 2,
            "camera_codebook_size": 5,
            "camera_frames": 9,
            "camera_feature_size": 3,
        }
        model = CamViGForConditionalGeneration(CamViGConfig(text_config=text_config, **{**settings, **changes}))
        if model.config.camera_feature_size:
            model.set_camera_features(torch.randn(10, 3))
        return model.eval()

    return build


@pytest.fixture(scope="session")
def draw_ids() -> Callable[..., dict[str, torch.Tensor]]:
    """`draw_ids(batch_size)`: random ids, the camera of every third sample missing."""

    def draw(batch_size: int = 3, seed: int = 0) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(seed)
        codes = torch.randint(5, (batch_size, 2, 9), generator=generator)
        return {
            "image_ids": torch.randint(64, (batch_size, 4), generator=generator),
            "video_ids": torch.randint(64, (batch_size, 8), generator=generator),
            "camera_ids": (codes + torch.tensor([[0], [5]])).flatten(1),
            "camera_is_missing": torch.arange(batch_size) % 3 == 1,
        }

    return draw
