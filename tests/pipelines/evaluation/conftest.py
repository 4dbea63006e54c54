"""Two rooms of 32 pixels as the tiny pipeline takes them, and a source that makes the true videos."""

from __future__ import annotations

import numpy as np
import pytest

from camvig.camera_paths.camera_path import CameraPath
from camvig.pipelines.evaluation.eval_clips import EvalClip, read_eval_clips
from camvig.pipelines.evaluation.requests import Missing, Request


class PerfectSource:
    """Knows the true video of every request that has one; what is asked for with another path stands still."""

    def __init__(self, clips: list[EvalClip]):
        self.truths = {clip.name: clip.frames for clip in clips}

    def videos(self, kind: str, requests: list[Request]) -> list[np.ndarray] | Missing:
        if kind == "model":
            return [self.truths[request.name] for request in requests]
        if kind == "no_camera":
            return Missing("it always has a camera")
        still = [np.repeat(request.picture[None], request.num_frames, axis=0) for request in requests]
        return [still[i] if request.truth is None else request.truth for i, request in enumerate(requests)]

    def reconstruct(self, clips: list[EvalClip]) -> list[np.ndarray]:
        return [clip.frames for clip in clips]


@pytest.fixture(scope="session")
def room_pair() -> list[EvalClip]:
    return read_eval_clips("rooms", "validation", 2, size=32, num_frames=17)[0]


@pytest.fixture(scope="session")
def perfect_source(room_pair) -> PerfectSource:
    return PerfectSource(room_pair)


@pytest.fixture(scope="session")
def flat_clip(make_picture) -> EvalClip:
    """A flat picture 1.4 scene depths away, seen by a camera that trucks and dollies: its depth is known."""
    from camvig.pipelines.evaluation.controls import warped_plane

    path = CameraPath.from_text("truck right 20%, dolly in 15%")
    picture = np.asarray(make_picture(64, 64))
    z = 1.4 - path.camera_to_world[:, 2, 3]
    depth = np.tile(z[:, None, None], (1, 64, 64)).astype(np.float32)
    return EvalClip("flat", "flat", "free", warped_plane(picture, path, 1.4), path, depth, path.camera_to_world)
