"""What a camera path does: in numbers (`MotionExtent`, `PathReport`) and in words; always seen from its first camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import rigid_motion
from .units import UNIT_IN_WORDS, Unit

if TYPE_CHECKING:
    from .camera_path import CameraPath

# What is too small to mention: half of the last digit shown.
SMALLEST_TRANSLATION, SMALLEST_DEGREES, SMALLEST_ZOOM = 0.005, 0.05, 0.005
UNIT_IN_SENTENCES = UNIT_IN_WORDS | {"metre": "m"}
EASING_POWERS = (1.6, 2.0, 2.5, 3.0, 4.0)  # of time: from just noticeable to abrupt
EASING_TOLERANCE = 0.06  # how far the progress of a path may be from that of an easing that it is said to have
SMOOTHING_FRAMES = 7  # of the fit that jitter is measured against


@dataclass(frozen=True)
class MotionExtent:
    """How far a path goes from its first frame, at any of its frames."""

    largest_translation: float  # in `unit`
    largest_rotation_degrees: float  # about any axis, from 0 to 180
    smallest_zoom: float  # focal length over that of the first frame; 1.0 if the lens never widens
    largest_zoom: float  # 1.0 if the lens never zooms in
    unit: Unit


@dataclass(frozen=True)
class AxisTotal:
    """How far a path goes along one axis of its first camera, or about it."""

    net: float  # from the first frame to the last; + is right, up, forward, pan right, tilt up, roll clockwise
    travelled: float  # all steps added up, whatever their direction


@dataclass(frozen=True)
class PathReport:
    """A path in numbers. Translations are in `unit`, angles in degrees; a step is from one frame to the next."""

    sentence: str  # what `describe` says
    num_frames: int
    fps: float
    unit: Unit
    translation: dict[str, AxisTotal]  # right, up, forward
    rotation: dict[str, AxisTotal]  # pan, tilt, roll
    path_length: float  # the lengths of all steps added up
    largest_step: float  # the longest of them
    largest_step_frame: int  # the frame that it leads to; 0 where nothing moves
    largest_turn_degrees: float  # the largest rotation of a step, about any axis
    largest_turn_frame: int
    translation_jitter: float | None  # see `jitter`; None if there are too few frames to tell
    rotation_jitter: float | None
    first_field_of_view_degrees: float  # along the picture's width
    last_field_of_view_degrees: float
    smallest_zoom: float  # focal length over that of the first frame
    largest_zoom: float


def motion_extent(path: CameraPath) -> MotionExtent:
    """Measure the largest translation, rotation and zoom relative to the first frame."""
    poses = rigid_motion.relative_to_first(path.camera_to_world)
    zoom = path.intrinsics[:, :2] / path.intrinsics[0, :2]
    return MotionExtent(
        largest_translation=float(np.linalg.norm(poses[:, :3, 3], axis=1).max()),
        largest_rotation_degrees=float(rigid_motion.rotation_angles(poses[:, :3, :3]).max()),
        smallest_zoom=float(zoom.min()),
        largest_zoom=float(zoom.max()),
        unit=path.unit,
    )


# In one sentence


def describe_path(path: CameraPath) -> str:
    """Say in one sentence where the last frame is, seen from the first, and whether the path eases in or out."""
    length = f"{path.num_frames} frame{'s' if path.num_frames > 1 else ''}, {path.duration_seconds:.1f} s"
    changes = list(filter(None, [_translation_in_words(path), *_rotations_in_words(path), _zoom_in_words(path)]))
    easing = recognise_easing(path) if changes else None
    changes += [f"eases {easing}"] if easing else []
    return f"{', '.join(changes) or _return_in_words(path) or 'does not move'}; {length}"


def recognise_easing(path: CameraPath) -> str | None:
    """ "in", "out" or "in and out" if the speed of a path follows such a curve, None if it is even or irregular.

    Progress is the share that is done by a frame: of the distance travelled and of the turning, each counted as a share
    of its own total, or of the zooming if the camera stands still. It is compared with time, and with easings of
    several strengths.
    """
    done = _progress(path)
    if done is None or len(done) < 5:
        return None
    time = np.linspace(0.0, 1.0, len(done))
    distances: dict[str | None, float] = {None: float(np.abs(done - time).max())}
    for power in EASING_POWERS:
        rising, falling = time**power, (1 - time) ** power
        for easing, curve in (("in", rising), ("out", 1 - falling), ("in and out", rising / (rising + falling))):
            distances[easing] = min(float(np.abs(done - curve).max()), distances.get(easing, np.inf))
    nearest = min(distances, key=distances.__getitem__)
    return nearest if distances[nearest] <= EASING_TOLERANCE else None


def _progress(path: CameraPath) -> np.ndarray | None:
    """The share of the motion that is done at each frame, [T] from 0 to 1; None if nothing moves."""
    moving = [(_step_lengths(path), SMALLEST_TRANSLATION), (_step_degrees(path), SMALLEST_DEGREES)]
    zooming = [(np.abs(np.diff(np.log(path.intrinsics[:, 0]))), SMALLEST_ZOOM)]
    for kinds in (moving, zooming):
        shares = [steps / steps.sum() for steps, smallest in kinds if steps.sum() >= smallest]
        if shares:
            return np.concatenate([[0.0], np.cumsum(np.mean(shares, axis=0))])
    return None


def _step_lengths(path: CameraPath) -> np.ndarray:
    """The distance from each frame to the next, [T - 1] in the path's unit."""
    return np.linalg.norm(np.diff(path.camera_to_world[:, :3, 3], axis=0), axis=1)


