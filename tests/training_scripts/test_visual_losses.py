"""Losses of the visual tokenizer: known values, and nothing to lose for a perfect reconstruction."""

import pytest
import torch

from camvig.metrics.perceptual_distance import perceptual_distance
from camvig.training_scripts.visual_discriminator import DiscriminatorArguments, build_adversary
from camvig.training_scripts.visual_losses import (
    PlainLosses,
    PlainLossWeights,
    mean_over,
    motion_losses,
    pixel_loss,
    temporal_change,
)


def motion_batch(size=16):
    generator = torch.Generator().manual_seed(0)
    video = torch.rand(2, 3, 5, size, size, generator=generator) * 2 - 1
    return {
        "video": video,
        "flow": torch.randn(2, 4, 2, size, size, generator=generator) * 0.1,
        "visibility": (torch.rand(2, 4, 1, size, size, generator=generator) > 0.3).float(),
        "in_front": torch.ones(2, 4, 1, size, size),
        "moving": torch.zeros(2, 4, 1, size, size),
        "pictures": video[:, :, 0],
        "picture_depth": torch.randn(2, 1, 4, 4, generator=generator),
        "picture_depth_is_known": torch.ones(2),
    }


def perfect_output(batch):
    frames = batch["video"][:, :, 1:].transpose(1, 2)
    return {
        "reconstruction": frames,
        "moved": frames,
        "flow": batch["flow"],
        "weight_logit": 1000 * batch["visibility"] - 500,
        "pictures": batch["pictures"],
        "log_inverse_depth": batch["picture_depth"],
        "auxiliary_loss": torch.tensor(0.0),
    }


def losses_of(batch, progress=0.0, hidden_weight=0.3, moving_weight=1.0, **changes):
    """The losses of an output that is perfect but for the changes."""
    output = perfect_output(batch) | changes
    weights = {"hidden_weight": hidden_weight, "moving_weight": moving_weight}
    return motion_losses(lambda video, **inputs: output, batch, progress, **weights)


def test_motion_of_things_that_move_by_themselves_can_count_more():
    batch = motion_batch()
    batch["moving"][:, :, :, :2] = 1
    wrong = batch["flow"] + 0.1 * batch["moving"]  # wrong where things move, and nowhere else
    alike, more = (losses_of(batch, moving_weight=weight, flow=wrong)["flow"].item() for weight in (1, 4))
    share = batch["moving"].mul(batch["visibility"] + 0.25).sum() / (batch["visibility"] + 0.25).sum()
    assert more == pytest.approx(alike * 4 / (1 + 3 * share.item()))


def test_a_perfect_output_has_no_loss():
    losses = losses_of(motion_batch())
    assert set(losses) > {"pixels", "log_mse", "hidden", "moved", "flow", "flow_temporal", "weight", "picture", "depth"}
    assert {name: loss.item() for name, loss in losses.items()} == {name: 0.0 for name in losses}


@pytest.mark.parametrize(
    "name, of",
    [
        ("reconstruction", {"pixels", "log_mse", "temporal", "hidden"}),
        ("moved", {"moved"}),
        ("flow", {"flow", "flow_temporal"}),
        ("weight_logit", {"weight"}),
        ("pictures", {"picture"}),
        ("log_inverse_depth", {"depth"}),
        ("auxiliary_loss", set()),
    ],
)
def test_each_output_has_its_own_losses(name, of):
    batch = motion_batch()
    wrong = -perfect_output(batch)[name] + 0.1
    losses = losses_of(batch, **{name: wrong})
    assert {key for key, loss in losses.items() if loss > 0} == of | {"loss"}


