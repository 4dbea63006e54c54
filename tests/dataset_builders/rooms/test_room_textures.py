"""Texture banks: disjoint between splits, repeatable, and with correct mip chains."""

import numpy as np
import pytest

from camvig.dataset_builders.rooms.room_textures import (
    MIP_LEVELS,
    MIP_OFFSETS,
    PICTURE_COUNTS,
    SURFACE_COUNTS,
    TEXTURE_SIZE,
    make_texture,
    mip_chain,
    packed_texels,
    texture_bank,
)


def test_no_texture_is_in_two_splits():
    validation, test = ({texels.tobytes() for texels in texture_bank(split).texels} for split in ("validation", "test"))
    assert len(validation) == len(test) == 256
    assert not validation & test


def test_every_kind_is_in_the_bank():
    bank = texture_bank("validation")
    for kind, count in (SURFACE_COUNTS | PICTURE_COUNTS).items():
        assert len(bank.ids[kind]) == count // 4


@pytest.mark.parametrize("kind", list(SURFACE_COUNTS | PICTURE_COUNTS))
def test_textures_are_repeatable_and_in_range(kind):
    first, second = (make_texture(kind, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first, second)
    assert first.shape == (TEXTURE_SIZE, TEXTURE_SIZE, 3)
    assert first.min() >= 0 and first.max() <= 1


def test_mip_levels_are_means_of_the_level_below():
    picture = np.random.default_rng(0).random((1, TEXTURE_SIZE, TEXTURE_SIZE, 3), dtype=np.float32)
    chain = mip_chain(picture)[0].astype(float)
    for level in range(MIP_LEVELS):
        side = TEXTURE_SIZE >> level
        block = picture[0].reshape(side, TEXTURE_SIZE // side, side, TEXTURE_SIZE // side, 3).mean((1, 3))
        stored = chain[MIP_OFFSETS[level] : MIP_OFFSETS[level] + side * side].reshape(side, side, 3)
        assert np.abs(stored - 255 * block).max() <= 0.51


def test_packed_texels_hold_the_same_colours():
    packed = packed_texels("validation")
    lanes = np.stack([packed >> np.uint64(shift) & np.uint64(0x1FFFFF) for shift in (0, 21, 42)], axis=-1)
    assert np.array_equal(lanes, texture_bank("validation").texels)


def test_unknown_split_is_refused():
    with pytest.raises(ValueError, match="'dev'"):
        texture_bank("dev")
