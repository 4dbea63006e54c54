"""The gain-shape spectrum: an exact round trip, what each frame holds, and a codec that starts as the identity."""

import math
from typing import Any

import pytest
import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import DacConfig, DacModel

from camvig import CamViGCameraTokenizer, CamViGCameraTokenizerConfig
from camvig.dataset_builders.path_samples import sample_model_paths
from camvig.metrics.camera_path_errors import summarise_path_errors
from camvig.modeling_camvig.camera_spectrum import GAIN_REFERENCE, spectrum_to_values, values_to_spectrum

COMPACT = CamViGCameraTokenizerConfig.compact(signal_layout="spectrum", headroom=100.0)
PAPER = CamViGCameraTokenizerConfig(
    signal_layout="spectrum",
    headroom=100.0,
    samples_per_value=240,
    padding_samples=1360,
    codec_config={
        "encoder_hidden_size": 8,
        "decoder_hidden_size": 32,
        "downsampling_ratios": [8, 5, 4, 2],
        "n_codebooks": 4,
        "codebook_dim": 12,
    },
)


def random_values(poses: int, scale: float = 1.0) -> torch.Tensor:
    values = torch.randn(5, poses, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * scale
    values[:, 0, :6] = 0
    return values


@pytest.mark.parametrize("poses", [2, 3, 17, 33])
@pytest.mark.parametrize("scale", [0.0, 1e-6, 1.0, 30.0])
def test_the_round_trip_is_exact(poses, scale):
    values = random_values(poses, scale)
    torch.testing.assert_close(spectrum_to_values(values_to_spectrum(values)), values, rtol=0, atol=1e-11 * (1 + scale))


def test_gains_stand_in_the_first_frame_and_the_rest_does_not_know_them():
    values = random_values(17)
    louder = values.clone()
    louder[..., :3] *= 2
    quiet, loud = values_to_spectrum(values), values_to_spectrum(louder)
    largest = values[..., 3:6].norm(dim=-1).amax(1)
    torch.testing.assert_close(quiet[:, 0, 1], (largest / GAIN_REFERENCE).log())
    torch.testing.assert_close(loud[:, 0, 0] - quiet[:, 0, 0], torch.full((5,), math.log(2), dtype=torch.float64))
    torch.testing.assert_close(quiet[:, 0, :4], quiet[:, 0, 4:])
    torch.testing.assert_close(loud[:, 1:], quiet[:, 1:])


def test_one_sine_of_one_value_is_one_number():
    values = torch.zeros(1, 17, 8, dtype=torch.float64)
    steps = torch.arange(17, dtype=torch.float64)
    values[0, :, 4] = torch.sin(math.pi * 3 * steps / 33)  # the second frequency, k = 1
    frames = values_to_spectrum(values)[0, 1:]
    assert (frames.abs() > 1e-9).sum() == 1 and frames.abs().max() > 1


def test_every_frame_holds_one_number_of_each_run_of_frequencies():
    """With value v at frequency k counted as 8 k + v, number j of a frame is from j * 16 .. j * 16 + 15."""
    found = set()
    for frequency in range(16):
        for value in range(6):
            values = torch.zeros(1, 17, 8, dtype=torch.float64)
            steps = torch.arange(17, dtype=torch.float64)
            values[0, :, value] = torch.sin(math.pi * (2 * frequency + 1) * steps / 33)
            frame, number = (values_to_spectrum(values)[0, 1:].abs() > 1e-9).nonzero()[0].tolist()
            assert number == (8 * frequency + value) // 16
            found.add((frame, number))
    assert len(found) == 96


def paths(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    poses, intrinsics = sample_model_paths(count, seed)
    return torch.from_numpy(poses), torch.from_numpy(intrinsics)


@pytest.mark.parametrize(("config", "ids"), [(COMPACT, 68), (PAPER, 424)])
def test_a_codec_that_starts_as_the_identity_passes_paths_on(config, ids):
    torch.manual_seed(0)
    tokenizer = CamViGCameraTokenizer(config).eval()
    tokenizer.start_as_identity()
    poses, intrinsics = paths(4, 0)
    with torch.no_grad():
        latent = tokenizer.codec.encoder(tokenizer._codec_input(poses, intrinsics))
        read_poses, read_intrinsics = tokenizer._read_poses(tokenizer._codec_output(latent))
    torch.testing.assert_close(read_poses, poses, rtol=0, atol=2e-3)
    torch.testing.assert_close(read_intrinsics, intrinsics, rtol=2e-3, atol=0)
    assert tokenizer.encode(poses, intrinsics).shape == (4, ids)


def test_fitted_codebooks_then_hear_paths_that_they_have_not_seen():
    torch.manual_seed(0)
    tokenizer = CamViGCameraTokenizer(COMPACT).eval()
    tokenizer.start_as_identity()
    tokenizer.initialize_codebooks(*paths(600, 1), generator=torch.Generator().manual_seed(0), fine=True)
    poses, intrinsics = paths(64, 2)
    read_poses, read_intrinsics = tokenizer.decode(tokenizer.encode(poses, intrinsics))
    errors = summarise_path_errors(poses.numpy(), read_poses.numpy(), intrinsics.numpy(), read_intrinsics.numpy())
    assert errors["rotation_deg_mean"] < 0.25 and errors["translation_pct_mean"] < 2.5
    output = tokenizer(poses, intrinsics, coarse_weight=0.1)
    assert output.level_losses.shape == (4,) and (output.level_losses.diff() < 0).all()


def test_training_moves_every_part_of_a_codec_that_started_as_the_identity():
    torch.manual_seed(0)
    tokenizer = CamViGCameraTokenizer(COMPACT)
    tokenizer.start_as_identity()
    tokenizer.initialize_codebooks(*paths(100, 1), generator=torch.Generator().manual_seed(0), fine=True)
    tokenizer(*paths(8, 2), coarse_weight=0.1).loss.backward()
    still = {name for name, weight in tokenizer.named_parameters() if weight.grad is None or not weight.grad.any()}
    # what only acts through a kernel that starts at zero moves a step later
    assert all(".res_unit" in name for name in still), still


def test_an_unknown_layout_is_refused():
    with pytest.raises(StrictDataclassError, match="expected signal_layout 'poses', 'spectrum', got 'waves'"):
        CamViGCameraTokenizerConfig.compact(signal_layout="waves")


def test_an_audio_codec_of_hop_320_serves_frozen_and_another_is_refused(tmp_path):
    sizes = {"encoder_hidden_size": 2, "decoder_hidden_size": 16, "codebook_size": 16, "codebook_dim": 4}
    torch.manual_seed(0)
    source = DacModel(DacConfig(**sizes, downsampling_ratios=[2, 4, 5, 8], n_codebooks=6)).eval()
    source.save_pretrained(tmp_path / "codec")
    tokenizer = CamViGCameraTokenizer.from_pretrained_codec(tmp_path / "codec")
    assert not any(weight.requires_grad for weight in tokenizer.parameters())
    poses, intrinsics = paths(2, 0)
    ids = tokenizer.encode(poses, intrinsics)
    heard: Any = source.encode(tokenizer._codec_input(poses, intrinsics))
    codes = heard.audio_codes[:, :4]  # the first four levels
    assert ids.shape == (2, 424) and torch.equal(ids % 16, codes.flatten(1))
    assert tokenizer.decode(ids)[0].shape == (2, 17, 4, 4)
    with pytest.raises(ValueError, match="expected a codec of hop 320 with at least 7 levels, got 320 and 6"):
        CamViGCameraTokenizer.from_pretrained_codec(tmp_path / "codec", num_levels=7)
