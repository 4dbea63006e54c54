"""Film grammar: a camera path in words, such as "dolly in 30%, pan right 10deg then orbit left 20deg".

    text   = shot { "then" shot }                       one shot after another
    shot   = move { "," move } [ "for" seconds "s" ]    the moves of a shot run at once ("and" does as well as ",")
    move   = name direction [ amount ] [ easing ]       or "static", or "hold"
    amount = 30% | 10deg | 1.5x                         always with its unit; `MOVES` has the unit and default of each

The shots share the frames of the clip equally, except those that say "for 1s"; what no shot claims is held still at the
end. Upper and lower case are the same. The words are the film-maker's; the grammar and its defaults are our choice.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from . import moves
from .camera_path import CameraPath
from .easing import EASINGS

UNIT_SPELLINGS = {"%": "%", "deg": "deg", "degree": "deg", "degrees": "deg", "°": "deg", "x": "x"}
AMOUNT = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)([^\d\s]*)")
DURATION = re.compile(r"\bfor\s+(\d+\.?\d*|\.\d+)\s*(?:s|sec|seconds?)\b")


@dataclass(frozen=True)
class MoveWords:
    """How one elementary move is said, and what it is called with: `make(signed amount)`."""

    make: Callable[..., CameraPath]
    directions: dict[str, int]  # word -> sign of the amount
    units: dict[str, float]  # accepted unit -> what one of it is worth to `make`
    default: str  # the amount when none is said


def _zoom_by_share(amount: float, **timing) -> CameraPath:
    """Zoom in by a share of the focal length (0.2: times 1.2), or out by undoing it (-0.2: divided by 1.2)."""
    return moves.zoom((1 + abs(amount)) ** np.sign(amount), **timing)


PERCENT = {"%": 0.01}
DEGREES = {"deg": 1.0}
LEFT_RIGHT = {"left": -1, "right": 1}
UP_DOWN = {"up": 1, "down": -1}
IN_OUT = {"in": 1, "out": -1}
ALONG = IN_OUT | {"forward": 1, "forwards": 1, "back": -1, "backward": -1, "backwards": -1}

MOVES = {
    "dolly": MoveWords(moves.dolly, ALONG, PERCENT, "20%"),
    "truck": MoveWords(moves.truck, LEFT_RIGHT, PERCENT, "20%"),
    "pedestal": MoveWords(moves.pedestal, UP_DOWN, PERCENT, "10%"),
    "pan": MoveWords(moves.pan, LEFT_RIGHT, DEGREES, "15deg"),
    "tilt": MoveWords(moves.tilt, UP_DOWN, DEGREES, "10deg"),
    "roll": MoveWords(moves.roll, LEFT_RIGHT, DEGREES, "10deg"),
    "zoom": MoveWords(_zoom_by_share, IN_OUT, {"%": 0.01, "x": 1.0}, "1.25x"),
    "orbit": MoveWords(moves.orbit, LEFT_RIGHT, DEGREES, "20deg"),
}
STILL = ("static", "hold")


@dataclass(frozen=True)
class _Shot:
    """The part of a text between two "then"s."""

    phrases: list[str]
    seconds: float | None


def parse_film_grammar(text: str, num_frames: int = 17, fps: float = 8.0) -> CameraPath:
    """Read film grammar as a path of `num_frames` frames in scene depths. `ValueError` says what to write instead."""
    if not isinstance(text, str) or not text.strip():
        raise ValueError('expected a camera move such as "dolly in 30%, pan right 10deg", got an empty text')
    if num_frames < 2:
        raise ValueError(f"expected at least 2 frames for a camera move, got {num_frames}")
    shots = [_read_shot(shot) for shot in re.split(r"(?:,\s*)?\bthen\b", text.strip().lower())]
    lengths = _shot_lengths([shot.seconds for shot in shots], num_frames, fps)
    paths = [_shot_path(shot, length + 1, fps) for shot, length in zip(shots, lengths, strict=True)]
    held = num_frames - 1 - sum(lengths)
    return moves.in_sequence(*paths, moves.static(held + 1, fps))


def _read_shot(text: str) -> _Shot:
    durations = DURATION.findall(text)
    if len(durations) > 1:
        raise ValueError(f'expected one "for ... s" in each shot, got {len(durations)} in "{text.strip()}"')
    phrases = re.split(r",\s*and\b|,|\band\b", DURATION.sub("", text))
    return _Shot([phrase.strip() for phrase in phrases], float(durations[0]) if durations else None)


def _shot_lengths(seconds: list[float | None], num_frames: int, fps: float) -> list[int]:
    """The number of steps between frames that each shot takes; a step is shared by no two shots."""
    steps = num_frames - 1
    claimed = sum(duration * fps for duration in seconds if duration is not None)
    if claimed > steps + 0.5:
        raise ValueError(
            f"expected shots of at most {steps / fps:g} s ({num_frames} frames at {fps:g} fps), got {claimed / fps:g} s"
        )
    equal_share = max(steps - claimed, 0.0) / max(seconds.count(None), 1)
    ends = np.cumsum([equal_share if duration is None else duration * fps for duration in seconds])
    lengths = np.diff(np.rint(ends).astype(int).clip(max=steps), prepend=0).tolist()
    if min(lengths) < 1:
        raise ValueError(
            f"expected shots that last at least one frame each, got {len(seconds)} shots in {num_frames} frames of "
            f"which shot {lengths.index(min(lengths)) + 1} has none"
        )
    return lengths


def _shot_path(shot: _Shot, num_frames: int, fps: float) -> CameraPath:
    return moves.in_parallel(*(_read_move(phrase, num_frames, fps) for phrase in shot.phrases))


def _read_move(phrase: str, num_frames: int, fps: float) -> CameraPath:
    """Read one move, such as "pan right 10 deg ease-in-out"."""
    name, *words = re.sub(r"(\d)\s+(%|°|deg|x\b)", r"\1\2", phrase).split() or [""]
    if name in STILL:
        if words:
            raise ValueError(f'expected nothing after "{name}" but "for ... s", got "{phrase}"')
        return moves.static(num_frames, fps)
    if name not in MOVES:
        raise ValueError(_unknown_move(name, phrase))
    move = MOVES[name]
    if not words or words[0] not in move.directions:
        ways = " or ".join(f'"{name} {direction}"' for direction in list(move.directions)[:2])
        raise ValueError(f'expected a direction after "{name}", {ways}, got "{phrase}"')
    amount, easing = _read_amount_and_easing(name, words[0], words[1:], phrase)
    return move.make(move.directions[words[0]] * amount, num_frames=num_frames, fps=fps, easing=easing)


def _unknown_move(name: str, phrase: str) -> str:
    known = [*MOVES, *STILL]
    similar = get_close_matches(name, known, n=1)
    suggestion = f'; did you mean "{similar[0]}"?' if similar else ""
    found = f'"{name}" in "{phrase}"' if name else "nothing between two separators, or at an end of the text"
    return f"expected a camera move ({', '.join(known)}), got {found}{suggestion}"


def _read_amount_and_easing(name: str, direction: str, words: list[str], phrase: str) -> tuple[float, str]:
    """What follows the direction, in either order: an amount, as `make` takes it, and an easing."""
    amounts = [word for word in words if AMOUNT.fullmatch(word)]
    easings = [word for word in words if word in EASINGS]
    unread = [word for word in words if word not in amounts and word not in easings]
    if unread or len(amounts) > 1 or len(easings) > 1:
        extra = (unread or amounts[1:] or easings[1:])[0]
        hint = ': put "," or "then" between two moves' if extra in MOVES or extra in STILL else ""
        raise ValueError(
            f'expected one amount and one easing ({", ".join(EASINGS)}) after "{name} {direction}", '
            f'got "{extra}" in "{phrase}"{hint}'
        )
    amount = _read_amount(name, direction, amounts[0] if amounts else MOVES[name].default)
    return amount, easings[0] if easings else "linear"


def _read_amount(name: str, direction: str, word: str) -> float:
    """Turn "30%" into 0.3, "10deg" into 10.0, and for zooms "20%" and "1.2x" into 0.2."""
    move = MOVES[name]
    sign, number, spelling = AMOUNT.fullmatch(word).groups()  # pyright: ignore[reportOptionalMemberAccess]
    example = f'such as "{name} {direction} {move.default}"'
    if sign:
        raise ValueError(f'expected an amount without a sign, {example}, got "{word}": the direction says which way')
    if not spelling:
        suggestions = " or ".join(f'"{name} {direction} {number}{unit}"' for unit in move.units)
        raise ValueError(f'expected an amount with its unit, {suggestions}, got "{word}"')
    unit = UNIT_SPELLINGS.get(spelling)
    if unit not in move.units:
        raise ValueError(f'expected the amount of a {name} in {" or ".join(move.units)}, {example}, got "{word}"')
    if unit == "x" and float(number) < 1:
        raise ValueError(f'expected a zoom of 1x or more, {example}, got "{word}": the direction says in or out')
    return float(number) * move.units[unit] - (1.0 if unit == "x" else 0.0)
