"""`CamViGCameraTokenizer`: geometry, ids, validation, saving, and the parts that train it."""

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError

from camvig.modeling_camvig.camera_signal import rotation_vector_to_matrix
from camvig.modeling_camvig.camera_tokenizer import CamViGCameraTokenizer
from camvig.modeling_camvig.configuration_camera_tokenizer import CamViGCameraTokenizerConfig


def smooth_paths(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Moves that grow evenly: translation up to 0.6 scene depths, turns up to 40 degrees, a constant focal length."""
    generator = torch.Generator().manual_seed(seed)
    progress = torch.linspace(0, 1, 17)[None, :, None]
    amounts = torch.rand(count, 1, 6, generator=generator) * 2 - 1
    camera_to_world = torch.eye(4).repeat(count, 17, 1, 1)
    camera_to_world[..., :3, 3] = 0.6 * progress * amounts[..., :3]
    camera_to_world[..., :3, :3] = rotation_vector_to_matrix(0.4 * progress * amounts[..., 3:])
    focal = (0.5 + 0.8 * torch.rand(count, 1, 2, generator=generator)).expand(-1, 17, -1)
    return camera_to_world, torch.cat([focal, torch.full_like(focal, 0.5)], dim=-1)


def tiny_tokenizer(seed: int = 0) -> CamViGCameraTokenizer:
    """One codec frame a pose, 3 levels of 16 codes."""
    torch.manual_seed(seed)
    codec = {
        "encoder_hidden_size": 8,
        "decoder_hidden_size": 32,
        "downsampling_ratios": [8],
        "n_codebooks": 3,
        "codebook_size": 16,
        "codebook_dim": 6,
    }
    return CamViGCameraTokenizer(CamViGCameraTokenizerConfig(codec_config=codec, samples_per_value=1)).eval()


@pytest.mark.parametrize(
    ("config", "num_samples", "decoded_samples", "num_ids"),
    [
        (CamViGCameraTokenizerConfig(), 34_000, 33_912, 424),
        (CamViGCameraTokenizerConfig.compact(), 136, 136, 68),
        (
            CamViGCameraTokenizerConfig(
                codec_config={
                    "encoder_hidden_size": 4,
                    "decoder_hidden_size": 16,
                    "downsampling_ratios": [4, 4, 2],
                    "n_codebooks": 4,
                },
                samples_per_value=4,
            ),
            544,
            544,
            68,
        ),
    ],
    ids=["paper", "compact", "compact of 4 samples a value"],
)
def test_geometry_is_what_the_codec_really_gives(config, num_samples, decoded_samples, num_ids):
    tokenizer = CamViGCameraTokenizer(config).eval()
    poses, intrinsics = smooth_paths(1)
    ids = tokenizer.encode(poses, intrinsics)
    assert config.num_samples == num_samples and config.decoded_samples == decoded_samples
    assert ids.shape == (1, num_ids) and ids.dtype == torch.int64
    assert num_ids == config.num_levels * config.codec_frames and config.vocab_size == 4096
    latent = torch.zeros(1, config.feature_size, config.codec_frames)
    assert tokenizer._codec_output(latent).shape == (1, 1, decoded_samples)
    read_poses, read_intrinsics = tokenizer.decode(ids)
    assert read_poses.shape == (1, 17, 4, 4) and read_intrinsics.shape == (1, 17, 4)


def test_a_codec_that_loses_a_whole_value_is_refused():
    with pytest.raises(StrictDataclassClassValidationError, match="loses the last 2 samples with 1 a value"):
        CamViGCameraTokenizerConfig(codec_config={"downsampling_ratios": [5]}, samples_per_value=1)


def test_ids_are_level_major_and_levels_disjoint():
    tokenizer = tiny_tokenizer()
    poses, intrinsics = smooth_paths(4)
    ids = tokenizer.encode(poses, intrinsics)
    codes = tokenizer.codec.encode(tokenizer._codec_input(poses, intrinsics)).audio_codes  # [B, L, N]
    for level in range(3):
        of_level = ids[:, level * 17 : (level + 1) * 17]
        assert torch.equal(of_level, codes[:, level] + 16 * level)


def test_code_vectors_sum_to_the_latent_that_is_decoded():
    tokenizer = tiny_tokenizer()
    poses, intrinsics = smooth_paths(2)
    vectors = tokenizer.code_vectors()
    assert vectors.shape == (48, tokenizer.config.feature_size)
    latent = tokenizer.codec.encode(tokenizer._codec_input(poses, intrinsics)).quantized_representation
    summed = vectors[tokenizer.encode(poses, intrinsics)].unflatten(1, (3, 17)).sum(1).transpose(1, 2)
    torch.testing.assert_close(summed, latent, rtol=1e-4, atol=1e-5)


def test_decoding_gives_poses_that_start_at_the_identity():
    tokenizer = tiny_tokenizer()
    ids = torch.cat([torch.randint(16, (2, 17)) + 16 * level for level in range(3)], dim=1)
    for levels in (1, 2, 3):
        poses, intrinsics = tokenizer.decode(ids[:, : 17 * levels])
        rotation = poses[..., :3, :3]
        torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).expand(2, 17, 3, 3), rtol=0, atol=1e-5)
        torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(2, 17))
        assert torch.equal(poses[:, 0], torch.eye(4).expand(2, 4, 4))
        assert (intrinsics[..., :2] > 0).all() and (intrinsics[..., 2:] == 0.5).all()


def test_what_is_encoded_does_not_depend_on_the_start_pose_or_the_batch():
    tokenizer = tiny_tokenizer()
    tokenizer.initialize_codebooks(*smooth_paths(64), generator=torch.Generator().manual_seed(0))
    poses, intrinsics = smooth_paths(4)
    ids = tokenizer.encode(poses, intrinsics)
    start = torch.eye(4)
    start[:3, 3] = torch.tensor([1.0, 2.0, 3.0])
    assert torch.equal(tokenizer.encode(start.inverse() @ (start @ poses), intrinsics), ids)
    assert torch.equal(tokenizer.encode(poses[2:3], intrinsics[2:3]), ids[2:3])
    assert torch.equal(tokenizer.train().encode(poses, intrinsics), ids)


def test_saving_and_loading_gives_identical_ids_and_poses(tmp_path):
    tokenizer = tiny_tokenizer()
    tokenizer.initialize_codebooks(*smooth_paths(64), generator=torch.Generator().manual_seed(0))
    tokenizer.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").exists()
    loaded = CamViGCameraTokenizer.from_pretrained(tmp_path)
    assert loaded.config.dac_config.downsampling_ratios == [8] and loaded.config.feature_size == 16
    for name, tensor in tokenizer.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    ids = tokenizer.encode(*smooth_paths(4))
    assert torch.equal(loaded.encode(*smooth_paths(4)), ids)
    assert torch.equal(loaded.decode(ids)[0], tokenizer.decode(ids)[0])


def wrong_poses(case: str) -> tuple[torch.Tensor, torch.Tensor]:
    poses, intrinsics = smooth_paths(1)
    if case == "count":
        return poses[:, [*range(17), 16, 16, 16]], intrinsics[:, [*range(17), 16, 16, 16]]
    if case == "shape":
        return poses[..., :3, :], intrinsics
    if case == "intrinsics":
        return poses, intrinsics[:, :5]
    if case == "nan":
        poses[0, 3, 1, 3] = float("nan")
    if case == "infinite focal":
        intrinsics[0, 3, 0] = float("inf")
    if case == "focal":
        intrinsics[0, 3, 0] = -0.5
    if case == "stretched":
        poses[0, 3, :3, :3] *= 1.1
    if case == "mirrored":
        poses[0, 3, 0, :3] *= -1
    return poses, intrinsics


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("count", r"^expected 17 poses, got 20; resample the path, for example path\.resample\(17\)$"),
        ("shape", r"expected camera_to_world \[B, 17, 4, 4\], got \[1, 17, 3, 4\]"),
        ("intrinsics", r"expected intrinsics \[1, 17, 4\], got \[1, 5, 4\]"),
        ("nan", "expected finite poses and intrinsics, got NaN or infinity"),
        ("infinite focal", "expected finite poses and intrinsics, got NaN or infinity"),
        ("focal", "expected positive focal lengths, got -0.5"),
        ("stretched", r"expected rotations in camera_to_world, got matrices 0\.21 off orthonormal"),
        ("mirrored", "expected rotations in camera_to_world"),
    ],
)
def test_bad_poses_are_refused(case, message):
    tokenizer = tiny_tokenizer()
    for method in (tokenizer.encode, tokenizer.forward):
        with pytest.raises(ValueError, match=message) as error:
            method(*wrong_poses(case))
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (torch.zeros(1, 18, dtype=torch.int64), r"expected ids \[B, 51\], got \[1, 18\]"),
        (torch.zeros(1, 68, dtype=torch.int64), r"expected ids \[B, 51\], got \[1, 68\]"),
        (torch.zeros(1, 51, dtype=torch.int64), r"expected ids 16\.\.31 at level 1, got 0"),
        (torch.full((1, 17), -1), r"expected ids 0\.\.15 at level 0, got -1"),
    ],
)
def test_bad_ids_are_refused(ids, message):
    with pytest.raises(ValueError, match=message):
        tiny_tokenizer().decode(ids)


def test_unused_codes_are_restarted_and_used_ones_are_left_alone():
    tokenizer = tiny_tokenizer()
    paths = smooth_paths(64)
    tokenizer.initialize_codebooks(*paths, generator=torch.Generator().manual_seed(0))
    codebook = tokenizer._quantizers[0].codebook.weight
    with torch.no_grad():
        codebook[[3, 7]] = -codebook.mean(0)  # no latent points that way
    before = codebook.detach().clone()
    assert not set(tokenizer.encode(*paths)[:, :17].unique().tolist()) & {3, 7}
    state = {name: tensor.clone() for name, tensor in tokenizer.state_dict().items()}
    restarted = tokenizer.restart_dead_codes(*paths, generator=torch.Generator().manual_seed(1))
    moved = (codebook != before).any(-1)
    assert moved[[3, 7]].all() and int(moved.sum()) == int(restarted[0]) < 16
    assert {3, 7} & set(tokenizer.encode(*paths)[:, :17].unique().tolist())
    restarted_codebook = codebook.detach().clone()
    tokenizer.load_state_dict(state)
    tokenizer.restart_dead_codes(*paths, generator=torch.Generator().manual_seed(1))
    assert torch.equal(codebook, restarted_codebook)


def test_initialised_codebooks_follow_the_encoder_level_by_level():
    tokenizer = tiny_tokenizer()
    paths = smooth_paths(64)
    tokenizer.initialize_codebooks(*paths, generator=torch.Generator().manual_seed(0))
    latent = tokenizer.codec.encoder(tokenizer._codec_input(*paths))
    parts = tokenizer.code_vectors()[tokenizer.encode(*paths)].unflatten(1, (3, 17)).transpose(2, 3)  # [B, L, D, N]
    errors = [float((latent - parts[:, : level + 1].sum(1)).detach().square().mean()) for level in range(3)]
    spread = float(latent.detach().var(dim=(0, 2)).mean())
    assert spread * 0.5 > errors[0] > errors[1] > errors[2]


def test_gradients_pass_the_quantizers_to_every_parameter():
    tokenizer = tiny_tokenizer().train()
    output = tokenizer(*smooth_paths(4))
    output.loss.backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in tokenizer.parameters())
    assert tokenizer.codec.encoder.conv1.weight.grad.abs().sum() > 0
    torch.testing.assert_close(output.loss, output.reconstruction_loss + output.codec_loss)
    assert output.ids.shape == (4, 51) and output.level_perplexity.shape == (3,)
    assert output.camera_to_world.shape == (4, 17, 4, 4) and output.intrinsics.shape == (4, 17, 4)


def test_ninety_steps_halve_the_error():
    tokenizer = tiny_tokenizer().train()
    paths, generator = smooth_paths(16), torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(tokenizer.parameters())
    first = float(tokenizer(*paths).reconstruction_loss)
    for step in range(90):
        if step == 60:
            tokenizer.initialize_codebooks(*paths, generator=generator)
        optimizer.param_groups[0]["lr"] = 1e-2 * min(1, (step + 1) / 10) if step < 60 else 2e-3
        loss = tokenizer(*paths, quantize=step >= 60, generator=generator).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(tokenizer.parameters(), 1.0)
        optimizer.step()
    last = float(tokenizer(*paths).reconstruction_loss)
    assert last < first / 2, (first, last)


def test_the_codec_can_write_values_beyond_one():
    tokenizer = tiny_tokenizer()
    assert tokenizer._codec_output(torch.randn(1, 16, 17) * 1e4).abs().max() > 1.5
