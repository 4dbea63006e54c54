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
from camvig.modeling_camvig.configuration_camera_tokenizer import CamViGCameraTokenizerConfig
from camvig.modeling_camvig.dct_camera_tokenizer import DctCameraTokenizer, _cosine_matrix, _train_byte_pairs

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


def values_of(poses: torch.Tensor, intrinsics: torch.Tensor) -> torch.Tensor:
    return path_values(poses, intrinsics, 17)


def uniform_tokenizer(bins: int = 256) -> UniformCameraTokenizer:
    return UniformCameraTokenizer(CamViGCameraTokenizerConfig(kind="uniform", num_bins=bins))


def dct_tokenizer(vocab_size: int = 512, max_tokens: int = 136) -> DctCameraTokenizer:
    """As coarse as the paths here want it."""
    settings = {"dct_scale": 30.0, "dct_vocab_size": vocab_size, "max_tokens": max_tokens}
    return DctCameraTokenizer(CamViGCameraTokenizerConfig(kind="dct", **settings))


@pytest.fixture(scope="module")
def fitted_paths() -> Paths:
    return smooth_paths(300, seed=0)


def test_values_give_the_path_back(fitted_paths):
    poses, intrinsics = values_to_path(values_of(*fitted_paths))
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


@pytest.mark.parametrize("bins", [256, 62])
def test_uniform_bins_are_off_by_half_a_bin_at_most(fitted_paths, bins):
    tokenizer = uniform_tokenizer(bins)
    tokenizer.fit(*fitted_paths)
    ids = tokenizer.encode(*fitted_paths)
    assert ids.shape == (300, 114) and tokenizer.bits_per_token == math.log2(bins)
    assert (tokenizer.count_tokens(ids) == 114).all()
    assert set((ids % bins).unique().tolist()) <= set(range(bins))
    poses, intrinsics = tokenizer.decode(ids)
    error = (values_of(poses, intrinsics) - values_of(*fitted_paths)).abs()
    width = (tokenizer.ranges[1] - tokenizer.ranges[0]) * 1e-6 / bins  # [9]
    assert (error[:, 1:, :6].amax((0, 1)) <= width[:6] / 2 + 1e-5).all()
    assert torch.equal(poses[:, 0], torch.eye(4).expand(300, 4, 4))
    assert (error[:, 0, 6:].amax(0) <= width[7:] / 2 + 1e-5).all()


def test_uniform_bins_carry_the_lens_and_its_zoom(fitted_paths):
    tokenizer = uniform_tokenizer()
    tokenizer.fit(*fitted_paths)
    values = values_of(*fitted_paths)
    zoomed = values.clone()
    zoomed[..., 6:] = zoomed[:, :1, 6:] + torch.linspace(0, 0.25, 17)[None, :, None]  # both axes alike, as a lens does
    decoded = values_of(*tokenizer.decode(tokenizer.encode(*values_to_path(zoomed))))
    assert (decoded - zoomed)[..., 6:].abs().max() < 0.01