def test_hidden_and_moved_pixels_count_apart():
    batch = motion_batch()
    frames, visible = perfect_output(batch)["reconstruction"], batch["visibility"]
    assert losses_of(batch, moved=frames + (1 - visible))["moved"] == 0
    assert losses_of(batch, moved=frames + visible)["moved"].item() == pytest.approx(1)
    assert losses_of(batch, reconstruction=frames + visible)["hidden"] == 0
    wrong = losses_of(batch, reconstruction=frames + (1 - visible))
    assert wrong["hidden"].item() == pytest.approx(1 + 2)  # L1 and twice L2
    more = losses_of(batch, hidden_weight=0.5, reconstruction=frames + (1 - visible))
    assert (more["loss"] - wrong["loss"]).item() == pytest.approx(0.2 * 3, rel=1e-4)


def test_flow_counts_less_and_less_and_only_where_it_is_defined():
    batch = motion_batch()
    wrong = batch["flow"] + 0.05
    early, late = losses_of(batch, 0.0, flow=wrong), losses_of(batch, 1.0, flow=wrong)
    assert early["flow"].item() == pytest.approx(0.1 + 3 * 0.1**2, rel=1e-4)
    assert early["flow_temporal"].item() == pytest.approx((0.1 + 30 * 0.1**2) / 4, rel=0.05)  # of frame 1 alone
    assert late["flow"] == early["flow"] and late["loss"].item() == pytest.approx(6 / 16 * early["loss"].item())
    defined = batch["visibility"].clone()
    undefined_error = batch["flow"] + (1 - defined)
    assert losses_of(batch | {"in_front": defined}, flow=undefined_error)["flow"] == 0
    assert 0 < losses_of(batch, flow=undefined_error)["flow"] < losses_of(batch, flow=batch["flow"] + defined)["flow"]


def test_pictures_of_unknown_depth_do_not_count():
    batch = motion_batch()
    wrong = batch["picture_depth"].clone()
    wrong[0] += 0.5
    wrong[1] += 9.0
    assert losses_of(batch, log_inverse_depth=wrong)["depth"].item() == pytest.approx(4.75)
    batch["picture_depth_is_known"] = torch.tensor([1.0, 0.0])
    assert losses_of(batch, log_inverse_depth=wrong)["depth"].item() == pytest.approx(0.5)
    batch["picture_depth_is_known"] = torch.zeros(2)
    assert losses_of(batch, log_inverse_depth=wrong)["depth"].item() == 0


def test_clips_without_hidden_pixels_have_no_loss_over_them():
    batch = motion_batch()
    batch["visibility"] = torch.ones_like(batch["visibility"])
    losses = losses_of(batch, reconstruction=perfect_output(batch)["reconstruction"] + 0.3)
    assert losses["hidden"] == 0 and losses["loss"].isfinite()


def reconstructing(change: float | torch.Tensor = 0.0, **losses):
    """A model of kind "plain" that makes the video, but for a change."""

    def model(video):
        ids = torch.arange(8).reshape(2, 1, 2, 2) // 2
        return {"reconstruction": video + change, "ids": ids, **{k: torch.tensor(v) for k, v in losses.items()}}

    return model


def test_plain_losses_of_perfect_and_of_flickering_frames():
    batch = motion_batch()
    losses = PlainLosses(PlainLossWeights())(reconstructing(), batch, 0.0)
    assert losses["pixels"] == losses["temporal"] == losses["perceptual"] == losses["loss"] == 0
    assert losses["distinct_codes"] == 0.5 and torch.equal(losses["reconstruction"], batch["video"])
    flicker = 0.1 * (torch.arange(5) % 2)[:, None, None]
    losses = PlainLosses(PlainLossWeights(perceptual=0.0))(reconstructing(flicker), batch, 0.0)
    assert losses["temporal"].item() == pytest.approx(0.1, rel=1e-4)
    assert losses["pixels"].item() == pytest.approx(0.04, rel=1e-4) and "perceptual" not in losses
    torch.testing.assert_close(losses["loss"], losses["pixels"] + losses["temporal"])


