"""Clips to measure on: rooms, folders with and without depth, and their variants."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

from camvig.dataset_builders.panorama_clips import PLACES
from camvig.dataset_builders.render_clips import clip_files, render_clips
from camvig.dataset_builders.rooms.room_clips import room_clips
from camvig.metrics.flow_mse import dis_flow
from camvig.pipelines.evaluation.controls import depth_warp, plane_homographies, warped_plane
from camvig.pipelines.evaluation.eval_clips import EvalClip, read_eval_clips
from camvig.pipelines.evaluation.requests import height_of, requests_of, side_of


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips") / "rendered"
    render_clips(["room:train/5"], 3, folder, size=48)
    return folder


def test_rooms_are_the_split_as_it_is(room_pair):
    for clip, room in zip(room_pair, room_clips("validation", 2, size=32), strict=True):
        np.testing.assert_array_equal(clip.frames, room.frames)
        assert clip.path == room.path and clip.move == room.move
    assert len({clip.name for clip in room_pair}) == 2


def test_a_folder_of_rendered_clips_has_depth(rendered):
    clips, split = read_eval_clips(str(rendered), None, 3, size=32, num_frames=5)
    assert split == "all" and len(clips) == 3
    for clip in clips:
        assert clip.frames.shape == (5, 32, 32, 3) and clip.path.num_frames == 5
        assert clip.depth is not None and clip.depth.shape == (5, 32, 32)
        assert clip.hidden is not None and clip.hidden.shape == (4, 32, 32)
        assert clip.path.unit == "scene_depth"


def test_clips_without_depth_and_splits_by_folder(rendered, tmp_path):
    (tmp_path / "test").mkdir()
    pq.write_table(pq.read_table(clip_files(rendered)[0]).drop_columns("depth"), tmp_path / "test" / "clips.parquet")
    clips, split = read_eval_clips(str(tmp_path), None, 2, size=32, num_frames=17)
    assert split == "test" and all(clip.depth is None and clip.hidden is None for clip in clips)
    assert clips[0].backwards() is None
    requests = requests_of(clips, [dis_flow(clip.frames) for clip in clips], 0)
    assert not requests["up_down"]
    with pytest.raises(ValueError, match=f"expected a split train in {tmp_path}, got test"):
        read_eval_clips(str(tmp_path), "train", 2, 32, 17)


@pytest.fixture(scope="module")
def panoramas() -> list[EvalClip]:
    return read_eval_clips("panoramas", None, 5, size=32, num_frames=17)[0]


def test_panoramas_are_the_same_places_that_no_training_saw(panoramas):
    again, split = read_eval_clips("panoramas", None, 5, size=32, num_frames=17)
    assert split == "test" and len({clip.name for clip in panoramas}) == 5
    assert {clip.scene for clip in panoramas} <= set(PLACES["test"])
    for clip, other in zip(panoramas, again, strict=True):
        np.testing.assert_array_equal(clip.frames, other.frames)
        assert clip.name == other.name and clip.path == other.path
    clips, split = read_eval_clips("panoramas", "train", 3, size=16, num_frames=5)
    assert split == "train" and {clip.scene for clip in clips} <= set(PLACES["train"])


def test_flow_and_hidden_regions_of_panoramas_are_those_of_a_turn(panoramas):
    """By the homographies of the path, which know no depth; a warp by depth is then the flat picture at infinity."""
    centres = (np.arange(32) + 0.5) / 32
    places = np.stack([*np.meshgrid(centres, centres), np.ones((32, 32))], axis=-1)  # [32, 32, 3]
    for clip in panoramas:
        of_first = plane_homographies(clip.path, float("inf"))
        to_next = of_first[1:] @ np.linalg.inv(of_first[:-1])
        moved = np.einsum("tij,hwj->thwi", to_next, places)
        flow = (moved[..., :2] / moved[..., 2:] - places[..., :2]) * 32
        np.testing.assert_allclose(clip.flow_parts().camera, flow, atol=1e-3)
        seen = np.einsum("tij,hwj->thwi", np.linalg.inv(of_first[1:]), places)
        in_first = (seen[..., 2] > 0) & (np.abs(seen[..., :2] / seen[..., 2:] - 0.5) < 0.5).all(axis=-1)
        assert clip.hidden is not None and (clip.hidden == ~in_first).mean() > 0.999  # but for rounding at the edges
        difference = depth_warp(clip).astype(int) - warped_plane(clip.frames[0], clip.path, float("inf"))
        assert np.abs(difference[1:][in_first]).max() <= 4
        backwards = clip.backwards()
        assert backwards is None or not backwards.path.camera_to_world[:, :3, 3].any()


def test_mirroring_twice_and_running_backwards_twice_gives_the_clip(room_pair):
    clip = room_pair[0]
    twice = clip.mirrored().mirrored()
    np.testing.assert_array_equal(twice.frames, clip.frames)
    assert twice.path.allclose(clip.path)
    assert not clip.mirrored().path.allclose(clip.path)
    backwards = clip.backwards()
    assert backwards is not None
    np.testing.assert_array_equal(backwards.frames, clip.frames[::-1])
    again = backwards.backwards()
    assert again is not None and again.path.allclose(clip.path, tolerance=1e-4)


def test_directions_are_those_of_the_camera(room_pair):
    flow = np.zeros((16, 32, 32, 2), np.float32)
    assert side_of("free", flow) == height_of(flow) == ""
    flow[..., 0], flow[..., 1] = 1, -1  # things move right and up
    assert side_of("free", flow) == "left" and height_of(flow) == "down"
    assert side_of("truck_right", flow) == "right"


def test_requests_stay_in_pairs(room_pair):
    requests = requests_of(room_pair, [dis_flow(clip.frames) for clip in room_pair], seed=5)
    assert [request.seed for request in requests["wrong_path"]] == [5, 6]
    assert requests["wrong_path"][0].path == room_pair[1].path
    assert requests["mirrored_path"][1].path == room_pair[1].path.mirrored()
    assert all(request.path is None for request in requests["no_camera"])
    for request in requests["left_right"]:
        (clip,) = (clip for clip in room_pair if clip.name == request.name)
        np.testing.assert_array_equal(request.picture, clip.frames[0, :, ::-1])


@pytest.mark.parametrize(
    ("data", "split", "count", "frames", "message"),
    [
        ("rooms", "test", 1, 17, "at least 2 clips"),
        ("rooms", "test", 2, 2, "expected 3 to 17 frames a clip, got 2"),
        ("panoramas", "validation", 2, 17, "expected train or test as split of the panoramas, got validation"),
        (
            "nowhere",
            None,
            2,
            17,
            "expected rooms, moving-rooms, panoramas or a folder of clips as data, got nowhere: no such folder",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(data, split, count, frames, message):
    with pytest.raises(ValueError, match=message):
        read_eval_clips(data, split, count, 32, frames)


def test_a_folder_without_splits_has_none(rendered):
    with pytest.raises(ValueError, match="a folder without splits"):
        read_eval_clips(str(rendered), "validation", 2, 32, 17)


def test_a_folder_with_one_split_only_is_measured_on_it_with_a_warning(rendered, tmp_path):
    (tmp_path / "train").symlink_to(rendered, target_is_directory=True)
    with pytest.warns(UserWarning, match="has no split test: measuring on its only one, train"):
        clips, split = read_eval_clips(str(tmp_path), None, 2, 32, 17)
    assert split == "train" and len(clips) == 2
    (tmp_path / "validation").mkdir()
    with pytest.raises(ValueError, match=r"expected a split test in .*, got train, validation"):
        read_eval_clips(str(tmp_path), None, 2, 32, 17)
