"""Poses in the evaluation, the published protocol, and the hook for WBench."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from camvig.camera_paths.camera_path import CameraPath
from camvig.pipelines.evaluation.adapters import WBenchModel
from camvig.pipelines.evaluation.pose_scores import pose_scores, spread_indices
from camvig.pipelines.evaluation.published_protocol import holds_camera_files, measure_camera_files, read_poses
from camvig.pipelines.video_files import write_mp4

PATH = CameraPath.from_text("truck right 30%, pan right 10deg", num_frames=5)
OTHER = CameraPath.from_text("dolly in 30%", num_frames=5)
GREY = np.full((5, 64, 64, 3), 128, np.uint8)


def test_chosen_clips_are_spread():
    assert spread_indices(64, 4) == [8, 24, 40, 56] and spread_indices(3, 8) == [0, 1, 2]


def test_clips_without_texture_are_counted_and_controls_stay():
    found = pose_scores({"model": [GREY, GREY], "ground_truth": [GREY, GREY]}, [PATH, OTHER], [OTHER, PATH], 1, 0)
    for table in (found, found["ground_truth"]):
        assert table["clips"] == table["failed"] == 2 and table["success_rate"] == 0
        assert sum(table["problems"].values()) == 2 and np.isnan(table["rotation_error_deg"])
    assert found["camera_at_rest"]["translation_direction_error_deg"] == 90
    assert found["camera_at_rest"]["success_rate"] == 1
    angles = found["wrong_path"]["rotation_error_deg"]
    assert angles == pytest.approx(found["camera_at_rest"]["rotation_error_deg"] * 2)  # one of both turns, either way


def write_protocol(folder, stride=1, lengths=(5, 5)):
    (folder / "poses").mkdir()
    (folder / "videos").mkdir()
    path = CameraPath.from_text("truck right 30%", num_frames=4 * stride + 1)
    for name, length in zip("ab", lengths, strict=True):
        path.to_file(folder / "poses" / f"{name}.txt", "re10k")
        write_mp4(GREY[:length], folder / "videos" / f"{name}.mp4")
    return folder / "videos", folder / "poses", path


def test_camera_files_and_videos(tmp_path):
    videos, poses, path = write_protocol(tmp_path, stride=2)
    assert holds_camera_files(poses) and not holds_camera_files(videos)
    figures = measure_camera_files(videos, poses, 10, stride=2, trials=1, seed=0)
    assert figures["clips"] == 2 and figures["frames"] == 5 and figures["pose"]["success_rate"] == 0
    assert "no true video" in figures["unavailable"]["pose.ground_truth"]
    strided = read_poses(poses / "a.txt", 5, 2)
    np.testing.assert_allclose(strided.camera_to_world, path.camera_to_world[::2], atol=1e-6)


@pytest.mark.parametrize(
    ("lengths", "stride", "message"),
    [
        ((5, 4), 1, "expected videos of one length.*got 5 in .*a.mp4 and 4 in .*b.mp4"),
        ((2, 2), 1, "at least 3 frames, got 2 in .*a.mp4"),
        ((5, 5), 3, "expected at least 13 poses in .*a.txt for 5 frames of stride 3, got 5"),
    ],
)
def test_a_protocol_that_does_not_fit_names_the_file(lengths, stride, message, tmp_path):
    videos, poses, _ = write_protocol(tmp_path, lengths=lengths)
    with pytest.raises(ValueError, match=message):
        measure_camera_files(videos, poses, 10, stride, trials=1, seed=0)


def test_a_missing_video_names_the_camera_file(tmp_path):
    videos, poses, _ = write_protocol(tmp_path)
    (videos / "b.mp4").unlink()
    with pytest.raises(ValueError, match=r"expected a video of b\.txt"):
        measure_camera_files(videos, poses, 10, 1, trials=1, seed=0)


@pytest.mark.parametrize("frames", [2, 17, 20])
def test_wbench_gets_as_many_frames_as_it_asks_for(frames, tiny_pipeline, make_picture):
    picture = make_picture(48, 32)
    poses = CameraPath.from_text("dolly in 20%", num_frames=9).camera_to_world
    video = WBenchModel(tiny_pipeline, seed=1).generate_with_poses(picture, poses, frames)
    assert video.shape == (frames, 32, 48, 3) and video.dtype == np.uint8
    np.testing.assert_array_equal(video[0], np.asarray(picture))
    if frames == 17:
        path = CameraPath.from_text("dolly in 20%", num_frames=9).resample(17, fps=8.0)
        generator = torch.Generator().manual_seed(1)
        same = tiny_pipeline(picture, path, generator=generator).frames[0]
        np.testing.assert_array_equal(video, np.stack(same))


def test_wbench_needs_two_frames(tiny_pipeline, make_picture):
    with pytest.raises(ValueError, match="at least 2 frames and 2 poses, got 1 and 2"):
        WBenchModel(tiny_pipeline).generate_with_poses(make_picture(), np.tile(np.eye(4), (2, 1, 1)), 1)
