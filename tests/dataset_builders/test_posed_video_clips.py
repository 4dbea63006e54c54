"""Videos with RealEstate10K-style paths beside them: rooms rendered to mp4, whose paths, depths and frames are known."""

from __future__ import annotations

from pathlib import Path

import cv2
import datasets
import numpy as np
import pytest

from camvig import CameraPath
from camvig.dataset_builders.clip_rows import camera_path_of
from camvig.dataset_builders.clip_videos import decode_video
from camvig.dataset_builders.posed_video_clips import FEATURES, PosedVideoClips
from camvig.dataset_builders.rooms.room_clips import room_clip
from camvig.dataset_builders.rooms.room_renderer import render
from camvig.dataset_builders.rooms.room_scenes import sample_scene
from camvig.dataset_builders.videos.posed_video_cutting import PosedCutSettings, cut_posed_video, pose_windows
from camvig.dataset_builders.videos.principal_crop import OFF_CENTRE
from camvig.dataset_builders.videos.video_report import VideoFileReport

UNIT = 0.37  # metres in the unit of the reconstruction
FRAMES = 52  # at 24 a second: 17 frames at 8 and 3 more


class Tour:
    """A walk through a room, and what of it is true."""

    def __init__(self, seed: int, move: str, principal_point: tuple[float, float] = (0.5, 0.5)):
        self.clip = room_clip("train", seed, 0, 32, move=move, threads=1)
        path = CameraPath(self.clip.camera_to_world, self.clip.intrinsics, 8.0, "metre").resample(49, fps=24)
        held = [*range(49), 48, 48, 48]
        lenses = path.intrinsics[held]
        lenses[:, 2:] = principal_point
        self.path = CameraPath(path.camera_to_world[held], lenses, 24.0, "metre")
        self.scene = sample_scene("train", seed)
        self.frames = render(self.scene, self.path.camera_to_world, self.path.intrinsics, 160, 1, 1)[0]

    def write(self, file: Path, write_test_video, delay: float = 0.0) -> Path:
        """The mp4, and the text in an unknown unit, with timestamps `delay` seconds late."""
        write_test_video(file, self.frames, fps=24)
        poses = self.path.camera_to_world.copy()
        poses[:, :3, 3] /= UNIT
        CameraPath(poses, self.path.intrinsics, 24.0, "metre").to_file(file.with_suffix(".txt"), "re10k")
        if delay:
            lines = [line.split(" ", 1) for line in file.with_suffix(".txt").read_text().splitlines()]
            later = [lines[0], *([str(int(time) + round(delay * 1e6)), rest] for time, rest in lines[1:])]
            file.with_suffix(".txt").write_text("\n".join(map(" ".join, later)))
        return file


@pytest.fixture(scope="module")
def tour() -> Tour:
    return Tour(3, "truck_right")


@pytest.fixture(autouse=True, scope="module")
def quiet():
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def cut(file: Path, **settings):
    report = VideoFileReport(file.name)
    clips = cut_posed_video(file, file.with_suffix(".txt"), PosedCutSettings(64, 0.0005, **settings), report)
    return list(clips), report


@pytest.mark.filterwarnings("ignore:.*cannot hold")
def test_a_tour_comes_back_as_its_path_in_scene_depths(tour, write_test_video, tmp_path):
    clips, report = cut(tour.write(tmp_path / "a tour ü.mp4", write_test_video))
    assert report.clips == len(clips) == 1 and report.skipped_because is None
    assert report.frames_read == 49  # no further than the last pose of a clip
    (clip,) = clips
    assert clip.median_depth * UNIT == pytest.approx(tour.clip.median_depth, rel=0.25) and clip.num_points > 24
    metres = clip.path.to_unit("metre", clip.median_depth * UNIT)
    truth = CameraPath(tour.clip.camera_to_world, tour.clip.intrinsics, 8.0, "metre").relative()
    assert np.abs(metres.camera_to_world - truth.camera_to_world).max() < 1e-4
    assert np.abs(metres.intrinsics - truth.intrinsics).max() < 1e-6
    small = np.stack([cv2.resize(frame, (64, 64), interpolation=cv2.INTER_AREA) for frame in tour.frames])
    for index, frame in enumerate(clip.frames):  # the frame of the pose, not the one before or after
        errors = np.abs(frame.astype(int) - small[3 * index : 3 * index + 2]).mean(axis=(1, 2, 3))
        assert errors[0] < 3 and (errors[0] < errors[1] or index == 16)


@pytest.mark.filterwarnings("ignore:.*cannot hold")
def test_a_principal_point_off_the_middle_is_cut_around(write_test_video, tmp_path):
    tour = Tour(3, "truck_right", principal_point=(0.453, 0.56))
    (clip,), report = cut(tour.write(tmp_path / "off.mp4", write_test_video))
    assert (report.columns_cut, report.rows_cut) == clip.pixels_cut == (160 - 145, 160 - 140)
    expected = tour.path.intrinsics[:49:3] * (160 / 145, 160 / 140, 0, 0) + (0, 0, 0.5, 0.5)
    np.testing.assert_allclose(clip.path.intrinsics, expected, rtol=1e-6)
    poses = tour.path.camera_to_world[:49:3]
    straight, uncut = (render(tour.scene, poses, lens, 64, 1, 1)[0] for lens in (expected, tour.path.intrinsics[:49:3]))
    errors = [np.abs(clip.frames.astype(int) - other).mean() for other in (straight, uncut)]
    assert errors[0] < 4 and errors[0] < errors[1] / 3  # as if the camera had been made so
    text = (tmp_path / "off.txt").read_text().replace(" 0.453 ", " 0.8 ")
    (tmp_path / "off.txt").write_text(text)
    clips, report = cut(tmp_path / "off.mp4")
    assert clips == [] and list(report.skipped_clips) == [OFF_CENTRE] and report.rows_cut == 0


