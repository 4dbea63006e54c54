"""Shots: cuts between textures are found, movement and noise are none."""

from __future__ import annotations

import numpy as np
import pytest

from camvig.dataset_builders.videos.scene_cuts import mark_shots
from camvig.dataset_builders.videos.video_reader import TimedFrame


def timed(frames, fps: float = 24.0, missing: range = range(0)) -> list[TimedFrame]:
    return [TimedFrame(index / fps, rgb, 1.5) for index, rgb in enumerate(frames) if index not in missing]


def starts(frames: list[TimedFrame], longest_step_seconds: float = 0.126) -> dict[int, str]:
    marked = list(mark_shots(frames, longest_step_seconds))
    assert [shot.frame for shot in marked] == frames  # every frame once, in order
    return {index: shot.starts for index, shot in enumerate(marked) if shot.starts is not None}


@pytest.mark.parametrize("shots", [(5, 5), (30, 12, 7), (12, 1, 12), (3, 20), (20, 3), (20, 1)])
def test_cuts_are_found_where_they_are(make_frames, shots):
    frames = np.concatenate([make_frames(length, seed=10 + seed) for seed, length in enumerate(shots)])
    expected = {0: "start", **dict.fromkeys(np.cumsum(shots)[:-1].tolist(), "cut")}
    assert starts(timed(frames)) == expected


def test_movement_that_starts_and_stops_is_no_cut(make_frames):
    moving = make_frames(20, step=2)
    frames = np.concatenate([moving[:1].repeat(10, axis=0), moving, moving[-1:].repeat(10, axis=0)])
    noise = np.random.default_rng(0).normal(0, 6, frames.shape)
    assert starts(timed(np.clip(frames + noise, 0, 255).astype(np.uint8))) == {0: "start"}


def test_a_gap_in_time_starts_a_shot_and_a_small_one_does_not(make_frames):
    frames = make_frames(30, step=0.5)
    assert starts(timed(frames, missing=range(10, 12))) == {0: "start"}
    assert starts(timed(frames, missing=range(10, 13))) == {0: "start", 10: "gap"}


def test_nothing_and_one_frame(make_frames):
    assert starts([]) == {}
    assert starts(timed(make_frames(1))) == {0: "start"}
