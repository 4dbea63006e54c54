"""Film grammar: a camera path in words, such as "dolly in 30%, pan right 10deg then orbit left 20deg".

    text   = shot { "then" shot }                       one shot after another
    shot   = move { "," move } [ "for" seconds "s" ]    the moves of a shot run at once ("and" does as well as ",")
    move   = name direction [ amount ] [ easing ]       or "handheld" [ amount ], or "static", or "hold"
    amount = 30% | 10deg | 1.5x                         always with its unit; `MOVES` has the unit and default of each

The shots share the frames of the clip equally, except those that say "for 1s"; what no shot claims is held still at the
end. Upper and lower case are the same. The words are the film-maker's; the grammar and its defaults are our choice.
"dolly-zoom in" moves in while the lens zooms out; "handheld 1%" strays by up to 1% of the scene depth and turns by up to
half a degree, "handheld 1% 2deg" says both.

A text may also be in another project's words, "motionctrl: pan left 20%" (see `other_names.py`), or in the notation of
games, "w-3,right-1" (see `game_notation.py`); `explain_words` says what such a text means here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from . import moves, other_names
from .camera_path import CameraPath
from .easing import EASINGS
from .game_notation import DIALECTS, is_game_notation, parse_game_notation, what_keys_mean

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
    "dolly-zoom": MoveWords(moves.dolly_zoom, ALONG, PERCENT, "20%"),
}
HANDHELD = "handheld"
STILL = ("static", "hold")
KNOWN = (*MOVES, HANDHELD, *STILL)


@dataclass(frozen=True)
class _Shot:
    """The part of a text between two "then"s."""

    phrases: list[str]
    seconds: float | None


def parse_film_grammar(text: str, num_frames: int = 17, fps: float = 8.0) -> CameraPath:
    """Read a text as a path of `num_frames` frames in scene depths. `ValueError` says what to write instead."""
    if not isinstance(text, str) or not text.strip():
        raise ValueError('expected a camera move such as "dolly in 30%, pan right 10deg", got an empty text')
    if num_frames < 2:
        raise ValueError(f"expected at least 2 frames for a camera move, got {num_frames}")
    project, text = other_names.split_project(text)
    if project in DIALECTS or (project is None and is_game_notation(text)):
        return parse_game_notation(text, num_frames, fps, project)
    shots = _read_shots(text)
    lengths = _shot_lengths([shot.seconds for shot in shots], num_frames, fps)
    paths = [_shot_path(shot, length + 1, fps, project) for shot, length in zip(shots, lengths, strict=True)]
    held = num_frames - 1 - sum(lengths)
    return moves.in_sequence(*paths, moves.static(held + 1, fps))


def explain_words(text: str) -> list[str]:
    """What the words of another project or of a game mean here, a sentence each; nothing for film grammar itself."""
    project, text = other_names.split_project(text)
    if project in DIALECTS or (project is None and is_game_notation(text)):
        return [what_keys_mean(text, project)]
    if project is None:
        return []
    phrases = [phrase for shot in _read_shots(text) for phrase in shot.phrases if phrase not in STILL]
    return list(dict.fromkeys(other_names.what_name_means(project, phrase) for phrase in phrases))


def _read_shots(text: str) -> list[_Shot]:
    return [_read_shot(shot) for shot in re.split(r"(?:,\s*)?\bthen\b", text.strip().lower())]


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


def _shot_path(shot: _Shot, num_frames: int, fps: float, project: str | None) -> CameraPath:
    if project is None:
        return moves.in_parallel(*(_read_move(phrase, num_frames, fps) for phrase in shot.phrases))
    return moves.in_parallel(*(_read_other_name(project, phrase, num_frames, fps) for phrase in shot.phrases))


def _read_other_name(project: str, phrase: str, num_frames: int, fps: float) -> CameraPath:
    """Read one move in another project's words, such as MotionCtrl's "pan left 20%"."""
    if phrase in STILL:
        return moves.static(num_frames, fps)
    name, words = other_names.find_name(project, phrase)
    meaning = other_names.PROJECTS[project].names[name]
    amount = [word for word in words if word not in EASINGS]
    try:
        if amount and len(meaning.moves) != 1:
            raise ValueError(f'expected no amount after "{name}", which is no single move here, got "{phrase}"')
        if meaning.curve is not None:
            return other_names.curve_path(meaning, num_frames, fps, easing=" ".join(words) or "linear")
        if amount:
            direction_of_move = meaning.moves[0].split()[:2]
            return _read_move(" ".join([*direction_of_move, *words]), num_frames, fps)
        return moves.in_parallel(*(_read_move(" ".join([move, *words]), num_frames, fps) for move in meaning.moves))
    except ValueError as error:
        raise ValueError(f"{error}; {other_names.what_name_means(project, name)}") from None


def _read_move(phrase: str, num_frames: int, fps: float) -> CameraPath:
    """Read one move, such as "pan right 10 deg ease-in-out"."""
    spelling = re.sub(r"^dolly\s+zoom\b", "dolly-zoom", phrase)
    name, *words = re.sub(r"(\d)\s+(%|°|deg|x\b)", r"\1\2", spelling).split() or [""]
    if name in STILL:
        if words:
            raise ValueError(f'expected nothing after "{name}" but "for ... s", got "{phrase}"')
        return moves.static(num_frames, fps)
    if name == HANDHELD:
        return moves.handheld(*_read_shake(words, phrase), num_frames=num_frames, fps=fps)
    if name not in MOVES:
        raise ValueError(_unknown_move(name, phrase))
    move = MOVES[name]
    if not words or words[0] not in move.directions:
        ways = " or ".join(f'"{name} {direction}"' for direction in list(move.directions)[:2])
        raise ValueError(f'expected a direction after "{name}", {ways}, got "{phrase}"')
    amount, easing = _read_amount_and_easing(name, words[0], words[1:], phrase)
    return move.make(move.directions[words[0]] * amount, num_frames=num_frames, fps=fps, easing=easing)


def _unknown_move(name: str, phrase: str) -> str:
    similar = get_close_matches(name, KNOWN, n=1)
    suggestion = f'; did you mean "{similar[0]}"?' if similar else ""
    found = f'"{name}" in "{phrase}"' if name else "nothing between two separators, or at an end of the text"
    return f"expected a camera move ({', '.join(KNOWN)}), got {found}{suggestion}"


def _read_amount_and_easing(name: str, direction: str, words: list[str], phrase: str) -> tuple[float, str]:
    """What follows the direction, in either order: an amount, as `make` takes it, and an easing."""
    amounts = [word for word in words if AMOUNT.fullmatch(word)]
    easings = [word for word in words if word in EASINGS]
    unread = [word for word in words if word not in amounts and word not in easings]
    if unread or len(amounts) > 1 or len(easings) > 1:
        extra = (unread or amounts[1:] or easings[1:])[0]
        hint = ': put "," or "then" between two moves' if extra in KNOWN else ""
        raise ValueError(
            f'expected one amount and one easing ({", ".join(EASINGS)}) after "{name} {direction}", '
            f'got "{extra}" in "{phrase}"{hint}'
        )
    amount = _read_amount(name, direction, amounts[0] if amounts else MOVES[name].default)
    return amount, easings[0] if easings else "linear"


def _read_amount(name: str, direction: str, word: str) -> float:
    """Turn "30%" into 0.3, "10deg" into 10.0, and for zooms "20%" and "1.2x" into 0.2."""
    move = MOVES[name]
    number, unit = _read_number(word, f"{name} {direction}", move.default, tuple(move.units))
    if unit == "x" and number < 1:
        raise ValueError(
            f'expected a zoom of 1x or more, such as "{name} {direction} {move.default}", got "{word}": the direction '
            "says in or out"
        )
    amount = number * move.units[unit] - (1.0 if unit == "x" else 0.0)
    if amount == 0:
        raise ValueError(f'expected a {name} of more than "{word}": to stay still, write "static"')
    return amount


def _read_shake(words: list[str], phrase: str) -> tuple[float, float | None]:
    """What follows "handheld": how far it strays ("1%"), how far it turns ("0.5deg"), either or both."""
    if not all(map(AMOUNT.fullmatch, words)):
        raise ValueError(f'expected "{HANDHELD}", "{HANDHELD} 1%" or "{HANDHELD} 1% 0.5deg", got "{phrase}"')
    amounts = {unit: number for number, unit in (_read_number(word, HANDHELD, "1%", ("%", "deg")) for word in words)}
    if len(amounts) < len(words):
        raise ValueError(f'expected one % and one deg after "{HANDHELD}", got "{phrase}"')
    if 0 in amounts.values():
        raise ValueError(f'expected a shake of more than nothing, got "{phrase}": to stay still, write "static"')
    degrees = amounts.get("deg")
    if degrees is not None and "%" not in amounts:
        return degrees / moves.HANDHELD_DEGREES_PER_SCENE_DEPTH, degrees
    return amounts.get("%", 1.0) / 100, degrees


def _read_number(word: str, move: str, default: str, units: tuple[str, ...]) -> tuple[float, str]:
    """Cut "30%" into 30.0 and "%", one of `units`; `move` and `default` are what error messages suggest."""
    sign, number, spelling = AMOUNT.fullmatch(word).groups()  # pyright: ignore[reportOptionalMemberAccess]
    example = f'such as "{move} {default}"'
    if sign:
        raise ValueError(f'expected an amount without a sign, {example}, got "{word}": the direction says which way')
    if not spelling:
        suggestions = " or ".join(f'"{move} {number}{unit}"' for unit in units)
        raise ValueError(f'expected an amount with its unit, {suggestions}, got "{word}"')
    unit = UNIT_SPELLINGS.get(spelling)
    if unit not in units:
        raise ValueError(f'expected the amount of a {move.split()[0]} in {" or ".join(units)}, {example}, got "{word}"')
    return float(number), unit
