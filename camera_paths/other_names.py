"""The names that other projects give to camera paths, and what they mean here.

"motionctrl: pan left 20%" is what MotionCtrl calls "Pan Left": a truck left. The project stands at the start and holds for
the whole text; without it, words are the film-maker's (`film_grammar.py`). Read in the projects' code and in the pose
files that they ship:

- MotionCtrl (TencentARC/MotionCtrl, `gradio_utils/camera_utils.py` and its json files; world-to-camera): "Pan" and "Zoom"
  are translations; ACW and CW roll the camera by 60 degrees. VideoX-Fun (aigc-apps, `asset/*.txt`,
  `comfyui/camera_utils.py`) and ComfyUI's Wan camera node (`nodes_camera_trajectory.py`) took over its names.
- CamI2V (ZGCTroy/CamI2V, `demo/camera_pose_files`): "look" is a pan or a tilt, "pan up" and "pan down" keep looking at a
  point far ahead, "rotate clockwise" turns the picture clockwise, hence the camera the other way.
- ReCamMaster (KwaiVGI/ReCamMaster, `camera_extrinsics.json`; its subject stands 4 m away): "Zoom" is a dolly of 2 m,
  "Translate" is a pedestal of 1 m and "Arc" an orbit, both looking at the subject.
- SEVA (Stability-AI/stable-virtual-camera, `seva/geometry.py`, `demo_gr.py`): "zoom-in" is a zoom, of the field of view by
  0.28; "dolly zoom-in" zooms in while the camera moves back.
- GEN3C (nv-tlabs/GEN3C, `camera_utils.py`; with its default, `center_facing`): it moves by 0.3 of the centre's depth and
  keeps looking at the centre.
- DiffSynth-Studio (modelscope, `wan_video_camera_controller.py`): "Left" shears the picture (its speed is added to an entry of
  the rotation, not of the translation), which looks like a pan left; 80 steps of 1/54 are 56 degrees.
- CameraCtrl numbers its trajectories and has no names for them.

Where the distance is not said: theirs where they measure in depths of the subject, or else film grammar's default. Angles
are theirs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from . import intrinsics as lens
from . import rigid_motion
from .camera_path import CameraPath
from .easing import progress
from .game_notation import DIALECTS

PREFIX = re.compile(r"\s*([a-z][\w .+-]*):(.*)", re.IGNORECASE | re.DOTALL)
SUBJECT = np.array([0.0, 0.0, 1.0])  # one scene depth ahead


@dataclass(frozen=True)
class OtherName:
    """What one name means: moves of the film grammar, or, where it has no words for it, a curve around the subject."""

    moves: tuple[str, ...] = ()  # such as "truck left 20%", all at once
    curve: Callable[[np.ndarray], np.ndarray] | None = None  # shares of the time [T] -> positions [T, 3], OpenCV axes
    curve_in_words: str = ""


@dataclass(frozen=True)
class Project:
    """One project and its names, in lower case, without punctuation."""

    title: str
    names: dict[str, OtherName]


def _circle(done: np.ndarray) -> np.ndarray:
    """GEN3C's: first down (`clockwise`), from the rightmost point of a circle of radius 0.3."""
    angle = 2 * np.pi * done
    return 0.3 * np.stack([np.cos(angle) - 1, np.sin(angle), 0 * angle], axis=1)


def _other_circle(done: np.ndarray) -> np.ndarray:
    """GEN3C's `counterclockwise`: the same, mirrored."""
    return _circle(done) * (-1, 1, 1)


def _lemniscate(done: np.ndarray) -> np.ndarray:
    """SEVA's: a figure of eight, as wide as 60 degrees seen from the subject."""
    angle = 2 * np.pi * done + np.pi / 2
    across = np.tan(np.radians(30)) * np.cos(angle) / (1 + np.sin(angle) ** 2)
    return np.stack([across, across * np.sin(angle), 0 * angle], axis=1)


def _spiral(done: np.ndarray) -> np.ndarray:
    """SEVA's: two turns of radius 1, forward by 0.5 and back, where the subject is 3.25 away."""
    angle = 4 * np.pi * done
    return np.stack([np.cos(angle), np.sin(angle), 0.5 * np.sin(angle / 2)], axis=1) / 3.25


def _orbit_up(done: np.ndarray) -> np.ndarray:
    """CamI2V's: 45 degrees up a vertical circle around the subject."""
    angle = np.radians(45) * done
    return np.stack([0 * angle, -np.sin(angle), 1 - np.cos(angle)], axis=1)


def _moves(*moves: str) -> OtherName:
    return OtherName(moves)