def _step_degrees(path: CameraPath) -> np.ndarray:
    """The angle of the rotation from each frame to the next, [T - 1]."""
    rotations = path.camera_to_world[:, :3, :3]
    if len(rotations) < 2:
        return np.zeros(0)
    return rigid_motion.rotation_angles(rotations[:-1].transpose(0, 2, 1) @ rotations[1:])


def _translation_in_words(path: CameraPath) -> str:
    right, down, forward = rigid_motion.relative_to_first(path.camera_to_world)[-1, :3, 3]
    steps = [
        (abs(step), positive if step > 0 else negative)
        for step, positive, negative in ((forward, "forward", "back"), (right, "right", "left"), (-down, "up", "down"))
        if abs(step) >= SMALLEST_TRANSLATION
    ]
    if not steps:
        return ""
    (first_amount, first_direction), *others = steps
    moves = [f"moves {first_amount:.2f} {UNIT_IN_SENTENCES[path.unit]} {first_direction}"]
    moves += [f"{amount:.2f} {direction}" for amount, direction in others]
    return " and ".join(filter(None, [", ".join(moves[:-1]), moves[-1]]))


def _rotations_in_words(path: CameraPath) -> list[str]:
    angles = rigid_motion.yaw_pitch_roll(rigid_motion.relative_to_first(path.camera_to_world)[:, :3, :3])[-1]
    words = (("pans", "right", "left"), ("tilts", "up", "down"), ("rolls", "right", "left"))
    return [
        f"{verb} {abs(angle):.1f}° {positive if angle > 0 else negative}"
        for angle, (verb, positive, negative) in zip(angles, words, strict=True)
        if abs(angle) >= SMALLEST_DEGREES
    ]


def _zoom_in_words(path: CameraPath) -> str:
    zoom = path.intrinsics[-1, 0] / path.intrinsics[0, 0]
    if abs(zoom - 1) < SMALLEST_ZOOM:
        return ""
    return f"zooms in {zoom:.2f}x" if zoom > 1 else f"zooms out {1 / zoom:.2f}x"


def _return_in_words(path: CameraPath) -> str:
    """For a path that ends where it began: how far it went meanwhile, or nothing if it never moved."""
    extent = motion_extent(path)
    farthest = []
    if extent.largest_translation >= SMALLEST_TRANSLATION:
        farthest.append(f"{extent.largest_translation:.2f} {UNIT_IN_SENTENCES[path.unit]}")
    if extent.largest_rotation_degrees >= SMALLEST_DEGREES:
        farthest.append(f"{extent.largest_rotation_degrees:.1f}°")
    zoom = max(extent.largest_zoom, 1 / extent.smallest_zoom)
    if zoom - 1 >= SMALLEST_ZOOM:
        farthest.append(f"a zoom of {zoom:.2f}x")
    return f"goes as far as {', '.join(farthest)} and returns" if farthest else ""


# In numbers


