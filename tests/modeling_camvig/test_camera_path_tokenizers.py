"""Tokenizers of bins and of cosines: round trips within a bin, known numbers of tokens and bits, ids that mean nothing."""

import math

import pytest
import torch

from camvig.modeling_camvig.binned_camera_tokenizers import Bins, GenDopCameraTokenizer, UniformCameraTokenizer
from camvig.modeling_camvig.camera_path_tokenizer import path_values, values_to_path
from camvig.modeling_camvig.camera_signal import (
    matrix_to_quaternion,
    quaternion_to_rotation_vector,
    rotation_vector_to_matrix,
)
from camvig.modeling_camvig.dct_camera_tokenizer import DctCameraTokenizer, _cosine_matrix

Paths = tuple[torch.Tensor, torch.Tensor]


def smooth_paths(count: int, seed: int) -> Paths:
    """Bent moves of up to 0.6 scene depths and 0.6 radians about each axis; a lens that zooms."""
    generator = torch.Generator().manual_seed(seed)
    progress = torch.linspace(0, 1, 17)[None, :, None]
    shape = progress + 0.3 * torch.rand(count, 1, 1, generator=generator) * (math.pi * progress).sin()
    amounts = torch.rand(count, 1, 8, generator=generator) * 2 - 1
    values = 0.5 * shape * amounts
    values[..., 6:] += 0.4 * torch.rand(count, 1, 2, generator=generator)
    return values_to_path(values)


@pytest.fixture(scope="module")
def fitted_paths() -> Paths:
    return smooth_paths(300, seed=0)


