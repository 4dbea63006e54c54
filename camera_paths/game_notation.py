"""The notation of game-like world models, such as "w-3,right-1": which keys are held, and for how many steps.

    text    = segment { "," segment }
    segment = keys "-" steps        w-3: forward for three steps

Three projects write it, and do not mean the same by it (`DIALECTS`; read in their code and READMEs):

- HY-WorldPlay (Tencent-Hunyuan/HY-WorldPlay, `parse_pose_string` and `generate_camera_trajectory_local`): one key a
  segment. w s forward and back, a d left and right, along the camera's own axes; up down left right turn it, about its
  own axes. 0.08 units or 3 degrees a step; a step is one latent, 4 frames at 24 fps.
- SANA-WM (NVlabs/Sana, `camera_control.py`): any keys at once ("dw-60"). w s forward and back, j l left and right, level
  with the ground; a d turn, i k tilt up and down, to 60 degrees at most; "none" waits. 0.025 units or 0.6 degrees a
  step; a step is one frame at 16 fps. It also starts and stops gently, which is left out here.
- SANA-WM in diffusers (`SanaWMPipeline`, `action_string_to_c2w`): a d left and right and j l turn, the other way round;
  tilts to 85 degrees; 0.05 units or 1.2 degrees a step. So did SANA-WM's first release, which turned by 40% of that on
  the way left and right as well.

"sana-wm: w-80,jw-40" names the project. Without one, a text of HY-WorldPlay's keys alone is HY-WorldPlay's, any other is
SANA-WM's, unless its meaning depends on which of the two SANA-WMs is meant: then `ValueError` says how to choose.

One unit of theirs is taken as one scene depth: HY-WorldPlay's is that of its training data, SANA-WM's is a metre, and a
text has no scene to measure (our choice). The steps are spread evenly over the clip, whatever its length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from . import rigid_motion
from .camera_path import CameraPath

LOOKS_LIKE_KEYS = re.compile(r"\s*[a-z]+-\s*[\d.]", re.IGNORECASE)
SEGMENT = re.compile(r"([a-z]+)\s*-\s*(\S+)")
MOST_STEPS = 100_000

FORWARD, BACK, LEFT, RIGHT = (np.array(step) for step in ((0, 0, 1), (0, 0, -1), (-1, 0, 0), (1, 0, 0)))
TURNS = {"left": (-1, 0), "right": (1, 0), "up": (0, 1), "down": (0, -1)}  # yaw and pitch, in steps
TURN_NAMES = {turn: name for name, turn in TURNS.items()}


@dataclass(frozen=True)
class Dialect:
    """One project's meaning of the keys."""

    title: str
    travel: dict[str, np.ndarray]  # key -> direction [3] in OpenCV axes
    turns: dict[str, tuple[int, int]]  # key -> yaw to the right and pitch up
    step: float  # units of travel a step
    step_degrees: float
    level: bool  # whether it travels level with the ground and turns about the vertical, however the camera tilts
    keys_at_once: bool
    most_pitch_degrees: float = np.inf

    @property
    def keys(self) -> set[str]:
        return {*self.travel, *self.turns}


def _sana_wm(title: str, sideways: str, turning: str, step: float, degrees: float, most_pitch: float) -> Dialect:
    travel = {"w": FORWARD, "s": BACK, sideways[0]: LEFT, sideways[1]: RIGHT}
    turns = {"i": TURNS["up"], "k": TURNS["down"], turning[0]: TURNS["left"], turning[1]: TURNS["right"]}
    return Dialect(title, travel, turns, step, degrees, level=True, keys_at_once=True, most_pitch_degrees=most_pitch)


DIALECTS = {
    "hy-worldplay": Dialect(
        "HY-WorldPlay", {"w": FORWARD, "s": BACK, "a": LEFT, "d": RIGHT}, TURNS, 0.08, 3.0, False, False
    ),
    "sana-wm": _sana_wm("SANA-WM", "jl", "ad", 0.025, 0.6, 60.0),
    "sana-wm-diffusers": _sana_wm("SANA-WM in diffusers", "ad", "jl", 0.05, 1.2, 85.0),
}


def is_game_notation(text: str) -> bool:
    """Whether a text starts like this notation; no film grammar does."""
    return LOOKS_LIKE_KEYS.match(text) is not None


def parse_game_notation(text: str, num_frames: int = 17, fps: float = 8.0, project: str | None = None) -> CameraPath:
    """Read "w-3,right-1" as a path of `num_frames` frames in scene depths. `ValueError` names the segment."""
    dialect = DIALECTS[project or project_of_keys(text)]
    segments = [_held_keys(segment, dialect) for segment in _split(text)]
    steps = sum(count for _, count in segments)
    if steps > MOST_STEPS:
        raise ValueError(f"expected at most {MOST_STEPS:,} steps, got {steps:,}")
    poses = _played(segments, dialect)
    return CameraPath.from_matrices(poses, fps=fps).resample(num_frames, fps)


