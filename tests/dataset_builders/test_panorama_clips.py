"""Panorama clips: exact (frame 0 warped by the flow of a pure rotation gives the later frames), seeded, balanced."""

from collections import Counter
from functools import cache

import cv2
import numpy as np
import pytest

from camvig.camera_paths.camera_path import CameraPath
from camvig.dataset_builders.exact_flow import backward_flow, forward_flow
from camvig.dataset_builders.panorama_clips import (
    MOVE_SHARES,
    PANORAMA_FOLDER,
    PLACES,
    PanoramaClip,
    camera_rays,
    panorama_clip,
    render_panorama,
    sample_exposure,
)


@cache
def tiny_clips() -> list[PanoramaClip]:
    return [panorama_clip(seed, size=8) for seed in range(200)]


@cache
def clip_of_move(move: str) -> PanoramaClip:
    """A clip of this move that moves visibly, in a place of clear but not too fine texture."""
    return next(
        panorama_clip(clip.clip_seed)
        for clip in tiny_clips()
        if clip.move == move
        and clip.place in ("bridge", "hall", "studio", "warehouse")
        and (move == "static" or total_motion(clip) > 0.15)
    )


def total_motion(clip: PanoramaClip) -> float:
    relative = clip.path.camera_to_world[-1, :3, :3]
    return np.abs(relative - np.eye(3)).max() + abs(np.log(clip.intrinsics[-1, 0] / clip.intrinsics[0, 0]))


