"""Dead digits are found, told, and given a new meaning without changing what the decoder shows."""

import pytest
import torch

from camvig.modeling_camvig.configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from camvig.modeling_camvig.open_magvit2_autoencoder import OpenMagvit2Autoencoder
from camvig.modeling_camvig.plain_autoencoder import PlainAutoencoder
from camvig.training_scripts.dead_digits import dead_digits, digit_counts, restart_dead_digits

DEAD = [3, 5]


def probe():
    return torch.rand(2, 3, 5, 48, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1


def autoencoder_with_dead_digits(quantizer):
    torch.manual_seed(0)
    config = CamViGVisualTokenizerConfig(
        kind="plain", quantizer=quantizer, image_size=48, hidden_sizes=(8, 8, 16, 32), blocks_per_level=1
    )
    autoencoder = PlainAutoencoder(config).eval()
    last = autoencoder.last_projection
    with torch.no_grad():
        last.weight.mul_(3)
        last.weight[DEAD] = 0
        last.bias[DEAD] = torch.tensor([2.0, -2.0])
    restart_others(autoencoder, DEAD)
    return autoencoder


@torch.no_grad()
def restart_others(autoencoder, dead):
    """Balances the digits that are to be alive."""
    latent = autoencoder.encode_latent(probe()).flatten(0, -2)
    for digit in range(latent.shape[1]):
        if digit not in dead:
            autoencoder.last_projection.bias[digit] -= latent[:, digit].median()


def decoder_features(autoencoder, ids):
    """What the decoder's first layer makes of ids, away from the edge, where zeros are padded."""
    codes = autoencoder.quantizer.ids_to_codes(ids).movedim(-1, 1)
    return autoencoder.first_projection(codes)[..., 1:-1, 1:-1]


def test_counts_are_those_of_each_digit():
    counts = digit_counts(torch.tensor([0, 1, 7, 7 + 8 * 2]), [8, 3])
    assert counts[0].tolist() == [1, 1, 0, 0, 0, 0, 0, 2] and counts[1].tolist() == [3, 0, 1]
    assert dead_digits(torch.tensor([0, 1, 7]), [8, 3]) == [1]


@pytest.mark.parametrize("quantizer", ["lfq", "fsq"])
@torch.no_grad()
def test_a_restart_revives_the_dead_and_leaves_the_rest(quantizer):
    autoencoder = autoencoder_with_dead_digits(quantizer)
    video, levels = probe(), autoencoder.quantizer.levels
    ids = autoencoder.encode_ids(video)
    before = decoder_features(autoencoder, ids)
    assert dead_digits(ids, levels) == DEAD
    with pytest.warns(UserWarning, match="digits 3, 5 of the code have one value in 144 latents; they are restarted"):
        assert restart_dead_digits(autoencoder, video) == DEAD
    after = autoencoder.encode_ids(video)
    old, new = digit_counts(ids, levels), digit_counts(after, levels)
    for digit, (was, now) in enumerate(zip(old, new, strict=True)):
        assert now.max() < 0.7 * ids.numel() if digit in DEAD else torch.equal(was, now)
    assert autoencoder.quantizer.ids_to_codes(after)[..., DEAD].flatten(0, -2).T.corrcoef()[0, 1].abs() < 0.5
    torch.testing.assert_close(decoder_features(autoencoder, after), before, atol=1e-5, rtol=0)
    assert restart_dead_digits(autoencoder, video) == []


def test_after_a_restart_both_sides_of_the_digit_can_learn():
    autoencoder = autoencoder_with_dead_digits("lfq")
    with pytest.warns(UserWarning):
        restart_dead_digits(autoencoder, probe())
    optimizer = torch.optim.SGD(autoencoder.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        (autoencoder(probe())["reconstruction"] - probe()).square().mean().backward()
        optimizer.step()
    first, last = autoencoder.first_projection.weight, autoencoder.last_projection.weight
    assert first.grad is not None and last.grad is not None
    assert first.grad[:, DEAD].abs().max() > 0 and last.grad[DEAD].abs().max() > 0


def test_open_weights_are_only_warned_of():
    config = CamViGVisualTokenizerConfig(
        kind="plain", architecture="open_magvit2", image_size=32, hidden_sizes=(32, 32, 32, 32), blocks_per_level=1
    )
    autoencoder = OpenMagvit2Autoencoder(config)
    with torch.no_grad():
        autoencoder.encoder.conv_out.weight[2] = 0
        autoencoder.encoder.conv_out.bias[2] = 5
    weights = {name: weight.clone() for name, weight in autoencoder.state_dict().items()}
    with pytest.warns(UserWarning, match="OpenMagvit2Autoencoder cannot restart them"):
        assert 2 in restart_dead_digits(autoencoder, probe()[..., :32, :32])
    assert all(torch.equal(weights[name], weight) for name, weight in autoencoder.state_dict().items())
