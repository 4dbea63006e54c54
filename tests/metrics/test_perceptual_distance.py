"""The perceptual distance: a distance, differentiable, and nearer to what the eye says than pixels are."""

import sys
import types

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from camvig.metrics.perceptual_distance import PerceptualDistance, lpips_distance, perceptual_distance


def textured_picture(size: int = 96) -> Tensor:
    """Noise of all scales: `[1, 3, size, size]` in [-1, 1]."""
    generator = torch.Generator().manual_seed(0)
    octaves = [torch.rand(1, 3, size >> k, size >> k, generator=generator) - 0.5 for k in range(5)]
    scaled = [F.interpolate(octave, size=(size, size), mode="bilinear") for octave in octaves]
    picture = torch.stack(scaled).sum(0)
    return (picture / picture.abs().max()) * 0.8


def blurred(picture: Tensor, radius: int) -> Tensor:
    return F.avg_pool2d(picture, 2 * radius + 1, 1, radius, count_include_pad=False)


def test_it_is_a_distance():
    a, b = textured_picture(), blurred(textured_picture(), 2)
    assert perceptual_distance(a, a).item() == 0
    torch.testing.assert_close(perceptual_distance(a, b), perceptual_distance(b, a))
    together = perceptual_distance(torch.cat([a, b]), torch.cat([b, b]))
    assert together.shape == (2,) and together[1].item() == 0 and 0 < together[0].item() < 20


def test_more_of_a_distortion_is_further():
    picture = textured_picture()
    distances = [perceptual_distance(blurred(picture, radius), picture).item() for radius in (1, 2, 4, 8)]
    assert distances == sorted(distances)


def test_at_equal_error_a_blur_is_further_than_a_brighter_or_moved_picture():
    picture = textured_picture()
    blur = blurred(picture, 2)
    error = (blur - picture).square().mean().sqrt()
    moved = picture.roll(1, -1)
    moved = picture + (moved - picture) * error / (moved - picture).square().mean().sqrt()  # a part of a pixel
    truth = perceptual_distance(blur, picture)
    assert perceptual_distance(picture + error, picture) < 0.3 * truth
    assert perceptual_distance(moved, picture) < 0.7 * truth


def test_gradients_lead_back_to_the_picture():
    truth = textured_picture(32)
    picture = torch.nn.Parameter(blurred(truth, 2))
    optimizer = torch.optim.Adam([picture], lr=0.02)
    before = perceptual_distance(picture, truth).item()
    for _ in range(20):
        optimizer.zero_grad()
        perceptual_distance(picture, truth).sum().backward()
        optimizer.step()
    assert perceptual_distance(picture, truth).item() < 0.5 * before


def test_gradients_are_finite_for_flat_and_equal_pictures():
    flat = torch.zeros(1, 3, 32, 32, requires_grad=True)
    perceptual_distance(flat, torch.zeros(1, 3, 32, 32)).sum().backward()
    assert flat.grad is not None and flat.grad.isfinite().all()


def test_the_module_has_nothing_to_train_or_to_save():
    distance = PerceptualDistance()
    assert not list(distance.parameters()) and not distance.state_dict()
    assert sum(buffer.numel() for buffer in distance.buffers()) == 617312


def test_a_stage_equals_batch_norm_free_convolutions_written_out():
    """The first tapped features by numpy at one pixel: padding, stride and order of the layers."""
    distance, picture = PerceptualDistance(), textured_picture(32)
    buffers = dict(distance.named_buffers())
    padded = np.pad(picture[0].numpy(), ((0, 0), (0, 1), (0, 1)))  # "same" for an even side and stride 2
    weight, bias = buffers["stem_weight"].numpy(), buffers["stem_bias"].numpy()

    def stem(y: int, x: int) -> np.ndarray:
        if not (0 <= y < 16 and 0 <= x < 16):
            return np.zeros(32, np.float32)
        patch = padded[:, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
        return np.clip((weight * patch).sum((1, 2, 3)) + bias, 0, 6)

    around = np.stack([[stem(y, x) for x in (14, 15, 16)] for y in (4, 5, 6)])  # the last column is outside
    depthwise = buffers["0_depthwise_weight"].numpy()[:, 0].transpose(1, 2, 0)
    expected = np.clip((around * depthwise).sum((0, 1)) + buffers["0_depthwise_bias"].numpy(), 0, 6)
    found = distance.features(picture)[0][0, :, 5, 15].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("images", "truth", "message"),
    [
        ((1, 3, 8, 32), (1, 3, 8, 32), "sides of at least 16"),
        ((1, 1, 32, 32), (1, 1, 32, 32), r"expected images \[B, 3, H, W\]"),
        ((1, 3, 32, 32), (1, 3, 32, 16), "one shape"),
    ],
)
def test_other_shapes_are_refused(images, truth, message):
    with pytest.raises(ValueError, match=message):
        perceptual_distance(torch.zeros(images), torch.zeros(truth))


def test_lpips_says_which_part_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(ImportError, match=r"camvig\[lpips\]"):
        lpips_distance()

    def without_weights(net, verbose):
        raise OSError("no route to host")

    stand_in = types.ModuleType("lpips")
    stand_in.LPIPS = without_weights  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "lpips", stand_in)
    with pytest.raises(OSError, match=r"weights of 'alex' in .*checkpoints or a connection"):
        lpips_distance("alex")