def test_plain_losses_are_weighted_and_large_batch_entropy_is_good():
    weights = PlainLossWeights(
        pixels=2.0, temporal=0.0, perceptual=0.5, sample_entropy=3.0, batch_entropy=5.0, commitment=7.0
    )
    model = reconstructing(0.1, sample_entropy=0.3, batch_entropy=0.4, commitment=0.2)
    losses = PlainLosses(weights)(model, motion_batch(), 0.0)
    expected = 2 * losses["pixels"] + 0.5 * losses["perceptual"] + 3 * 0.3 - 5 * 0.4 + 7 * 0.2
    torch.testing.assert_close(losses["loss"], expected)
    assert losses["perceptual"] > 0


def test_the_perceptual_loss_is_the_mean_over_frames():
    batch = motion_batch()
    change = torch.zeros(5, 1, 1)
    change[3] = 0.4
    losses = PlainLosses(PlainLossWeights())(reconstructing(change), batch, 0.0)
    frames = batch["video"][:, :, 3]
    expected = perceptual_distance(frames + 0.4, frames).mean() / 5
    torch.testing.assert_close(losses["perceptual"], expected)


@pytest.mark.parametrize("adaptive", [False, True])
def test_the_discriminator_counts_from_its_start_and_in_proportion(adaptive):
    torch.manual_seed(0)
    settings = DiscriminatorArguments(channels=8, levels=2, start=0.5, adaptive=adaptive)
    weights = PlainLossWeights(perceptual=0.0, temporal=0.0, adversarial=0.25)
    losses_of = PlainLosses(weights, build_adversary(settings), settings)
    change = (0.1 * torch.ones(2, 3, 5, 16, 16)).requires_grad_()
    batch = motion_batch()
    assert "adversarial" not in losses_of(reconstructing(change), batch, 0.49)
    losses = losses_of(reconstructing(change), batch, 0.5)
    scale = losses["adversarial_scale"]
    torch.testing.assert_close(losses["loss"], losses["pixels"] + 0.25 * scale * losses["adversarial"])
    pixels, adversarial = (
        torch.autograd.grad(losses[name], change, retain_graph=True)[0].norm() for name in ("pixels", "adversarial")
    )
    torch.testing.assert_close(scale, pixels / adversarial if adaptive else torch.tensor(1.0))


def test_an_unknown_perceptual_network_is_refused():
    with pytest.raises(ValueError, match="'embedded', 'lpips-vgg', 'lpips-alex', got 'vgg'"):
        PlainLossWeights(perceptual_network="vgg")


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (2, 4, 3, 8, 8)], ids=["pictures", "frames"])
def test_pixel_loss_of_known_errors(shape):
    assert pixel_loss(torch.zeros(shape)) == 0
    assert pixel_loss(torch.full(shape, -0.2)).item() == pytest.approx(0.2 + 0.5 * 0.04 + 0.5 * 0.2)
    stripes = 0.2 * (1 - 2 * (torch.arange(8) % 2)).float().expand(shape)  # +-0.2: nothing is left of it in 4x4 means
    assert pixel_loss(stripes).item() == pytest.approx(0.2 + 0.5 * 0.04 + 0.4 * 0.4)


def test_temporal_change_starts_from_no_error():
    error = torch.tensor([1.0, 1.0, 3.0]).reshape(1, 3, 1, 1, 1)
    assert temporal_change(error).flatten().tolist() == [1, 0, 2]
    assert temporal_change(error).shape == error.shape


def test_mean_over_is_weighted():
    values = torch.tensor([[1.0, 3.0], [10.0, 20.0]]).reshape(1, 2, 2, 1, 1)  # two frames of two channels
    assert mean_over(values, torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1, 1)) == 2
    assert mean_over(values, torch.tensor([3.0, 1.0]).reshape(1, 2, 1, 1, 1)) == (3 * 2 + 15) / 4
    assert mean_over(values, torch.zeros(1, 2, 1, 1, 1)) == 0