def path_report(path: CameraPath) -> PathReport:
    """Measure a path: totals per axis, length, the largest steps, jitter and the lens."""
    poses = rigid_motion.relative_to_first(path.camera_to_world)
    positions = poses[:, :3, 3] * (1, -1, 1)  # right, up, forward
    angles = rigid_motion.yaw_pitch_roll(poses[:, :3, :3])
    lengths, turns = _step_lengths(path), _step_degrees(path)
    extent = motion_extent(path)
    fields_of_view = np.degrees(2 * np.arctan(0.5 / path.intrinsics[:, 0]))
    return PathReport(
        sentence=describe_path(path),
        num_frames=path.num_frames,
        fps=path.fps,
        unit=path.unit,
        translation=_axis_totals(("right", "up", "forward"), positions),
        rotation=_axis_totals(("pan", "tilt", "roll"), angles),
        path_length=float(lengths.sum()),
        largest_step=float(lengths.max(initial=0.0)),
        largest_step_frame=_frame_of_largest(lengths),
        largest_turn_degrees=float(turns.max(initial=0.0)),
        largest_turn_frame=_frame_of_largest(turns),
        translation_jitter=jitter(positions),
        rotation_jitter=jitter(angles),
        first_field_of_view_degrees=float(fields_of_view[0]),
        last_field_of_view_degrees=float(fields_of_view[-1]),
        smallest_zoom=extent.smallest_zoom,
        largest_zoom=extent.largest_zoom,
    )


def jitter(values: np.ndarray) -> float | None:
    """How shaky a curve [T, D] is, relative to its mean step: 0 is smooth, recordings by hand at 10 fps are at 0.3 to 0.8.

    The curve less a smooth fit through it (a cubic through any 7 neighbouring frames, Savitzky-Golay) is what shakes;
    the root mean square of that remainder's second difference is divided by the mean length of the curve's own steps.
    Corners count too: a path that stops dead or turns sharply is not smooth. None with fewer than 7 frames. The
    definition is ours.
    """
    if len(values) < SMOOTHING_FRAMES:
        return None
    from scipy.signal import savgol_filter  # slow to import

    shake = values - savgol_filter(values, SMOOTHING_FRAMES, polyorder=3, axis=0)
    mean_step = np.linalg.norm(np.diff(values, axis=0), axis=1).mean()
    return float(np.sqrt((np.diff(shake, n=2, axis=0) ** 2).sum(axis=1).mean()) / mean_step) if mean_step > 0 else 0.0


def report_lines(report: PathReport) -> list[str]:
    """A report as lines of plain text."""
    unit = UNIT_IN_SENTENCES[report.unit]
    lens = f"{report.first_field_of_view_degrees:.1f}° wide at the start, {report.last_field_of_view_degrees:.1f}° at the end"
    return [
        report.sentence,
        f"translation   {_totals_in_words(report.translation, '.3f')}, in {UNIT_IN_WORDS[report.unit]}",
        f"rotation      {_totals_in_words(report.rotation, '.1f')}, in degrees",
        f"length        {report.path_length:.3f} {unit}",
        f"largest step  {report.largest_step:.3f} {unit} (to frame {report.largest_step_frame}), "
        f"{report.largest_turn_degrees:.2f}° (to frame {report.largest_turn_frame})",
        f"jitter        {_jitter_in_words(report.translation_jitter)} of the mean step, "
        f"{_jitter_in_words(report.rotation_jitter)} of the mean turn",
        f"lens          {lens}; zoom from {report.smallest_zoom:.2f}x to {report.largest_zoom:.2f}x",
    ]


def _axis_totals(names: tuple[str, ...], values: np.ndarray) -> dict[str, AxisTotal]:
    net, travelled = values[-1] - values[0], np.abs(np.diff(values, axis=0)).sum(axis=0)
    return {name: AxisTotal(float(net[axis]), float(travelled[axis])) for axis, name in enumerate(names)}


def _frame_of_largest(steps: np.ndarray) -> int:
    """The first frame that a step leads to which is as large as any, but for rounding."""
    return int(np.argmax(steps >= steps.max() * (1 - 1e-6))) + 1 if steps.any() else 0


def _totals_in_words(totals: dict[str, AxisTotal], digits: str) -> str:
    return ", ".join(
        f"{name} {total.net + 0.0:+{digits}} ({total.travelled:{digits}} in all)" for name, total in totals.items()
    )


def _jitter_in_words(jitter: float | None) -> str:
    return "unknown (too few frames)" if jitter is None else f"{jitter:.1%}"