def warped_first_frame(clip: PanoramaClip, flow: np.ndarray, time: int) -> np.ndarray:
    size = clip.frames.shape[1]
    columns, rows = np.meshgrid(np.arange(size, dtype=np.float32), np.arange(size, dtype=np.float32))
    columns, rows = columns + flow[time - 1, 0] * size, rows + flow[time - 1, 1] * size
    return cv2.remap(clip.frames[0], columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


@pytest.mark.parametrize("move", MOVE_SHARES)
def test_first_frame_warped_by_the_exact_flow_gives_the_later_frames(move):
    clip = clip_of_move(move)
    flow, visibility, _ = backward_flow(clip.depth, clip.camera_to_world, clip.intrinsics)
    for time in (4, 10, 16):
        seen = visibility[time - 1].astype(bool)
        difference = clip.frames[time].astype(float) - warped_first_frame(clip, flow, time)
        unmoved = clip.frames[time].astype(float) - clip.frames[0]
        error, static_error = np.square(difference[seen]).mean(), np.square(unmoved[seen]).mean()
        assert seen.mean() > 0.2
        assert error < 60  # of 255^2; resampling twice softens what is sharp
        assert move == "static" or error < 0.35 * static_error


@pytest.mark.parametrize("move", MOVE_SHARES)
def test_everything_in_view_of_the_first_frame_is_visible(move):
    clip = clip_of_move(move)
    flow, visibility, in_front = backward_flow(clip.depth, clip.camera_to_world, clip.intrinsics)
    centres = (np.arange(64) + 0.5) / 64
    x, y = centres + flow[:, 0], centres[:, None] + flow[:, 1]
    in_view = (x >= 0) & (x < 1) & (y >= 0) & (y < 1) & (in_front == 1)
    assert np.array_equal(visibility == 1, in_view)


@pytest.mark.parametrize(
    ("move", "axis", "sign"),
    [("pan_right", 0, -1), ("pan_left", 0, 1), ("tilt_up", 1, 1), ("tilt_down", 1, -1)],
)
def test_content_moves_against_the_camera(move, axis, sign):
    clip = clip_of_move(move)
    flow = forward_flow(clip.depth, clip.camera_to_world, clip.intrinsics)
    assert sign * np.median(flow[:, 24:40, 24:40, axis]) > 0.1


def test_turning_right_shows_what_lay_to_the_right_in_the_panorama():
    """Independent of the warp: a camera that looks to longitude 90 sees what is at three quarters of the panorama."""
    lens = CameraPath.zoom(4.0).intrinsics[-1:]
    to_the_right = CameraPath.pan(90.0).camera_to_world[-1:, :3, :3]
    frame = render_panorama("warehouse", False, to_the_right, lens, 32)[0]
    flipped = render_panorama("warehouse", True, to_the_right.transpose(0, 2, 1), lens, 32)[0]
    assert np.abs(frame.astype(int) - flipped[:, ::-1]).max() <= 2
    panorama = cv2.imread(str(PANORAMA_FOLDER / "warehouse.jpg"), cv2.IMREAD_COLOR_RGB)
    half = round(np.arctan(0.5 / lens[0, 0]) / (2 * np.pi) * 1024)
    cut = cv2.resize(panorama[256 - half : 256 + half, 768 - half : 768 + half], (32, 32), interpolation=cv2.INTER_AREA)
    assert np.abs(frame.astype(int) - cut).mean() < 6


def test_clips_are_functions_of_their_seed():
    first, again, other = panorama_clip(5, size=16), panorama_clip(5, size=16), panorama_clip(6, size=16)
    assert np.array_equal(first.frames, again.frames) and first.move == again.move
    assert np.array_equal(first.camera_to_world, again.camera_to_world)
    assert not np.array_equal(first.frames, other.frames)


def test_training_clips_stay_what_they_were():
    """Drawn before there were splits: caches and the shipped tokenizer were made of these."""
    drawn = [(clip.place, clip.move) for clip in tiny_clips()[:6]]
    places = ["park", "studio", "hall", "studio", "park", "warehouse"]
    assert drawn == list(
        zip(places, ["zoom_in", "tilt_down", "pan_left", "zoom_out", "roll_right", "pan_left"], strict=True)
    )
    np.testing.assert_allclose(panorama_clip(5, size=8).intrinsics[0], [0.80646905, 1.13132141, 0.5, 0.5], rtol=1e-7)


def test_places_of_the_test_split_are_in_no_training_clip():
    held_out = [panorama_clip(seed, 8, "test") for seed in range(40)]
    assert {clip.split for clip in held_out} == {"test"}
    assert {clip.place for clip in held_out} == {"apartment", "city", "lobby", "sunrise"}
    assert not {clip.place for clip in held_out} & {clip.place for clip in tiny_clips()}
    assert not set(PLACES["train"]) & set(PLACES["test"])
    pictures = {file.stem: file.read_bytes() for file in PANORAMA_FOLDER.glob("*.jpg")}
    assert set(pictures) == {*PLACES["train"], *PLACES["test"]} and len(set(pictures.values())) == 11
    paths = zip(held_out, tiny_clips(), strict=False)
    assert not any(np.array_equal(clip.camera_to_world, other.camera_to_world) for clip, other in paths)


def test_there_is_no_validation_split():
    with pytest.raises(ValueError, match="expected train or test as split of the panoramas, got validation"):
        panorama_clip(0, split="validation")


def test_shapes_and_conventions():
    clip = panorama_clip(1, size=16)
    assert clip.frames.shape == (17, 16, 16, 3) and clip.frames.dtype == np.uint8
    assert clip.depth.shape == (17, 16, 16) and clip.depth.dtype == np.float32
    assert np.median(clip.depth[0]) == pytest.approx(1.0)
    assert not clip.depth_is_known and clip.median_depth == 1.0 and clip.split == "train"
    assert clip.place == PLACES["train"][clip.scene_seed]
    assert np.array_equal(clip.path.camera_to_world[0], np.eye(4))
    assert not clip.camera_to_world[:, :3, 3].any()


def test_sizes_agree_on_the_picture():
    large = panorama_clip(3, size=64)
    halved = np.stack([cv2.resize(frame, (32, 32), interpolation=cv2.INTER_AREA) for frame in large.frames])
    assert np.abs(halved.astype(int) - panorama_clip(3, size=32).frames).mean() < 3


def test_places_directions_and_lenses_are_balanced():
    clips = tiny_clips()
    places, moves = Counter(clip.place for clip in clips), Counter(clip.move for clip in clips)
    assert set(places) == set(PLACES["train"]) and min(places.values()) > 10
    assert set(moves) == set(MOVE_SHARES) and sum(MOVE_SHARES.values()) == pytest.approx(1.0)
    aspects = np.array([clip.path.aspect for clip in clips])
    assert 0.4 < (np.abs(aspects - 1) < 1e-9).mean() < 0.6
    assert aspects.min() >= 9 / 16 - 1e-9 and aspects.max() <= 16 / 9 + 1e-9
    fields = [2 * np.degrees(np.arctan(0.5 / clip.intrinsics[0, :2].min())) for clip in clips]
    assert min(fields) >= 50 - 1e-6 and max(fields) <= 85 + 1e-6
    zooms = np.array([clip.intrinsics[-1, 0] / clip.intrinsics[0, 0] for clip in clips])
    assert zooms.min() > 0.65 and zooms.max() < 1.5


def test_panorama_has_no_seam_at_the_back():
    """The two ends of a panorama are one place: a view across them has no sharper edge there than beside."""
    backwards = CameraPath.pan(180.0).camera_to_world[-1:, :3, :3]
    frame = render_panorama("park", False, backwards, CameraPath.static().intrinsics[:1], 64)[0].astype(float)
    steps = np.abs(np.diff(frame, axis=1)).mean(axis=(0, 2))  # [63] between columns
    assert steps[31] < 1.5 * np.median(steps)


def test_rays_go_through_pixel_centres():
    rays = camera_rays(np.array([[0.5, 1.0, 0.5, 0.5]]), 2)
    assert np.allclose(rays[0, 0, 0], [-0.5, -0.25, 1.0]) and np.allclose(rays[0, 1, 1], [0.5, 0.25, 1.0])


def test_exposure_is_mild_and_grey_stays_grey():
    rng = np.random.default_rng(0)
    for _ in range(20):
        grey = sample_exposure(rng) @ [128, 128, 128, 1]
        assert np.ptp(grey) < 1e-9 and 80 < grey[0] < 176


@pytest.mark.parametrize("size", [4, 1000])
def test_sizes_out_of_range_are_refused(size):
    with pytest.raises(ValueError, match="expected a size"):
        panorama_clip(0, size=size)