def test_values_give_the_path_back(fitted_paths):
    poses, intrinsics = values_to_path(path_values(*fitted_paths))
    torch.testing.assert_close(poses, fitted_paths[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(intrinsics, fitted_paths[1], atol=1e-5, rtol=0)


def test_quaternions_and_rotation_vectors_agree():
    vectors = torch.tensor([[0.0, 0, 0], [0.3, -0.2, 0.1], [0.0, 3.1, 0.0]])
    quaternions = matrix_to_quaternion(rotation_vector_to_matrix(vectors))
    torch.testing.assert_close(quaternions.norm(dim=-1), torch.ones(3))
    torch.testing.assert_close(quaternion_to_rotation_vector(-quaternions), vectors, atol=1e-5, rtol=0)


def test_bins_have_known_edges():
    bins = Bins(torch.tensor([-1.0]), torch.tensor([1.0]), 4)
    values = torch.tensor([[-5.0], [-0.99], [-0.5], [0.49], [1.0], [9.0]])
    assert bins.to_ids(values).flatten().tolist() == [0, 0, 1, 2, 3, 3]
    assert bins.to_values(torch.tensor([[0], [3]])).flatten().tolist() == [-0.75, 0.75]


@pytest.mark.parametrize("bins", [256, 101])
def test_uniform_bins_are_off_by_half_a_bin_at_most(fitted_paths, bins):
    tokenizer = UniformCameraTokenizer(bins)
    tokenizer.fit(*fitted_paths)
    ids = tokenizer.encode(*fitted_paths)
    assert {len(row) for row in ids} == {102} and tokenizer.bits_per_token == math.log2(bins)
    assert min(int(row.min()) for row in ids) >= 0 and max(int(row.max()) for row in ids) == bins - 1
    poses, intrinsics = tokenizer.decode(ids)
    error = (path_values(poses, intrinsics) - path_values(*fitted_paths))[:, 1:, :6].abs()
    assert (error.amax((0, 1)) <= tokenizer.bins.width / 2 + 1e-5).all()
    assert torch.equal(poses[:, 0], torch.eye(4).expand(300, 4, 4))
    assert intrinsics[..., :2].flatten(0, 1).std(0).max() < 1e-6  # one lens for all


def test_a_value_beyond_the_fitted_range_gets_the_outermost_bin(fitted_paths):
    tokenizer = UniformCameraTokenizer()
    tokenizer.fit(*fitted_paths)
    far = fitted_paths[0][:1].clone()
    far[0, 5, 0, 3] = 10.0
    assert int(tokenizer.encode(far, fitted_paths[1][:1])[0][5 * 6]) == 255


def test_gendop_is_off_by_half_a_bin_of_each_number(fitted_paths):
    tokenizer = GenDopCameraTokenizer()
    tokenizer.fit(*fitted_paths)
    ids = tokenizer.encode(*fitted_paths)
    assert {len(row) for row in ids} == {170} and 170 * tokenizer.bits_per_token == 1360
    poses, intrinsics = tokenizer.decode(ids)
    truth, decoded = path_values(*fitted_paths), path_values(poses, intrinsics)
    scale = truth[..., :3].abs().amax((1, 2))
    bin_of_scale = 10 ** float(tokenizer.bins.width[9] / 2) - 1
    error = (decoded - truth)[:, 1:, :3].abs().amax((1, 2))
    assert (error <= scale * (1 / 256 + bin_of_scale) * 1.05).all()
    assert (decoded - truth)[..., 6:].abs().max() <= tokenizer.bins.width[7:9].max() / 2 + 1e-5
    assert (decoded - truth)[..., 3:6].abs().max() < 2 * 2 * 2 / 256  # at most 2 quaternion bins, twice the half angle


def test_gendop_has_no_bin_for_a_camera_that_does_not_turn(fitted_paths):
    tokenizer = GenDopCameraTokenizer()
    tokenizer.fit(*fitted_paths)
    poses, _ = tokenizer.decode(tokenizer.encode(torch.eye(4).repeat(1, 17, 1, 1), fitted_paths[1][:1]))
    turn = path_values(poses, fitted_paths[1][:1])[0, 1:, 3:6].norm(dim=-1)
    angle = 2 * math.atan(
        math.sqrt(3) * (1 / 256) / (255 / 256)
    )  # half a bin of x, y, z, and the middle of the last of w
    assert math.degrees(angle) == pytest.approx(0.78, abs=0.005)
    torch.testing.assert_close(turn, torch.full((16,), angle), atol=1e-5, rtol=0)


def test_the_cosine_matrix_is_orthonormal_and_its_first_row_constant():
    matrix = _cosine_matrix(17)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(17), atol=1e-5, rtol=0)
    torch.testing.assert_close(matrix[0], torch.full((17,), 17**-0.5))
    from scipy.fft import dct

    values = torch.randn(17, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(matrix @ values, torch.from_numpy(dct(values.numpy(), norm="ortho")))


@pytest.fixture(scope="module")
def cosines(fitted_paths) -> DctCameraTokenizer:
    tokenizer = DctCameraTokenizer(vocab_size=512)
    tokenizer.fit(*fitted_paths)
    return tokenizer


def test_byte_pairs_give_the_rounded_coefficients_back(cosines, fitted_paths):
    numbers = cosines._to_numbers(path_values(*fitted_paths))
    for row, ids in zip(numbers, cosines.encode(*fitted_paths), strict=True):
        assert torch.equal(cosines._read_numbers(ids), row)


def test_cosines_are_as_precise_as_their_rounding(cosines):
    paths = smooth_paths(50, seed=1)  # not fitted
    ids = cosines.encode(*paths)
    assert cosines.bits_per_token == 9
    assert 1 < sum(map(len, ids)) / 50 < 136 / 2  # a smooth path has few coefficients
    decoded = path_values(*cosines.decode(ids))
    error = (decoded - path_values(*paths))[:, 1:] / cosines.spread
    inside = (cosines._to_numbers(path_values(*paths)).clamp(cosines.least, cosines.greatest) / cosines.scale)[:, :, 0]
    assert inside.abs().max() < cosines.greatest  # the fixture's paths are like the fitted ones
    assert error.square().sum((1, 2)).max() <= 136 * (0.5 / cosines.scale) ** 2  # orthonormal: errors keep their length


def test_cosines_clip_what_no_fitted_path_had(cosines, fitted_paths):
    far = fitted_paths[0][:1].clone()
    far[0, 1:, 0, 3] = 50.0
    poses, _ = cosines.decode(cosines.encode(far, fitted_paths[1][:1]))
    assert poses.isfinite().all() and poses[0, -1, 0, 3] < 50


def test_a_few_outliers_are_clipped_and_leave_ids_for_pairs(fitted_paths):
    poses = fitted_paths[0].clone()
    poses[0, 1:, 0, 3] = 1000.0
    tokenizer = DctCameraTokenizer(vocab_size=512)
    tokenizer.fit(poses, fitted_paths[1])
    assert tokenizer.greatest == 512 // 3
    assert sum(map(len, tokenizer.encode(*fitted_paths))) / 300 < 136 / 2


def test_fitting_twice_gives_the_same_ids(cosines, fitted_paths):
    again = DctCameraTokenizer(vocab_size=512)
    again.fit(*fitted_paths)
    pairs = zip(again.encode(*fitted_paths), cosines.encode(*fitted_paths), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_wrong_ids_and_paths_are_errors(cosines, fitted_paths):
    uniform = UniformCameraTokenizer()
    uniform.fit(*fitted_paths)
    with pytest.raises(ValueError, match=r"expected 102 ids a path, got \[101\]"):
        uniform.decode([torch.zeros(101, dtype=torch.long)])
    with pytest.raises(ValueError, match=r"expected ids 0\.\.255, got 256"):
        uniform.decode([torch.full((102,), 256)])
    with pytest.raises(ValueError, match=r"expected ids 0\.\.511, got -1"):
        cosines.decode([torch.tensor([-1])])
    with pytest.raises(ValueError, match="expected ids that stand for 136 numbers, got"):
        cosines.decode([cosines.encode(fitted_paths[0][:1], fitted_paths[1][:1])[0][:-1]])
    with pytest.raises(ValueError, match=r"expected camera_to_world \[B, 17, 4, 4\], got \[300, 16, 4, 4\]"):
        uniform.encode(fitted_paths[0][:, 1:], fitted_paths[1][:, 1:])
    with pytest.raises(ValueError, match=r"expected a vocabulary for coefficients of scale 30, got 64 ids: \d+% of"):
        DctCameraTokenizer(vocab_size=64).fit(*fitted_paths)