def project_of_keys(text: str) -> str:
    """The key in `DIALECTS` of the project whose notation a text is; `ValueError` where two read it differently."""
    keys = [match[1] for match in map(SEGMENT.fullmatch, _split(text)) if match]
    one_at_a_time, at_once = DIALECTS["hy-worldplay"].keys, DIALECTS["sana-wm"].keys
    unknown = [key for key in keys if key not in {"none", *one_at_a_time} and not at_once.issuperset(key)]
    if unknown:
        raise ValueError(
            f"expected keys of HY-WorldPlay ({_listed(one_at_a_time)}) or of SANA-WM ({_listed(at_once)}, any of them at "
            f'once, or none), got "{unknown[0]}"'
        )
    if any(key in TURNS for key in keys) or one_at_a_time.issuperset(keys):
        return "hy-worldplay"
    if not set("adjl") & {letter for key in keys if key != "none" for letter in key}:
        return "sana-wm"
    raise ValueError(
        f'expected "sana-wm: {text.strip()}" (a and d turn, j and l go sideways) or "sana-wm-diffusers: '
        f'{text.strip()}" (a and d go sideways, j and l turn), got keys that the two read differently, and no project'
    )


def what_keys_mean(text: str, project: str | None = None) -> str:
    """Which project's notation a text is, and what its keys mean, in one sentence."""
    dialect = DIALECTS[project or project_of_keys(text)]
    travel = " ".join(dialect.travel)
    turns = " ".join(f"{key}" if key in TURNS else f"{key} ({TURN_NAMES[turn]})" for key, turn in dialect.turns.items())
    return (
        f"in {dialect.title}, a step of {travel} (forward, back, left, right) is {dialect.step:.1%} of the scene depth, "
        f"one of {turns} turns by {dialect.step_degrees:g}°"
    )


def _listed(keys: set[str]) -> str:
    return " ".join(sorted(keys))


def _split(text: str) -> list[str]:
    """The segments of a text, in lower case."""
    return [segment.strip() for segment in text.lower().strip().rstrip(",").split(",")]


def _held_keys(segment: str, dialect: Dialect) -> tuple[list[str], int]:
    """One segment, such as "dw-60": the keys that are held, and for how many steps."""
    match = SEGMENT.fullmatch(segment)
    if match is None:
        raise ValueError(f'expected keys, "-" and a number of steps, such as "w-3", got "{segment}"')
    if not re.fullmatch(r"0*[1-9]\d*", match[2]):
        raise ValueError(f'expected a whole number of steps from 1, such as "{match[1]}-3", got "{segment}"')
    held = [match[1]]
    if dialect.keys_at_once:
        held = [] if match[1] == "none" else list(dict.fromkeys(match[1]))
    unknown = [key for key in held if key not in dialect.keys]
    if unknown:
        how = "any of them at once, or none" if dialect.keys_at_once else "one in each segment"
        raise ValueError(
            f'expected keys of {dialect.title} ({_listed(dialect.keys)}, {how}), got "{unknown[0]}" in "{segment}"'
        )
    return held, int(match[2])


def _played(segments: list[tuple[list[str], int]], dialect: Dialect) -> np.ndarray:
    """The poses [1 + steps, 4, 4] of a camera that starts at the identity; each step turns, then travels."""
    rotations, positions = [np.eye(3)], [np.zeros(3)]
    heading = np.zeros(3)  # yaw and pitch in degrees, no roll
    for held, count in segments:
        yaw, pitch = sum((np.array(dialect.turns[key]) for key in held if key in dialect.turns), start=np.zeros(2))
        travel = sum((dialect.travel[key] for key in held if key in dialect.travel), start=np.zeros(3)) * dialect.step
        turn = np.array([yaw, pitch, 0.0]) * dialect.step_degrees
        own_turn = rigid_motion.rotations_from_yaw_pitch_roll(turn[None])[0]
        for _ in range(count):
            if dialect.level:
                heading = heading + turn
                heading[1] = np.clip(heading[1], -dialect.most_pitch_degrees, dialect.most_pitch_degrees)
                rotation, level_heading = rigid_motion.rotations_from_yaw_pitch_roll(
                    np.stack([heading, heading * (1, 0, 0)])
                )
                positions.append(positions[-1] + level_heading @ travel)
            else:
                rotation = rotations[-1] @ own_turn
                positions.append(positions[-1] + rotation @ travel)
            rotations.append(rotation)
    return rigid_motion.pose_matrices(np.array(rotations), np.array(positions))
