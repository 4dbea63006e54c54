"""The canvas behind the picture: what is splatted comes back where the same flow reads it, causally, and nothing else moves."""

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError

from camvig.modeling_camvig.configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from camvig.modeling_camvig.hidden_canvas import (
    HiddenCanvas,
    beyond_the_edges,
    mirrored_beyond,
    read_canvas,
    read_painted,
    splat,
)
from camvig.modeling_camvig.motion_layers import warp
from camvig.modeling_camvig.visual_tokenizer import CamViGVisualTokenizer


def constant_flow(frames: int, size: int, x: float, y: float) -> torch.Tensor:
    return torch.tensor([x, y]).view(1, 1, 2, 1, 1).expand(1, frames, 2, size, size)


def slow_splat(values: torch.Tensor, flow: torch.Tensor, latents: int) -> torch.Tensor:
    """Pixel by pixel, as the docstring of `splat` says it."""
    batch, frames, channels, size, _ = values.shape
    canvas = torch.zeros(batch, latents, channels, 2 * size, 2 * size)
    for b in range(batch):
        for n in range(frames):
            for j in range(size):
                for i in range(size):
                    x = (float(flow[b, n, 0, j, i]) + 0.5) * size + i
                    y = (float(flow[b, n, 1, j, i]) + 0.5) * size + j
                    for row in range(2 * size):
                        for column in range(2 * size):
                            share = max(0.0, 1 - abs(x - column)) * max(0.0, 1 - abs(y - row))
                            canvas[b, n * latents // frames, :, row, column] += share * values[b, n, :, j, i]
    return canvas


def test_splat_is_its_slow_reference():
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(2, 4, 3, 4, 4, generator=generator)
    flow = torch.rand(2, 4, 2, 4, 4, generator=generator) * 2 - 1
    assert torch.allclose(splat(values, flow, 2), slow_splat(values, flow, 2), atol=1e-5)


def test_what_falls_on_the_canvas_keeps_its_sum_and_what_falls_beside_is_lost():
    values = torch.rand(1, 2, 1, 8, 8)
    assert splat(values, constant_flow(2, 8, 0.3, -0.2), 1).sum() == pytest.approx(float(values.sum()), rel=1e-5)
    assert splat(values, constant_flow(2, 8, 1.6, 0.0), 1).sum() == 0


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.25, -0.125), (-0.5, 0.5)])
def test_a_canvas_is_read_where_it_was_painted(shift):
    values = torch.rand(1, 1, 3, 16, 16)
    flow = constant_flow(1, 16, *shift)
    assert torch.allclose(read_painted(splat(values, flow, 1), flow), values, atol=1e-5)


@pytest.mark.parametrize("shift", [(0.25, 0.0), (-0.4375, 0.3125)])
def test_the_mirrored_picture_is_the_same_on_the_canvas_and_where_it_is_read(shift):
    picture, flow = torch.rand(1, 3, 16, 16), constant_flow(1, 16, *shift)
    on_canvas = read_painted(mirrored_beyond(picture)[:, None], flow)
    assert torch.allclose(read_canvas(picture, torch.zeros(1, 1, 3, 32, 32), flow), on_canvas, atol=1e-5)


def test_a_new_canvas_shows_the_mirrored_picture():
    picture, frames, canvas = torch.rand(1, 3, 16, 16), 4, HiddenCanvas(channels=5)
    torch.nn.init.zeros_(canvas.to_pixels.bias)
    flow = constant_flow(frames, 8, 0.25, 0.0)
    painted = canvas(torch.rand(1, frames, 5, 8, 8), torch.rand(1, frames, 1, 8, 8), flow, picture, latents=1)
    seen = read_canvas(picture, painted, constant_flow(frames, 16, 0.25, 0.0))
    assert torch.allclose(seen[0, 0, :, :, :12], picture[0, :, :, 4:], atol=1e-5)
    assert torch.allclose(seen[0, 0, :, :, 12:], picture[0, :, :, 12:].flip(-1), atol=1e-5)


def test_distance_beyond_the_edges():
    assert beyond_the_edges(constant_flow(1, 8, 0.0, 0.0)).max() == 0
    outside = beyond_the_edges(constant_flow(1, 8, 0.25, -0.5))
    assert outside[0, 0, 0, 7, 7] == pytest.approx(0.1875)  # x: 7.5 / 8 + 0.25 - 1; y stays inside
    assert outside[0, 0, 0, 0, 0] == pytest.approx(0.4375)


