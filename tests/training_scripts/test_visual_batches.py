"""Batches for the visual tokenizer: shapes and ranges, the same for the same seed, geometry untouched by colours."""

import numpy as np
import pytest
import torch

from camvig.dataset_builders import clip_cache
from camvig.dataset_builders.clip_cache import ClipCache, write_clip_cache
from camvig.dataset_builders.exact_flow import backward_flow
from camvig.dataset_builders.rooms.room_clips import room_clip
from camvig.training_scripts.train_visual_tokenizer import VisualDataArguments, prepare_shards
from camvig.training_scripts.visual_batches import (
    add_pictures,
    change_colours,
    clip_arrays,
    collate,
    log_inverse_depth,
    training_batch,
)

SIZE, MOVES = 32, ("truck_left", "dolly_in")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clip_cache, "SHARD_CLIPS", len(MOVES))
        folder = tmp_path_factory.mktemp("clips")
        shards = write_clip_cache(
            folder, lambda index: room_clip("validation", index, 0, SIZE, move=MOVES[index], threads=1), len(MOVES)
        )
        yield ClipCache(shards)


def test_a_clip_becomes_arrays_with_exact_flow(cache):
    clip = cache[0]
    arrays = clip_arrays(clip)
    flow, visibility, in_front = backward_flow(clip["depth"], clip["camera_to_world"], clip["intrinsics"])
    assert np.array_equal(arrays["flow"], flow)
    assert np.array_equal(arrays["visibility"][:, 0], visibility)
    assert np.array_equal(arrays["in_front"][:, 0], in_front)
    assert not arrays["moving"].any()
    assert arrays["depth_is_known"] == 1 and arrays["depth_is_known"].dtype == np.float32


def test_things_that_move_are_rendered_besides_and_are_in_the_flow(tmp_path):
    data = VisualDataArguments(str(tmp_path), room_clips=1, moving_room_clips=2, panorama_clips=0, num_processes=1)
    cache = ClipCache(prepare_shards(data, SIZE))
    assert {folder.name for folder in tmp_path.iterdir()} == {"rooms-train-32", "moving-rooms-train-32", "panoramas-32"}
    moves = False
    for clip in (cache[1], cache[2]):
        of_camera, _, in_front = backward_flow(clip["depth"], clip["camera_to_world"], clip["intrinsics"])
        is_room = (clip["object_ids"][1:] == 0) & in_front.astype(bool)
        arrays = clip_arrays(clip)
        flow = arrays["flow"]
        assert np.array_equal(arrays["moving"][:, 0], clip["object_ids"][1:] > 0)
        assert np.allclose(flow.transpose(0, 2, 3, 1)[is_room], of_camera.transpose(0, 2, 3, 1)[is_room], atol=1e-5)
        moves |= not np.allclose(flow, of_camera, atol=1e-2)
    assert moves


def test_shapes_and_ranges(cache):
    batch = training_batch(cache, 3, (0, 1), extra_pictures=2)
    shapes = {
        "video": (3, 3, 17, SIZE, SIZE),
        "flow": (3, 16, 2, SIZE, SIZE),
        "visibility": (3, 16, 1, SIZE, SIZE),
        "in_front": (3, 16, 1, SIZE, SIZE),
        "moving": (3, 16, 1, SIZE, SIZE),
        "log_inverse_depth": (3, 17, SIZE // 4, SIZE // 4),
        "depth_is_known": (3,),
        "pictures": (9, 3, SIZE, SIZE),
        "picture_depth": (9, 1, SIZE // 4, SIZE // 4),
        "picture_depth_is_known": (9,),
    }
    assert {name: tuple(values.shape) for name, values in batch.items()} == shapes
    assert all(values.dtype == torch.float32 and values.isfinite().all() for values in batch.values())
    assert batch["video"].min() >= -1 and batch["video"].max() <= 1 and batch["video"].std() > 0.05
    assert batch["flow"].abs().max() <= 1.5
    assert batch["log_inverse_depth"].abs().max() <= np.log(12) + 1e-6
    for name in ("visibility", "in_front", "depth_is_known"):
        assert set(batch[name].unique().tolist()) <= {0.0, 1.0}


def test_the_seed_decides_everything(cache):
    first, again, other = (training_batch(cache, 2, seed, extra_pictures=1) for seed in ((0, 5), (0, 5), (0, 6)))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["video"], other["video"])


def test_colours_change_alike_in_all_frames(cache):
    frames = np.asarray(cache[0]["frames"])
    for seed in range(5):
        changed = change_colours(frames, np.random.default_rng(seed))
        alone = np.stack([change_colours(frame[None], np.random.default_rng(seed))[0] for frame in frames])
        assert np.array_equal(changed, alone)
        assert changed.dtype == np.float32 and changed.min() >= 0 and changed.max() <= 255
    assert not np.allclose(changed, frames)


def test_a_colour_change_is_a_permutation_a_gain_and_an_offset():
    frames = np.tile(np.array([90, 120, 150], np.uint8), (2, 4, 4, 1))
    seen = set()
    for seed in range(40):
        pixel = change_colours(frames, np.random.default_rng(seed))[0, 0, 0]
        order = np.argsort(np.argsort(pixel))
        low, middle, high = np.sort(pixel)
        assert high - middle == pytest.approx(middle - low, abs=1e-3)
        assert 0.8 * 30 <= middle - low <= 1.2 * 30
        seen.add(tuple(order.tolist()))
    assert len(seen) == 6


def test_pictures_are_the_frames_that_their_depth_is_of(cache):
    batch = training_batch(cache, 2, (0, 3), extra_pictures=2)
    pictures, depths = batch["pictures"].unflatten(0, (3, 2)), batch["picture_depth"].unflatten(0, (3, 2))
    assert torch.equal(pictures[0], batch["video"][:, :, 0])
    assert torch.equal(depths[0, :, 0], batch["log_inverse_depth"][:, 0])
    for picture, depth in zip(pictures[1:], depths[1:], strict=True):
        (frame,) = (t for t in range(17) if torch.equal(picture, batch["video"][:, :, t]))
        assert frame >= 1
        assert torch.equal(depth[:, 0], batch["log_inverse_depth"][:, frame])


def test_each_picture_knows_whether_its_own_clip_has_depth(cache):
    clips = [clip_arrays(cache[0]), clip_arrays({**cache[1], "depth_is_known": False})]
    batch = add_pictures(collate(clips), [0, 7, 16])
    assert batch["picture_depth_is_known"].tolist() == [1, 0, 1, 0, 1, 0]
    assert torch.equal(batch["pictures"][3], batch["video"][1, :, 7])
    expected = torch.from_numpy(np.array(cache[1]["frames"][7])).permute(2, 0, 1) / 127.5 - 1
    assert torch.allclose(batch["pictures"][3], expected)


def test_log_inverse_depth_is_relative_to_the_median_and_clipped():
    depth = np.full((2, 8, 8), 2.0, np.float32)
    depth[:, :4, :4], depth[1, 4:, 4:] = 1.0, 100.0
    values = log_inverse_depth(depth)
    assert values.shape == (2, 2, 2)
    assert values[:, 0, 0] == pytest.approx(np.log(2)) and values[:, 0, 1] == pytest.approx(0)
    assert values[1, 1, 1] == pytest.approx(-np.log(12))
    assert np.allclose(log_inverse_depth(7 * depth), values, atol=1e-6)