_MOTIONCTRL = {
    "pan up": _moves("pedestal up 10%"),
    "pan down": _moves("pedestal down 10%"),
    "pan left": _moves("truck left 20%"),
    "pan right": _moves("truck right 20%"),
    "zoom in": _moves("dolly in 20%"),
    "zoom out": _moves("dolly out 20%"),
    "anti clockwise": _moves("roll left 60deg"),
    "clockwise": _moves("roll right 60deg"),
    "acw": _moves("roll left 60deg"),
    "cw": _moves("roll right 60deg"),
    "anti clockwise acw": _moves("roll left 60deg"),
    "clockwise cw": _moves("roll right 60deg"),
}
_DIAGONALS = {
    f"pan {side} {height}": _moves(f"truck {side} 20%", f"pedestal {height} 20%")
    for side in ("left", "right")
    for height in ("up", "down")
}
_RECAMMASTER = {
    "pan right": _moves("pan right 20deg"),
    "pan left": _moves("pan left 20deg"),
    "tilt up": _moves("tilt up 10deg"),
    "tilt down": _moves("tilt down 10deg"),
    "zoom in": _moves("dolly in 50%"),
    "zoom out": _moves("dolly out 50%"),
    "translate up": _moves("pedestal up 25%", "tilt down 14deg"),
    "translate down": _moves("pedestal down 25%", "tilt up 14deg"),
    "arc left": _moves("orbit left 30deg"),
    "arc right": _moves("orbit right 30deg"),
}
_WITH_ROTATION = {
    f"{name} with rotation": meaning for name, meaning in _RECAMMASTER.items() if name.startswith(("translate", "arc"))
}

PROJECTS = {
    "motionctrl": Project("MotionCtrl", _MOTIONCTRL),
    "videox-fun": Project("VideoX-Fun", _MOTIONCTRL | _DIAGONALS | {"static": _moves("static")}),
    "wan": Project("ComfyUI Wan", _MOTIONCTRL | {"static": _moves("static")}),
    "cami2v": Project(
        "CamI2V",
        {
            "zoom in": _moves("dolly in 20%"),
            "zoom out": _moves("dolly out 20%"),
            "pan up": _moves("pedestal up 10%", "tilt down 5.7deg"),
            "pan down": _moves("pedestal down 10%", "tilt up 5.7deg"),
            "pan left": _moves("truck left 20%"),
            "pan right": _moves("truck right 20%"),
            "look up": _moves("tilt up 90deg"),
            "look down": _moves("tilt down 90deg"),
            "look left": _moves("pan left 90deg"),
            "look right": _moves("pan right 90deg"),
            "orbit up": OtherName(
                curve=_orbit_up, curve_in_words="an arc of 45° up and over the subject, looking at it"
            ),
            "orbit left": _moves("orbit left 90deg"),
            "orbit right": _moves("orbit right 90deg"),
            "rotate clockwise": _moves("roll left 90deg"),
            "rotate anti clockwise": _moves("roll right 90deg"),
            "stationary": _moves("static"),
        },
    ),
    "recammaster": Project("ReCamMaster", _RECAMMASTER | _WITH_ROTATION),
    "seva": Project(
        "SEVA",
        {
            "orbit": _moves("orbit right 360deg"),
            "spiral": OtherName(
                curve=_spiral, curve_in_words="a spiral of two turns, forward and back, looking at the subject"
            ),
            "lemniscate": OtherName(curve=_lemniscate, curve_in_words="a figure of eight, looking at the subject"),
            "roll": _moves("roll right 360deg"),
            "zoom in": _moves("zoom in 3.84x"),
            "zoom out": _moves("zoom out 1.68x"),
            "dolly zoom in": _moves("dolly out 10%", "zoom in 3.84x"),
            "dolly zoom out": _moves("dolly in 10%", "zoom out 1.68x"),
            "move forward": _moves("dolly in 10%"),
            "move backward": _moves("dolly out 10%"),
            "move up": _moves("pedestal up 10%", "tilt down 5.7deg"),
            "move down": _moves("pedestal down 10%", "tilt up 5.7deg"),
            "move left": _moves("truck left 10%", "pan right 5.7deg"),
            "move right": _moves("truck right 10%", "pan left 5.7deg"),
        },
    ),
    "gen3c": Project(
        "GEN3C",
        {
            "left": _moves("truck left 30%", "pan right 16.7deg"),
            "right": _moves("truck right 30%", "pan left 16.7deg"),
            "up": _moves("pedestal up 30%", "tilt down 16.7deg"),
            "down": _moves("pedestal down 30%", "tilt up 16.7deg"),
            "zoom in": _moves("dolly in 30%"),
            "zoom out": _moves("dolly out 30%"),
            "clockwise": OtherName(curve=_circle, curve_in_words="a circle, clockwise, looking at the subject"),
            "counterclockwise": OtherName(
                curve=_other_circle, curve_in_words="a circle, counterclockwise, looking at the subject"
            ),
        },
    ),
    "diffsynth": Project(
        "DiffSynth-Studio",
        {
            "left": _moves("pan left 56deg"),
            "right": _moves("pan right 56deg"),
            "up": _moves("tilt up 56deg"),
            "down": _moves("tilt down 56deg"),
            "leftup": _moves("pan left 56deg", "tilt up 56deg"),
            "leftdown": _moves("pan left 56deg", "tilt down 56deg"),
            "rightup": _moves("pan right 56deg", "tilt up 56deg"),
            "rightdown": _moves("pan right 56deg", "tilt down 56deg"),
            "in": _moves("dolly in 20%"),
            "out": _moves("dolly out 20%"),
        },
    ),
}
SAME_PROJECT = {
    "videoxfun": "videox-fun",
    "wan-fun": "videox-fun",
    "comfyui": "wan",
    "realcam-i2v": "cami2v",
    "stable-virtual-camera": "seva",
    "diffsynth-studio": "diffsynth",
    "diffusers": "sana-wm-diffusers",
}


