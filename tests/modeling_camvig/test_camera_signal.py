"""Path <-> signal: the documented layout, exact round trips, rotation maps near zero and near half a turn."""

import pytest
import torch
from scipy.spatial.transform import Rotation

from camvig.modeling_camvig.camera_signal import (
    matrix_to_rotation_vector,
    poses_to_signal,
    read_values,
    rotation_vector_to_matrix,
    signal_to_poses,
)
from camvig.modeling_camvig.configuration_camera_tokenizer import CamViGCameraTokenizerConfig


def random_rotation_vectors(count: int, degrees: float, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    axes = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator, dtype=dtype), dim=-1)
    return axes * torch.deg2rad(torch.rand(count, 1, generator=generator, dtype=dtype) * degrees)


def random_relative_paths(count: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    camera_to_world = torch.eye(4, dtype=dtype).repeat(count, 17, 1, 1)
    camera_to_world[..., :3, :3] = rotation_vector_to_matrix(
        random_rotation_vectors(count * 17, 179, dtype).view(count, 17, 3)
    )
    camera_to_world[..., :3, 3] = torch.randn(count, 17, 3, generator=generator, dtype=dtype)
    camera_to_world[:, 0] = torch.eye(4, dtype=dtype)
    focal = 0.3 + 2 * torch.rand(count, 17, 2, generator=generator, dtype=dtype)
    return camera_to_world, torch.cat([focal, torch.full_like(focal, 0.5)], dim=-1)


@pytest.mark.parametrize("degrees", [1e-6, 1e-3, 1.0, 90.0, 179.0])
def test_rotation_vectors_agree_with_scipy_and_come_back(degrees):
    vectors = random_rotation_vectors(500, degrees)
    matrices = rotation_vector_to_matrix(vectors)
    torch.testing.assert_close(matrices, torch.from_numpy(Rotation.from_rotvec(vectors.numpy()).as_matrix()))
    torch.testing.assert_close(matrix_to_rotation_vector(matrices), vectors, rtol=0, atol=1e-12)


@pytest.mark.parametrize("length", [0.0, 1e-9, 1e-4, 3.1, 3.1415])
def test_the_gradient_of_there_and_back_is_one(length):
    axes = torch.nn.functional.normalize(
        torch.randn(50, 3, generator=torch.Generator().manual_seed(2)).double(), dim=-1
    )
    vectors = (axes * length).requires_grad_()
    matrix_to_rotation_vector(rotation_vector_to_matrix(vectors)).sum().backward()
    torch.testing.assert_close(vectors.grad, torch.ones_like(vectors), rtol=0, atol=1e-6)


def test_the_gradient_with_respect_to_an_identity_matrix_is_finite():
    rotation = torch.eye(3)[None].requires_grad_()
    matrix_to_rotation_vector(rotation).sum().backward()
    assert rotation.grad is not None and rotation.grad.isfinite().all() and rotation.grad.abs().sum() > 0


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("samples_per_value", [1, 4, 250])
def test_a_relative_path_comes_back(dtype, tolerance, samples_per_value):
    config = (
        CamViGCameraTokenizerConfig(samples_per_value=samples_per_value)
        if samples_per_value == 250
        else compact(samples_per_value)
    )
    poses, intrinsics = random_relative_paths(3, dtype)
    signal = poses_to_signal(poses, intrinsics, config)
    assert signal.shape == (3, 1, 17 * 8 * samples_per_value) and signal.dtype == dtype
    read_poses, read_intrinsics = signal_to_poses(signal, config)
    torch.testing.assert_close(read_poses, poses, rtol=0, atol=tolerance)
    torch.testing.assert_close(read_intrinsics, intrinsics, rtol=0, atol=tolerance)


def compact(samples_per_value: int) -> CamViGCameraTokenizerConfig:
    return CamViGCameraTokenizerConfig(
        codec_config={"downsampling_ratios": [8, samples_per_value] if samples_per_value > 1 else [8]},
        samples_per_value=samples_per_value,
    )


def test_an_absolute_path_is_made_relative_to_its_first_pose():
    poses, intrinsics = random_relative_paths(2, torch.float64)
    start = torch.eye(4, dtype=torch.float64)
    start[:3, :3] = rotation_vector_to_matrix(torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64))
    start[:3, 3] = torch.tensor([5.0, -2.0, 7.0])
    config = compact(1)
    torch.testing.assert_close(
        poses_to_signal(start @ poses, intrinsics, config), poses_to_signal(poses, intrinsics, config)
    )


def test_the_layout_is_the_documented_example():
    config = compact(2)
    poses = torch.eye(4, dtype=torch.float64).repeat(1, 17, 1, 1)
    poses[0, 1, 2, 3] = 0.3
    poses[0, 1, :3, :3] = torch.from_numpy(Rotation.from_rotvec([0, 0.4, 0]).as_matrix())
    intrinsics = torch.tensor([config.reference_focal, config.reference_focal, 0.5, 0.5]).double().repeat(1, 17, 1)
    second_pose = poses_to_signal(poses, intrinsics, config)[0, 0, 16:32]
    expected = torch.tensor([0, 0, 0, 0, 0.4, 0.4, 0, 0, 0.5, 0.5, 0, 0, 0, 0, 0, 0]).double()
    torch.testing.assert_close(second_pose, expected)


def test_a_lost_tail_leaves_the_last_value_readable():
    config = CamViGCameraTokenizerConfig()
    poses, intrinsics = random_relative_paths(1, torch.float64)
    signal = poses_to_signal(poses, intrinsics, config)
    assert signal.shape[-1] == 34_000 and config.decoded_samples == 33_912
    torch.testing.assert_close(signal_to_poses(signal[..., :33_912], config), (poses, intrinsics))
    noisy = signal[..., :33_912].clone()
    noisy[..., 33_750 + 62] += 100.0  # one of the 100 samples of the last value's middle half that are left
    torch.testing.assert_close(read_values(noisy, config)[0, -1, -1], read_values(signal, config)[0, -1, -1] + 1)


@pytest.mark.parametrize("samples", [0, 135, 137])
def test_a_signal_of_another_length_is_refused(samples):
    with pytest.raises(ValueError, match=r"expected signal \[B, 1, 136\.\.136\], got \[1, 1, "):
        read_values(torch.zeros(1, 1, samples), compact(1))


def test_a_principal_point_off_the_centre_is_refused():
    poses, intrinsics = random_relative_paths(1, torch.float32)
    intrinsics[0, 4, 2] = 0.52
    with pytest.raises(ValueError, match=r"principal point at \(0\.5, 0\.5\), got one 0\.02 away"):
        poses_to_signal(poses, intrinsics, compact(1))
