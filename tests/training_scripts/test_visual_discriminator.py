"""The discriminator: shapes, losses with known values, LeCAM's averages, and that it learns to tell."""

import math

import pytest
import torch

from camvig.training_scripts.visual_discriminator import (
    DiscriminatorArguments,
    VideoDiscriminator,
    adversarial_loss,
    build_adversary,
    discriminator_loss,
    lecam_loss,
)


def clips(seed, frames=5, size=32):
    return torch.rand(4, 3, frames, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("frames", [1, 5, 17])
def test_a_logit_sees_a_patch(frames):
    logits = VideoDiscriminator(8, 3)(clips(0, frames))
    after_halvings = 1 + (1 + (frames - 1) // 2 - 1) // 2 if frames > 1 else 1
    assert logits.shape == (4, 1, after_halvings, 4, 4) and logits.dtype == torch.float32


def test_it_judges_motion_and_not_frames_alone():
    discriminator, still = VideoDiscriminator(8, 2), clips(1)[:, :, :1].expand(-1, -1, 5, -1, -1)
    first = discriminator(still)
    moved = still.clone()
    moved[:, :, 1::2] = moved[:, :, 1::2].roll(1, -1)
    assert (discriminator(moved)[:, :, 0] - first[:, :, 0]).abs().max() > 1e-4


def test_losses_have_their_known_values():
    real, fake = torch.tensor([2.0, 0.0]), torch.tensor([-2.0, 1.0])
    assert discriminator_loss(real, fake, "hinge").item() == pytest.approx((0.5 + 1.0) / 2)
    zero = torch.zeros(3)
    assert discriminator_loss(zero, zero, "non_saturating").item() == pytest.approx(math.log(2))
    assert adversarial_loss(fake, "hinge").item() == pytest.approx(0.5)
    assert adversarial_loss(zero, "non_saturating").item() == pytest.approx(math.log(2))
    assert lecam_loss(real, fake, torch.tensor(1.0), torch.tensor(-1.0)).item() == pytest.approx(
        (9 + 1) / 2 + (9 + 0) / 2
    )


@pytest.mark.parametrize("loss", ["hinge", "non_saturating"])
def test_both_sides_pull_against_each_other(loss):
    real, fake = torch.zeros(2, requires_grad=True), torch.zeros(2, requires_grad=True)
    discriminator_loss(real, fake, loss).backward()
    assert real.grad is not None and fake.grad is not None and (real.grad < 0).all() and (fake.grad > 0).all()
    wanted = torch.zeros(2, requires_grad=True)
    adversarial_loss(wanted, loss).backward()
    assert wanted.grad is not None and (wanted.grad < 0).all()


def test_averages_are_unbiased_and_survive_nan():
    discriminator = VideoDiscriminator(8, 2)
    discriminator.remember(torch.tensor([3.0]), torch.tensor([-1.0]))
    assert (discriminator.real_mean.item(), discriminator.fake_mean.item()) == (3.0, -1.0)
    discriminator.remember(torch.tensor([float("nan")]), torch.tensor([-3.0]))
    assert (discriminator.real_mean.item(), discriminator.fake_mean.item()) == (3.0, -2.0)
    assert {"real_mean", "fake_mean", "updates"} <= set(discriminator.state_dict())


def test_it_starts_late_and_then_learns_to_tell_blur_from_detail():
    torch.manual_seed(0)
    arguments = DiscriminatorArguments(channels=8, levels=2, start=0.5, learning_rate=2e-3)
    adversary = build_adversary(arguments)
    real = clips(2, frames=1)
    outputs = {"reconstruction": torch.nn.functional.avg_pool3d(real, (1, 5, 5), 1, (0, 2, 2))}
    assert adversary.losses(adversary.module, {"video": real}, outputs, 0.49) == {}
    for _ in range(30):
        losses = adversary.losses(adversary.module, {"video": real}, outputs, 0.5)
        adversary.optimizer.zero_grad()
        losses["loss"].backward()
        adversary.optimizer.step()
    assert losses["real"] > losses["fake"] + 1 and losses["lecam"] > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"loss": "wasserstein"}, "'hinge'"), ({"channels": 12}, "multiples of 8"), ({"start": 2.0}, "0 to 1")],
)
def test_settings_that_cannot_work_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        DiscriminatorArguments(**changes)