def split_project(text: str) -> tuple[str | None, str]:
    """Cut "motionctrl: pan left" into the project's key, or None, and the rest. `ValueError` for an unknown project."""
    match = PREFIX.fullmatch(text)
    if match is None:
        return None, text
    key = re.sub(r"[\s_]+", "-", match[1].strip().lower())
    key = SAME_PROJECT.get(key, key)
    if key == "cameractrl":
        raise ValueError("expected a file: CameraCtrl has no names for its trajectories, read its RealEstate10K files")
    known = [*PROJECTS, *DIALECTS]
    if key not in known:
        similar = get_close_matches(key, known, n=1)
        hint = f'; did you mean "{similar[0]}:"?' if similar else ""
        raise ValueError(
            f'expected one of these projects before ":", {", ".join(known)}, got "{match[1].strip()}"{hint}'
        )
    return key, match[2]


def find_name(project: str, phrase: str) -> tuple[str, list[str]]:
    """The name that a phrase starts with, as in `Project.names`, and the words after it. `ValueError` lists the names."""
    names = PROJECTS[project].names
    words = phrase.split()
    for count in range(len(words), 0, -1):
        name = " ".join(re.sub(r"[\W_]+", " ", " ".join(words[:count]).lower()).split())
        if name in names:
            return name, words[count:]
    similar = get_close_matches(phrase, names, n=1)
    raise ValueError(
        f'expected a name of {PROJECTS[project].title} ({", ".join(names)}), got "{phrase}"'
        + (f'; did you mean "{similar[0]}"?' if similar else "")
    )


def what_name_means(project: str, name: str) -> str:
    """In one sentence: `MotionCtrl's "pan left" is a truck left (20% unless said otherwise)`."""
    name, _ = find_name(project, name)
    meaning = PROJECTS[project].names[name]
    subject = f'{PROJECTS[project].title}\'s "{name}" is'
    if meaning.curve is not None:
        return f"{subject} {meaning.curve_in_words}"
    if len(meaning.moves) > 1 or meaning.moves == ("static",):
        return f'{subject} "{", ".join(meaning.moves)}"'
    move, amount = " ".join(meaning.moves).rsplit(" ", 1)
    return f"{subject} {'an' if move.startswith('orbit') else 'a'} {move} ({amount} unless said otherwise)"


def curve_path(meaning: OtherName, num_frames: int, fps: float, easing: str) -> CameraPath:
    """A path along a curve that looks at the subject, one scene depth ahead, upright, from the identity on."""
    assert meaning.curve is not None
    positions = meaning.curve(progress(num_frames, easing))
    forward = SUBJECT - positions
    yaw = np.degrees(np.arctan2(forward[:, 0], forward[:, 2]))
    pitch = np.degrees(np.arctan2(-forward[:, 1], np.hypot(forward[:, 0], forward[:, 2])))
    rotations = rigid_motion.rotations_from_yaw_pitch_roll(np.stack([yaw, pitch, 0 * yaw], axis=1))
    poses = rigid_motion.pose_matrices(rotations, positions)
    return CameraPath(poses, np.tile(lens.DEFAULT_INTRINSICS, (num_frames, 1)), fps).relative()