@pytest.mark.filterwarnings("ignore:.*cannot hold")
def test_a_given_depth_is_taken_as_it_is(tour, write_test_video, tmp_path):
    clips, _ = cut(tour.write(tmp_path / "tour.mp4", write_test_video), median_depth=5.0)
    assert clips[0].median_depth == 5.0 and clips[0].num_points == 0
    travel = np.linalg.norm(tour.clip.camera_to_world[-1, :3, 3] - tour.clip.camera_to_world[0, :3, 3])
    assert np.linalg.norm(clips[0].path.camera_to_world[-1, :3, 3]) == pytest.approx(travel / UNIT / 5.0, rel=1e-4)


@pytest.mark.filterwarnings("ignore:.*cannot hold")
def test_poses_of_other_times_or_other_videos_are_skipped_with_the_reason(tour, write_test_video, tmp_path):
    late = tour.write(tmp_path / "late.mp4", write_test_video, delay=0.5)
    clips, report = cut(late)
    assert clips == [] and report.skipped_clips == {"no frame at the time of a pose": 1}
    assert len(cut(late, trimmed=True)[0]) == 1
    wrong = tour.write(tmp_path / "wrong.mp4", write_test_video)
    CameraPath.tilt(20, num_frames=FRAMES, fps=24.0).to_file(wrong.with_suffix(".txt"), "re10k")
    clips, report = cut(wrong)
    assert clips == [] and report.skipped_clips == {"the poses do not fit the pictures": 1}
    still = tour.write(tmp_path / "constant.mp4", write_test_video)
    text = still.with_suffix(".txt").read_text().splitlines()
    still.with_suffix(".txt").write_text("\n".join([text[0], *("0 " + line.split(" ", 1)[1] for line in text[1:])]))
    assert "constant.txt: expected timestamps in microseconds" in str(cut(still)[1].skipped_because)
    still.with_suffix(".txt").write_text("no path\n1 2 3\n")
    assert "constant.txt, line 2: expected 19 numbers" in str(cut(still)[1].skipped_because)


def test_windows_are_of_stretches_without_gaps():
    seconds = np.concatenate([np.arange(100) / 24, 10 + np.arange(30) / 30, 20 + np.arange(70) / 30])
    windows, gaps = pose_windows(seconds)
    assert gaps == 2 and len(windows) == 3
    assert windows[0].tolist() == list(range(0, 51, 3)) and windows[1].tolist() == list(range(51, 102, 3))
    shown = seconds[windows[2]] - 20
    assert np.abs(shown - np.arange(17) / 8).max() <= 1 / 60 + 1e-9 and windows[2][0] == 130
    assert pose_windows(np.arange(49) / 24)[0][0][-1] == 48  # just enough
    assert pose_windows(np.arange(48) / 24) == ([], 0)


@pytest.mark.filterwarnings("ignore:.*cannot hold")
def test_a_folder_of_tours_as_a_dataset(tour, make_frames, write_test_video, tmp_path):
    folder = tmp_path / "tours"
    folder.mkdir()
    tour.write(folder / "one.mp4", write_test_video)
    Tour(5, "orbit_left").write(folder / "two.mp4", write_test_video)
    write_test_video(folder / "without a path.mp4", make_frames(60))
    (folder / "broken.mp4").write_bytes(b"nothing")
    (folder / "broken.txt").write_text((folder / "one.txt").read_text())
    settings = {"folder": str(folder), "size": 64, "licence": "CC0-1.0", "validation_share": 0.0, "test_share": 0.0}
    builder = PosedVideoClips(cache_dir=str(tmp_path / "cache"), **settings)
    builder.download_and_prepare()
    rows = builder.as_dataset(split="train")
    assert rows.features == FEATURES and sorted(rows["video_file"]) == ["one.mp4", "two.mp4"]
    for row in rows:
        path = camera_path_of(row)
        assert (
            row["has_path"] and row["depth_unit"] == "scene" and row["move"] == "recorded" and row["depth_points"] > 24
        )
        assert path.num_frames == 17 and path.motion_extent() is not None
        assert decode_video(row["video"]["bytes"]).shape == (17, 64, 64, 3)
    streamed = list(builder.as_streaming_dataset(split="train"))
    assert [row["clip_id"] for row in streamed] == rows["clip_id"][:]
    assert [row["video"] for row in streamed] == rows["video"][:]
    assert {video.file: video.skipped_because for video in builder.report.videos if video.skipped_because} == {
        "without a path.mp4": "no camera path of the same name (.txt) beside it",
        "broken.mp4": "not readable as a video",
    }
    with pytest.raises(ValueError, match="median_depth to be a positive number"):
        PosedVideoClips(cache_dir=str(tmp_path / "cache"), median_depth=0.0, **settings)
