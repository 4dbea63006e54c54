"""The parts of the transformer's loss: they add up to it, and each is of what its name says."""

import pytest
import torch

from camvig.training_scripts.transformer_losses import loss_parts

NATS = torch.zeros(2, 6, 2)  # 3 latent frames after the first, of 2 tokens
NATS[:, :2] = torch.tensor([1.0, 2.0])
NATS[:, 2:4] = torch.tensor([10.0, 20.0])
NATS[0, 4:] = torch.tensor([100.0, 200.0])


def test_each_frame_and_factor_has_its_own_nats():
    parts = {name: value.item() for name, value in loss_parts(NATS, latent_frames=4).items()}
    expected = {"loss_frame_1": 3.0, "loss_frame_2": 30.0, "loss_frame_3": 150.0}
    factor = (1 + 10 + 50) / 3
    assert parts == pytest.approx({**expected, "loss_factor_0": factor, "loss_factor_1": 2 * factor})


def test_frames_average_to_the_loss_and_factors_sum_to_it():
    nats = torch.rand(3, 8, 3, generator=torch.Generator().manual_seed(0))
    parts = loss_parts(nats, latent_frames=5)
    loss = nats.sum(-1).mean()
    torch.testing.assert_close(torch.stack([parts[f"loss_frame_{number}"] for number in (1, 2, 3, 4)]).mean(), loss)
    torch.testing.assert_close(torch.stack([parts[f"loss_factor_{number}"] for number in (0, 1, 2)]).sum(), loss)
