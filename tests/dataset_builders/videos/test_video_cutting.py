"""Clips of one video: which frames they take, what they leave out, and that the account adds up."""

from __future__ import annotations

import numpy as np
import pytest

from camvig.dataset_builders.videos.video_cutting import CutSettings, centre_crop, cut_video, mean_motion
from camvig.dataset_builders.videos.video_report import VideoFileReport

SETTINGS = CutSettings(size=32)


def cut(file, settings: CutSettings = SETTINGS):
    report = VideoFileReport(file.name)
    return list(cut_video(file, settings, report)), report


def numbered(count: int) -> np.ndarray:
    """Frames whose grey value, 2 a frame from 20 on, is their number; with stripes that move, so that there is motion."""
    stripes = 40 * (((np.arange(64) + np.arange(count)[:, None]) // 8) % 2)  # [T, 64]
    base = np.arange(count)[:, None] + 20
    return np.repeat(np.repeat((base + stripes)[:, None, :, None], 48, axis=1), 3, axis=3).astype(np.uint8)


def numbers_of(clip) -> list[int]:
    return [round(float(frame[:, :, :].astype(float).mean()) - 20 - 20) for frame in clip.frames]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        # 10 fps: the frame nearest to k / 8 s, which is 1.25 k frames after the first
        ([100 * k for k in range(40)], [0, 1, 2, 4, 5, 6, 8, 9, 10, 11, 12, 14, 15, 16, 18, 19, 20]),
        # 24 fps: every third frame
        ([round(1000 * k / 24) for k in range(60)], list(range(0, 51, 3))),
        # 40 ms a frame in the first second, 100 ms a frame afterwards
        (
            [40 * k for k in range(25)] + [1000 + 100 * k for k in range(20)],
            [0, 3, 6, 9, 12, 16, 19, 22, 25, 26, 27, 29, 30, 31, 33, 34, 35],
        ),
    ],
)
def test_samples_are_the_nearest_in_time(write_test_video, tmp_path, times, expected):
    # what the nearest frames are, said once more in a line
    assert all(
        abs(times[index] / 1000 - k / 8) <= np.abs(np.array(times) / 1000 - k / 8).min() + 1e-3
        for k, index in enumerate(expected)
    )
    clips, report = cut(write_test_video(tmp_path / "v.mp4", numbered(len(times)), milliseconds=times))
    assert np.abs(np.array(numbers_of(clips[0])) - expected).max() <= 1.01
    shown = np.array([times[index] for index in expected]) / 1000
    assert clips[0].start_seconds == shown[0] == 0.0
    assert report.frames_read == len(times) and report.clips == len(clips)


def test_2997_frames_a_second_stay_in_step(make_frames, write_test_video, tmp_path):
    clips, report = cut(write_test_video(tmp_path / "v.mp4", make_frames(300, step=0.5), fps=30000 / 1001))
    assert [clip.start_seconds for clip in clips] == pytest.approx([k * 17 / 8 for k in range(4)], abs=0.017)
    assert (report.clips, report.shots, report.gaps, report.skipped_because) == (4, 1, 0, None)
    assert report.seconds == pytest.approx(299 * 1001 / 30000, abs=1e-3)
    assert report.seconds_left_over == pytest.approx((80 - 4 * 17) / 8)  # 80 samples in 9.98 s


def test_no_clip_goes_over_a_cut(make_frames, write_test_video, tmp_path):
    first, second = make_frames(70, seed=1), make_frames(60, seed=2)
    clips, report = cut(write_test_video(tmp_path / "v.mp4", np.concatenate([first, second])))
    assert (report.shots, report.cuts, report.clips) == (2, 1, 2)
    assert [clip.start_seconds for clip in clips] == pytest.approx([0, 70 / 24])
    small = cut(write_test_video(tmp_path / "w.mp4", second))[0][0]
    assert np.abs(clips[1].frames.astype(int) - small.frames).mean() < 4


def test_static_clips_are_counted_not_made(make_frames, write_test_video, tmp_path):
    still = make_frames(1).repeat(60, axis=0)
    clips, report = cut(write_test_video(tmp_path / "still.mp4", still))
    assert clips == [] and report.skipped_clips == {"static": 1} and report.skipped_because is None
    assert len(cut(write_test_video(tmp_path / "still.mp4", still), CutSettings(32, min_motion=0))[0]) == 1


def test_motion_is_in_picture_sides_a_frame(make_frames):
    assert mean_motion(make_frames(8, step=2.0)) == pytest.approx(2 / 64, rel=0.2)
    wide = make_frames(8, step=2.0, size=(96, 128))
    assert mean_motion(wide) == pytest.approx(2 / 128, rel=0.2)


@pytest.mark.parametrize(
    ("count", "fps", "size", "reason"),
    [
        (3, 24, 32, "shorter than 17 frames at 8 a second"),
        (48, 24, 32, "shorter than 17 frames at 8 a second"),
        (60, 5, 32, "no shot is long enough"),
        (60, 24, 64, "smaller than 64 pixels"),
    ],
)
def test_videos_that_give_no_clip_say_why(make_frames, write_test_video, tmp_path, count, fps, size, reason):
    clips, report = cut(write_test_video(tmp_path / "v.mp4", make_frames(count), fps=fps), CutSettings(size))
    assert clips == [] and report.skipped_because == reason and report.skipped_clips == {}


def test_49_frames_at_24_a_second_are_just_enough(make_frames, write_test_video, tmp_path):
    assert len(cut(write_test_video(tmp_path / "v.mp4", make_frames(49), fps=24))[0]) == 1


def test_the_readable_part_of_a_broken_video_is_used(make_frames, write_test_video, tmp_path):
    file = write_test_video(tmp_path / "v.mp4", make_frames(200))
    whole, _ = cut(file)
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    clips, report = cut(file)
    assert 1 <= len(clips) < len(whole) and report.clips == len(clips)
    assert report.frames_read + report.frames_missing == 200 and report.problem is not None
    assert all((clip.frames == same.frames).all() for clip, same in zip(clips, whole, strict=False))


@pytest.mark.parametrize(
    ("shape", "aspect", "kept", "kept_aspect"),
    [
        ((100, 160), 1.6, (100, 160), 1.6),
        ((90, 320), 32 / 9, (90, 160), 16 / 9),
        ((320, 90), 9 / 32, (160, 90), 9 / 16),
        ((576, 720), 64 / 45, (576, 720), 64 / 45),  # a PAL picture of 16:9... of pixels that are not square
        ((576, 720), 16 / 9 * 1.25, (576, 576), 16 / 9),
    ],
)
def test_the_middle_is_kept_within_16_to_9(shape, aspect, kept, kept_aspect):
    rgb = np.zeros((*shape, 3), np.uint8)
    rgb[shape[0] // 2, shape[1] // 2] = 255
    cropped, new_aspect = centre_crop(rgb, aspect)
    assert cropped.shape[:2] == kept and new_aspect == pytest.approx(kept_aspect)
    assert cropped[kept[0] // 2, kept[1] // 2, 0] == 255