def test_uniform_ids_of_different_numbers_differ_and_have_their_place(fitted_paths):
    tokenizer = uniform_tokenizer(4)
    tokenizer.fit(*fitted_paths)
    ids = tokenizer.encode(*fitted_paths)
    assert (ids[:, :2] // 4).unique(dim=0).tolist() == [[7, 8]]
    assert (ids[:, 2:].unflatten(1, (16, 7)) // 4).flatten(0, 1).unique(dim=0).tolist() == [list(range(7))]
    vectors = tokenizer.code_vectors()
    assert vectors.shape == (36, 9) and (vectors != 0).sum() == 36
    assert vectors[4 * 3 : 4 * 4, 3].tolist() == [-0.75, -0.25, 0.25, 0.75]
    ids[5, 2] = 4
    with pytest.raises(ValueError, match=r"^expected ids 0\.\.3 for token 2, got 4$"):
        tokenizer.decode(ids)


def test_a_value_beyond_the_fitted_range_gets_the_outermost_bin(fitted_paths):
    tokenizer = uniform_tokenizer()
    tokenizer.fit(*fitted_paths)
    far = fitted_paths[0][:1].clone()
    far[0, 5, 0, 3] = 10.0
    assert int(tokenizer.encode(far, fitted_paths[1][:1])[0][2 + 4 * 7]) == 255


def test_gendop_is_off_by_half_a_bin_of_each_number(fitted_paths):
    tokenizer = GenDopCameraTokenizer()
    tokenizer.fit(*fitted_paths)
    ids = tokenizer.encode(*fitted_paths)
    assert {len(row) for row in ids} == {170} and 170 * tokenizer.bits_per_token == 1360
    poses, intrinsics = tokenizer.decode(ids)
    truth, decoded = values_of(*fitted_paths), values_of(poses, intrinsics)
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
    turn = values_of(poses, fitted_paths[1][:1])[0, 1:, 3:6].norm(dim=-1)
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
    tokenizer = dct_tokenizer()
    tokenizer.fit(*fitted_paths)
    return tokenizer


def test_byte_pairs_give_the_rounded_coefficients_back(cosines, fitted_paths):
    numbers = cosines._to_numbers(values_of(*fitted_paths))
    for row, ids in zip(numbers, cosines.encode(*fitted_paths).tolist(), strict=True):
        assert torch.equal(cosines._read_numbers(ids), row)


def test_the_stored_vocabulary_is_the_trained_one(cosines, fitted_paths):
    """Built from the buffer, it gives each text the ids that the tokenizer gives that was trained on the same."""
    limits = cosines.limits.tolist()
    texts, others = (
        [cosines._to_text(row) for row in cosines._to_numbers(values_of(*paths)).clamp(*limits)]
        for paths in (fitted_paths, smooth_paths(50, seed=1))
    )
    trained = _train_byte_pairs(texts, limits[1] - limits[0] + 1, 512)
    assert trained.get_vocab() == cosines._byte_pairs().get_vocab()
    for text in (*texts, *others):
        assert cosines._byte_pairs().encode(text).ids == trained.encode(text).ids


def test_cosines_are_as_precise_as_their_rounding(cosines):
    paths = smooth_paths(50, seed=1)  # not fitted
    ids = cosines.encode(*paths)
    assert cosines.bits_per_token == 9 and ids.shape == (50, 136)
    assert 1 < cosines.count_tokens(ids).float().mean() < 136 / 2  # a smooth path has few coefficients
    decoded = values_of(*cosines.decode(ids))
    error = (decoded - values_of(*paths))[:, 1:] / (cosines.ranges[1] * 1e-6)
    least, greatest = cosines.limits.tolist()
    inside = (cosines._to_numbers(values_of(*paths)).clamp(least, greatest) / cosines.scale)[:, :, 0]
    assert inside.abs().max() < greatest  # the fixture's paths are like the fitted ones
    assert error.square().sum((1, 2)).max() <= 136 * (0.5 / cosines.scale) ** 2  # orthonormal: errors keep their length


def test_cosines_clip_what_no_fitted_path_had(cosines, fitted_paths):
    far = fitted_paths[0][:1].clone()
    far[0, 1:, 0, 3] = 50.0
    poses, _ = cosines.decode(cosines.encode(far, fitted_paths[1][:1]))
    assert poses.isfinite().all() and poses[0, -1, 0, 3] < 50


def test_a_few_outliers_are_clipped_and_leave_ids_for_pairs(fitted_paths):
    poses = fitted_paths[0].clone()
    poses[0, 1:, 0, 3] = 1000.0
    tokenizer = dct_tokenizer()
    tokenizer.fit(poses, fitted_paths[1])
    assert int(tokenizer.limits[1]) == 512 // 3
    assert tokenizer.count_tokens(tokenizer.encode(*fitted_paths)).float().mean() < 136 / 2


def test_fitting_twice_gives_the_same_ids(cosines, fitted_paths):
    again = dct_tokenizer()
    again.fit(*smooth_paths(40, seed=3))
    again.fit(*fitted_paths)
    assert torch.equal(again.encode(*fitted_paths), cosines.encode(*fitted_paths))
    assert all(torch.equal(again.state_dict()[name], value) for name, value in cosines.state_dict().items())


def jerky_paths(count: int) -> Paths:
    """Smooth ones, shaken: they have coefficients at every frequency."""
    shake = torch.randn(count, 17, 8, generator=torch.Generator().manual_seed(2)) * 0.1
    return values_to_path(values_of(*smooth_paths(count, seed=2)) + shake)


def test_a_path_that_needs_more_tokens_loses_its_highest_frequencies(fitted_paths, cosines):
    short = dct_tokenizer(max_tokens=24)
    short.fit(*fitted_paths)
    paths = jerky_paths(20)
    ids = short.encode(*paths)
    assert ids.shape == (20, 24) and short.is_shortened(*paths).all() and not cosines.is_shortened(*paths).any()
    for row, full in zip(ids.tolist(), short._clipped_numbers(*paths), strict=True):
        told = short._read_numbers(row)
        kept = int(told.any(-1).nonzero().max()) + 1
        assert 0 < kept < 17 and torch.equal(told[:kept], full[:kept])
        assert len(short._ids_of(torch.cat([full[: kept + 1], 0 * full[kept + 1 :]]))) > 24 or not full[kept].any()
    fits = ~short.is_shortened(*fitted_paths)
    both = (one.encode(*(part[fits] for part in fitted_paths)) for one in (short, cosines))
    assert fits.any() and all(torch.equal(a, b) for a, b in zip(*(each[:, :24] for each in both), strict=True))


def test_padding_is_an_id_of_its_own_at_the_end(cosines, fitted_paths):
    ids = cosines.encode(*fitted_paths)
    counts = cosines.count_tokens(ids)
    for row, count in zip(ids, counts.tolist(), strict=True):
        assert (row[:count] < 512).all() and (row[count:] == 512).all()
    ids[0, 0] = 512
    with pytest.raises(ValueError, match=r"^expected padding \(512\) at the end alone, got other ids after it$"):
        cosines.decode(ids)


def test_wrong_ids_and_paths_are_errors(cosines, fitted_paths):
    uniform = uniform_tokenizer()
    uniform.fit(*fitted_paths)
    with pytest.raises(ValueError, match=r"expected ids \[B, 114\], got \[1, 113\]"):
        uniform.decode(torch.zeros(1, 113, dtype=torch.long))
    with pytest.raises(ValueError, match=r"expected ids 0\.\.2303, got 2304"):
        uniform.decode(torch.full((1, 114), 2304))
    with pytest.raises(ValueError, match=r"expected ids 0\.\.512, got -1"):
        cosines.decode(torch.full((1, 136), -1))
    with pytest.raises(ValueError, match="expected ids that stand for 136 numbers, got 0"):
        cosines.decode(torch.full((1, 136), 512))
    cut = cosines.encode(fitted_paths[0][:1], fitted_paths[1][:1])
    cut[0, int(cosines.count_tokens(cut)) - 1] = 512
    with pytest.raises(ValueError, match="expected ids that stand for 136 numbers, got"):
        cosines.decode(cut)
    with pytest.raises(ValueError, match=r"expected camera_to_world \[B, 17, 4, 4\], got \[300, 16, 4, 4\]"):
        uniform.encode(fitted_paths[0][:, 1:], fitted_paths[1][:, 1:])
    with pytest.raises(ValueError, match=r"expected a vocabulary for coefficients of scale 30, got 64 ids: \d+% of"):
        dct_tokenizer(vocab_size=64).fit(*fitted_paths)
    with pytest.raises(ValueError, match=r"expected max_tokens of at least \d+, got 1"):
        dct_tokenizer(max_tokens=1).fit(*smooth_paths(3, seed=0))


def test_ids_that_were_never_fitted_are_errors(fitted_paths):
    tokenizer = dct_tokenizer(vocab_size=2048)  # more than so few paths have pairs for
    tokenizer.fit(*(part[:3] for part in fitted_paths))
    used = tokenizer._byte_pairs().get_vocab_size()
    assert used < 2048
    with pytest.raises(ValueError, match="expected ids of the fitted vocabulary, got 2047"):
        tokenizer.decode(torch.full((1, 136), 2047))