def tiny_tokenizer() -> CamViGVisualTokenizer:
    torch.manual_seed(0)
    config = CamViGVisualTokenizerConfig(
        kind="motion", quantizer="fsq", num_frames=17, image_size=32, hidden_sizes=[16, 32], blocks_per_level=1, has_canvas=True
    )  # fmt: skip
    model = CamViGVisualTokenizer(config).eval()
    torch.nn.init.normal_(model.autoencoder.decoder.canvas.to_pixels.weight, std=0.1)
    return model


@pytest.mark.parametrize("changes", [{"kind": "plain"}, {"kind": "motion", "spatial_downsample": 16}])
def test_a_canvas_where_there_can_be_none_is_refused(changes):
    with pytest.raises(StrictDataclassClassValidationError, match="spatial_downsample 8 with has_canvas, got"):
        CamViGVisualTokenizerConfig(has_canvas=True, **changes)


def test_canvases_are_causal():
    model, reference = tiny_tokenizer(), torch.rand(1, 3, 32, 32) * 2 - 1
    ids = torch.randint(0, model.config.vocab_size, (1, 5, 4, 4))
    other = ids.clone()
    other[:, 3:] = torch.randint(0, model.config.vocab_size, (1, 2, 4, 4))
    one, two = (model.decode(each, reference).video for each in (ids, other))
    assert torch.equal(one[:, :, :9], two[:, :, :9])
    assert not torch.allclose(one[:, :, 9:], two[:, :, 9:])


def test_new_content_has_the_resolution_of_the_reference():
    """Unpainted canvases show the mirror image of the reference's own pixels, whatever its size."""
    model, reference = tiny_tokenizer(), torch.rand(1, 3, 96, 160) * 2 - 1
    for weight in (model.autoencoder.decoder.canvas.to_pixels.weight, model.autoencoder.decoder.canvas.to_pixels.bias):
        torch.nn.init.zeros_(weight)
    decoded = model.decode(torch.randint(0, model.config.vocab_size, (1, 5, 4, 4)), reference)
    mirrored = warp(reference, decoded.flow, padding_mode="reflection")
    border = warp(reference, decoded.flow, mode="bicubic")
    blended = decoded.reference_weight * border + (1 - decoded.reference_weight) * mirrored
    assert torch.allclose(decoded.video[:, :, 1:].transpose(1, 2), blended.clamp(-1, 1), atol=1e-5)


def test_training_reaches_the_canvas_and_its_features():
    model = tiny_tokenizer().train()
    for weight in model.parameters():  # what starts as zero would hide what lies before it
        if not weight.any():
            torch.nn.init.normal_(weight, std=0.1)
    video, flow = torch.rand(2, 3, 17, 32, 32), torch.rand(2, 16, 2, 32, 32) - 0.5
    output = model(video, flow=flow, visibility=torch.zeros(2, 16, 1, 32, 32), pictures=video[:, :, 0])
    (output["reconstruction"] - video[:, :, 1:].transpose(1, 2)).abs().mean().backward()
    for name, weight in model.autoencoder.decoder.named_parameters():
        if name.startswith(("canvas", "content", "blend")):
            assert weight.grad is not None and weight.grad.abs().sum() > 0, name


@pytest.mark.parametrize("painted, detail_left", [(0.0, 1.0), (1.0, 0.0)])
def test_detail_of_the_reference_is_mirrored_where_nothing_is_painted_over_it(painted, detail_left):
    reference, flow = torch.rand(1, 3, 64, 64), constant_flow(1, 64, 0.5, 0.0)
    small = torch.nn.functional.avg_pool2d(reference, 4)
    seen = read_canvas(reference, torch.full((1, 1, 3, 32, 32), painted), flow, small)
    coarse = torch.nn.functional.interpolate(small, scale_factor=4, mode="bilinear", align_corners=False)
    expected = coarse + detail_left * (reference - coarse)
    assert torch.allclose(seen, warp(expected, flow, padding_mode="reflection") + painted, atol=1e-5)
    assert not torch.allclose(reference, coarse, atol=0.1)
