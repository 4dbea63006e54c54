"""Another system's videos: what is exported for it, and that its folder is measured as a checkpoint is, or refused by name."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from camvig.camera_paths.camera_path import CameraPath
from camvig.pipelines.evaluation.evaluate import evaluate
from camvig.pipelines.evaluation.exported_inputs import INPUTS, export_inputs, true_size
from camvig.pipelines.evaluation.video_source import VideoFolderSource
from camvig.pipelines.video_files import write_gif, write_mp4


@pytest.fixture(scope="module")
def exported(room_pair, tmp_path_factory):
    return export_inputs(room_pair, tmp_path_factory.mktemp("system") / "inputs", {"data": "rooms", "seed": 4})


@pytest.fixture
def videos(room_pair, tmp_path) -> Path:
    """The true videos as a system would leave them: twice as large, at the true aspect."""
    for clip in room_pair:
        size = true_size(64, clip.path.aspect)
        frames = [Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC) for frame in clip.frames]
        write_mp4(frames, tmp_path / f"{clip.name}.mp4")
    return tmp_path


def test_exported_inputs_are_all_that_a_system_needs(exported, room_pair):
    said = json.loads((exported / INPUTS).read_text())
    assert said["data"] == "rooms" and said["names"]["model"] == [clip.name for clip in room_pair]
    for clip in room_pair:
        file = exported / "model" / clip.name
        assert CameraPath.from_file(file.with_suffix(".json")) == clip.path
        text = CameraPath.from_file(file.with_suffix(".txt"), unit="scene_depth")
        assert text.allclose(clip.path, tolerance=1e-6)
        width, height = Image.open(file.with_suffix(".png")).size
        assert min(width, height) == 32 and width / height == pytest.approx(clip.path.aspect, rel=0.04)
        assert (exported / "no_camera" / f"{clip.name}.png").exists()
        assert not (exported / "no_camera" / f"{clip.name}.json").exists()
    mirrored = CameraPath.from_file(exported / "mirrored_path" / f"{room_pair[0].name}.json")
    assert mirrored == room_pair[0].path.mirrored()


def test_inputs_overwrite_nothing(exported, room_pair):
    with pytest.raises(ValueError, match="free to write to"):
        export_inputs(room_pair, exported, {"seed": 0})


def test_true_videos_of_another_size_score_near_zero(videos, room_pair):
    (videos / "wrong_path").mkdir()
    one, other = (clip.name for clip in room_pair)
    shutil.copy(videos / f"{one}.mp4", videos / "wrong_path" / f"{other}.mp4")
    frames = [Image.fromarray(frame) for frame in room_pair[1].frames]
    write_gif(frames, videos / "wrong_path" / f"{one}.gif")
    figures = evaluate(room_pair, VideoFolderSource(videos), pose_clips=0).figures
    assert figures["flow_mse"]["model"] < 0.3 * figures["flow_mse"]["static"]
    assert figures["flow_mse"]["wrong_path"] > figures["flow_mse"]["model"]
    for kind in ("reconstruction", "mirrored_path", "no_camera"):
        assert figures["flow_mse"][kind] is None and str(videos) in figures["unavailable"][kind]


def folder_of_pictures(folder: Path, frames: np.ndarray) -> None:
    folder.mkdir()
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{number:03d}.png")


def test_a_folder_of_pictures_is_a_video(videos, room_pair):
    clip = room_pair[0]
    (videos / f"{clip.name}.mp4").unlink()
    folder_of_pictures(videos / clip.name, clip.frames)
    figures = evaluate(room_pair, VideoFolderSource(videos), pose_clips=0).figures
    assert figures["per_clip"][0]["flow_mse"]["model"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("short", r"expected 17 frames in .*, as many as its clip has, got 9"),
        ("tiny", r"expected a video of at least 3 frames, got 2 in"),
        ("wide", r"expected a picture of aspect .* got 96x32"),
        ("missing", r"expected a video of the clip .*, got none"),
        ("unknown", r"expected videos named like the clips, got .*other.mp4: there is no clip other"),
        ("twice", r"expected one video of the clip .*, got .*gif and .*mp4"),
        ("broken", r"expected a video file, got .*mp4"),
    ],
)
def test_what_does_not_fit_is_one_error_that_names_the_file(change, message, videos, room_pair):
    clip, file = room_pair[0], videos / f"{room_pair[0].name}.mp4"
    if change == "short":
        write_mp4(clip.frames[:9], file)
    elif change == "tiny":
        write_mp4(clip.frames[:2], file)
    elif change == "wide":
        write_mp4(np.concatenate([clip.frames] * 3, axis=2), file)
    elif change == "missing":
        file.unlink()
    elif change == "unknown":
        shutil.copy(file, videos / "other.mp4")
    elif change == "twice":
        write_gif(clip.frames, file.with_suffix(".gif"))
    else:
        file.write_bytes(b"no video")
    with pytest.raises(ValueError, match=message) as error:
        evaluate(room_pair, VideoFolderSource(videos), pose_clips=0)
    assert re.search(re.escape(clip.name) if change != "unknown" else "other", str(error.value))


def test_a_folder_must_be_there(tmp_path):
    with pytest.raises(ValueError, match=r"expected a folder of videos, got .*nowhere: no such folder"):
        VideoFolderSource(tmp_path / "nowhere")
