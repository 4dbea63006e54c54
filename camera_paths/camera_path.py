"""`CameraPath`: where a camera is, where it looks and how far it is zoomed, for every frame of a clip.

What always holds: OpenCV axes (x right, y down, z forward); poses are rigid camera-to-world matrices; intrinsics are
normalised by the picture's width and height; translations have a stated unit; the arrays are float64 and
read-only. A path never changes: each method returns a new one.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Unpack

import numpy as np
from numpy.typing import ArrayLike

from . import intrinsics as lens
from . import rigid_motion
from .arrays import is_positive_number, read_only_array
from .description import SMALLEST_TRANSLATION, MotionExtent, describe_path, motion_extent
from .units import Unit, agreed_depth, check_unit, conversion_factor

if TYPE_CHECKING:
    from .easing import Easing, MoveTiming
    from .formats.path_format import SaidOfFile
    from .keyframes import Keyframe


@dataclass(frozen=True, eq=False, repr=False)
class CameraPath:
    """The poses and the lens of a camera over the frames of a clip.

    Any array-like is accepted and copied. `ValueError` says which frame and which number does not fit.
    """

    camera_to_world: np.ndarray  # [T, 4, 4] rigid, OpenCV axes, translations in `unit`
    intrinsics: np.ndarray  # [T, 4]: fx, fy, cx, cy; fx and cx in picture widths, fy and cy in picture heights
    fps: float = 8.0  # frames a second
    unit: Unit = "scene_depth"  # scene_depth: 1.0 is the median depth that the first frame shows
    scene_median_depth: float | None = None  # of the first frame, in `unit`; None where unknown (and for scene_depth)

    def __post_init__(self) -> None:
        camera_to_world = read_only_array("camera_to_world", self.camera_to_world, (4, 4))
        intrinsics = read_only_array("intrinsics", self.intrinsics, (4,))
        if len(camera_to_world) == 0:
            raise ValueError("expected a camera path of at least 1 frame, got 0")
        if len(camera_to_world) != len(intrinsics):
            raise ValueError(
                f"expected as many intrinsics as poses, got {len(intrinsics)} for {len(camera_to_world)} poses"
            )
        rigid_motion.check_poses(camera_to_world)
        lens.check_intrinsics(intrinsics)
        if not is_positive_number(self.fps):
            raise ValueError(f"expected fps to be a positive number, got {self.fps!r}")
        check_unit(self.unit, self.scene_median_depth)
        median_depth = None if self.scene_median_depth is None else float(self.scene_median_depth)
        object.__setattr__(self, "camera_to_world", camera_to_world)
        object.__setattr__(self, "intrinsics", intrinsics)
        object.__setattr__(self, "fps", float(self.fps))
        object.__setattr__(self, "scene_median_depth", median_depth)

    # What a path is made of

    @classmethod
    def from_matrices(
        cls,
        camera_to_world: ArrayLike,
        intrinsics: ArrayLike | None = None,
        *,
        picture_size: tuple[float, float] = (1, 1),
        fps: float = 8.0,
        unit: Unit = "scene_depth",
        scene_median_depth: float | None = None,
    ) -> CameraPath:
        """Build a path from poses [T, 4, 4] or [T, 3, 4], and intrinsics in any of the usual shapes.

        `intrinsics` are (fx, fy, cx, cy) [T, 4] or matrices K [T, 3, 3], or one of either for all frames ([4],
        [3, 3]), in pixels of a picture of `picture_size` (width, height); the default size, 1x1, means that they are
        already normalised. Without intrinsics the lens sees 65 degrees of a square picture.
        """
        poses = np.asarray(camera_to_world, dtype=np.float64)
        if poses.ndim == 3 and poses.shape[1:] == (3, 4):
            poses = rigid_motion.pose_matrices(poses[:, :, :3], poses[:, :, 3])
        normalised = np.array(lens.DEFAULT_INTRINSICS)
        if intrinsics is not None:
            normalised = lens.from_pixels(np.asarray(intrinsics, dtype=np.float64), *picture_size)
        if normalised.ndim == 1:
            normalised = np.broadcast_to(normalised, (*poses.shape[:1], 4))
        return cls(poses, normalised, fps, unit, scene_median_depth)

    def to_matrices(self, picture_size: tuple[float, float] = (1, 1)) -> tuple[np.ndarray, np.ndarray]:
        """Poses [T, 4, 4] and matrices K [T, 3, 3] in pixels of `picture_size` (width, height); 1x1: normalised."""
        return self.camera_to_world.copy(), lens.to_pixel_matrices(self.intrinsics, *picture_size)

    @property
    def num_frames(self) -> int:
        """T, the number of poses, one a frame."""
        return len(self.camera_to_world)

    @property
    def duration_seconds(self) -> float:
        """How long a video of these frames plays: T / fps."""
        return self.num_frames / self.fps

    @property
    def aspect(self) -> float:
        """Width / height of the picture these intrinsics are for, with square pixels: fy / fx of the first frame."""
        return float(self.intrinsics[0, 1] / self.intrinsics[0, 0])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CameraPath) and self.allclose(other, tolerance=0.0)

    def allclose(self, other: CameraPath, tolerance: float = 1e-9) -> bool:
        """Whether both paths have the same unit, frames and fps, and numbers that differ by at most `tolerance`."""
        if (self.unit, self.num_frames) != (other.unit, other.num_frames):
            return False
        return all(
            np.allclose(
                np.array(getattr(self, name), dtype=np.float64),  # an unknown depth, None, becomes NaN
                np.array(getattr(other, name), dtype=np.float64),
                rtol=0.0,
                atol=tolerance,
                equal_nan=True,
            )
            for name in ("camera_to_world", "intrinsics", "fps", "scene_median_depth")
        )

    def __repr__(self) -> str:
        return f"<CameraPath: {self.describe()}>"

    # New paths from this one

    def relative(self) -> CameraPath:
        """The same path in the axes of its first camera: the first pose becomes the identity."""
        return replace(self, camera_to_world=rigid_motion.relative_to_first(self.camera_to_world))

    def inverse(self) -> CameraPath:
        """Each pose inverted: what was camera-to-world is now world-to-camera, in the same order of frames.

        As a path it is the move of a camera to which the world seems to move as this camera does. To play a move
        backwards, use `reversed()`.
        """
        return replace(self, camera_to_world=rigid_motion.invert(self.camera_to_world))

    def reversed(self) -> CameraPath:
        """The path played backwards. The unit and the median depth stay those of the original first frame."""
        return replace(self, camera_to_world=self.camera_to_world[::-1], intrinsics=self.intrinsics[::-1])

    def compose(self, other: CameraPath) -> CameraPath:
        """This path, then `other`, which continues from this path's last pose and focal length.

        The pose they share is kept once: the result has T + T' - 1 frames. What `other` does is taken relative to its
        own first frame, so nothing jumps. Both need the same unit (translations are taken as they are) and fps.
        """
        self.check_joins(other)
        poses = self.camera_to_world[-1] @ rigid_motion.relative_to_first(other.camera_to_world)
        intrinsics = lens.add_changes(self.intrinsics[-1], other.intrinsics)
        return replace(
            self,
            camera_to_world=np.concatenate([self.camera_to_world, poses[1:]]),
            intrinsics=np.concatenate([self.intrinsics, intrinsics[1:]]),
        )

    def check_joins(self, other: CameraPath) -> None:
        """Raise `ValueError` unless both paths have the same unit and the same fps."""
        if self.unit != other.unit:
            raise ValueError(f'expected two paths in one unit, got "{self.unit}" and "{other.unit}": use to_unit')
        if self.fps != other.fps:
            raise ValueError(f"expected two paths of one fps, got {self.fps:g} and {other.fps:g}: use resample")

    def resample(
        self, num_frames: int, fps: float | None = None, by: Literal["time", "arc-length"] = "time"
    ) -> CameraPath:
        """The same move in another number of frames; the first and the last frame stay exactly as they are.

        By "time", frames are taken at equal steps of time. By "arc-length", the camera travels the same distance between
        any two frames, measured along its path; turning and zooming do not count as travel, so what happens while the
        camera stands still falls between two frames. `ValueError` where it hardly moves at all: under 0.005 of the
        first frame's median depth, or 0.005 metres where that is unknown.

        Rotations are slerped; translations, the principal point and the logarithm of the focal length follow straight
        lines. Without `fps` the move lasts as long as before, so the fps changes; with it, the move is sped up or
        slowed down instead: `path.resample(17, fps=8)` is a clip of the paper's size.
        """
        if num_frames < 1:
            raise ValueError(f"expected to resample to at least 1 frame, got {num_frames}")
        if by not in ("time", "arc-length"):
            raise ValueError(f'expected to resample by "time" or "arc-length", got {by!r}')
        if fps is None:
            both_move = num_frames > 1 and self.num_frames > 1
            fps = self.fps * (num_frames - 1) / (self.num_frames - 1) if both_move else self.fps
        if by == "arc-length":
            least_distance = SMALLEST_TRANSLATION * (self.scene_median_depth or 1.0)
            times = rigid_motion.equal_distance_times(self.camera_to_world, num_frames, least_distance)
        elif num_frames == self.num_frames:
            return replace(self, fps=fps)
        else:
            times = np.linspace(0, self.num_frames - 1, num_frames)
        poses = rigid_motion.interpolate(self.camera_to_world, times)
        intrinsics = lens.interpolate(self.intrinsics, times)
        for end in (-1, 0):  # 0 comes last: a single frame is the first one
            poses[end], intrinsics[end] = self.camera_to_world[end], self.intrinsics[end]
        return replace(self, camera_to_world=poses, intrinsics=intrinsics, fps=fps)

    def to_unit(self, unit: Unit, median_depth: float | None = None) -> CameraPath:
        """The same path with translations in another unit.

        Between "scene_depth" and another unit, `median_depth` is the median depth of the first frame in that other
        unit; to "scene_depth" it may be left out where `scene_median_depth` has it. From "metre" to "scene" or back,
        `scene_median_depth` is that depth in the old unit and `median_depth` in the new one. `ValueError` if a depth
        is missing, or contradicts what the path knows.
        """
        if unit == self.unit:
            return self
        old_depth, new_depth = self.scene_median_depth, median_depth
        if unit == "scene_depth":
            old_depth, new_depth = agreed_depth(old_depth, median_depth, self.unit), None
        factor = conversion_factor(self.unit, old_depth, unit, new_depth)
        poses = self.camera_to_world.copy()
        poses[:, :3, 3] *= factor
        return replace(self, camera_to_world=poses, unit=unit, scene_median_depth=new_depth)

    def mirrored(self) -> CameraPath:
        """The path seen in a left-right mirror: truck, pan, roll, orbit and the principal point change sides."""
        poses = rigid_motion.MIRROR @ self.camera_to_world @ rigid_motion.MIRROR
        fx, fy, cx, cy = self.intrinsics.T
        return replace(self, camera_to_world=poses, intrinsics=np.stack([fx, fy, 1 - cx, cy], axis=1))

    def for_picture(self, width: float, height: float) -> CameraPath:
        """The same lens in front of a picture of another shape, with square pixels.

        The focal length relative to the picture's *longer* side is kept, and so is the normalised principal point: a
        lens that sees 65 degrees along the width of a landscape picture sees 65 degrees along the height of a portrait.
        """
        if not (width > 0 and height > 0):
            raise ValueError(f"expected a picture width and height above 0, got {width}x{height}")
        focal_length = self.intrinsics[:, :2].min(axis=1)  # normalised by the longer side, hence the smaller one
        pixels = focal_length * max(width, height)
        intrinsics = np.stack([pixels / width, pixels / height, *self.intrinsics.T[2:]], axis=1)
        return replace(self, intrinsics=intrinsics)

    # What a path says about itself

    def motion_extent(self) -> MotionExtent:
        """How far the path goes from its first pose: the largest translation and rotation, and the zoom range."""
        return motion_extent(self)

    def describe(self) -> str:
        """One plain sentence: "moves 0.30 scene depths forward, pans 10.0° right; 17 frames, 2.1 s"."""
        return describe_path(self)

    def plot(self, file: str | os.PathLike[str], title: str | None = None) -> None:
        """Draw the path from above and from the side, as a PNG file."""
        from .plots import plot_path

        plot_path(self, file, title)

    # Where paths come from: text, files and elementary moves (see film_grammar.py, path_file.py and moves.py)

    @classmethod
    def from_text(cls, text: str, num_frames: int = 17, fps: float = 8.0) -> CameraPath:
        """Read film grammar, such as "dolly in 30%, pan right 10deg then orbit left 20deg"."""
        from .film_grammar import parse_film_grammar

        return parse_film_grammar(text, num_frames=num_frames, fps=fps)

    @classmethod
    def from_file(
        cls, file: str | os.PathLike[str], format_name: str | None = None, **said: Unpack[SaidOfFile]
    ) -> CameraPath:
        """Read a path in camvig's own or another tool's format (`camvig.camera_paths.formats.FORMATS`).

        The format is recognised where `format_name` is not given. `said` is what the file does not say by itself: `axes`,
        `pose`, `unit`, `median_depth`, `fps`, `picture_size`, `camera`. What had to be assumed is a `UserWarning` each;
        `ValueError` names the file, the line, what was expected, and what settles it.
        """
        from .formats import PathOptions, read_path_file

        path, notes = read_path_file(file, format_name, PathOptions(**said))
        for note in notes:
            warnings.warn(f"{os.fspath(file)}: {note}", stacklevel=2)
        return path

    def to_file(
        self, file: str | os.PathLike[str], format_name: str = "camvig", picture_size: tuple[float, float] | None = None
    ) -> None:
        """Write the path, whole or not at all, every pose of it; "camvig" is JSON that `from_file` reads back exactly.

        What another tool's format cannot carry is a `UserWarning`. `picture_size` is the width and height for formats
        that have the lens in pixels (1280 along the longer side otherwise).
        """
        from .formats import PathOptions, write_path_file

        lost = write_path_file(self, file, format_name, PathOptions(picture_size=picture_size))
        if lost:
            warnings.warn(f"{os.fspath(file)}: {format_name} cannot hold {'; '.join(lost)}", stacklevel=2)

    @classmethod
    def dolly(cls, amount: float, **timing: Unpack[MoveTiming]) -> CameraPath:
        """Move forward (+) or back (-), in scene depths."""
        return _moves().dolly(amount, **timing)

    @classmethod
    def truck(cls, amount: float, **timing: Unpack[MoveTiming]) -> CameraPath:
        """Move right (+) or left (-), in scene depths."""
        return _moves().truck(amount, **timing)

    @classmethod
    def pedestal(cls, amount: float, **timing: Unpack[MoveTiming]) -> CameraPath:
        """Move up (+) or down (-), in scene depths."""
        return _moves().pedestal(amount, **timing)

    @classmethod
    def pan(cls, degrees: float, **timing: Unpack[MoveTiming]) -> CameraPath:
        """Turn to the right (+) or to the left (-)."""
        return _moves().pan(degrees, **timing)

    @classmethod
    def tilt(cls, degrees: float, **timing: Unpack[MoveTiming]) -> CameraPath:
        """Turn up (+) or down (-)."""
        return _moves().tilt(degrees, **timing)

    @classmethod
    def roll(cls, degrees: float, **timing: Unpack[MoveTiming]) -> CameraPath:
        """Lean to the right, clockwise (+), or to the left (-)."""
        return _moves().roll(degrees, **timing)

    @classmethod
    def zoom(cls, factor: float, **timing: Unpack[MoveTiming]) -> CameraPath:
        """Multiply the focal length: above 1 zooms in, below 1 zooms out."""
        return _moves().zoom(factor, **timing)

    @classmethod
    def orbit(cls, degrees: float, radius: float = 1.0, **timing: Unpack[MoveTiming]) -> CameraPath:
        """Go around the point `radius` scene depths ahead, to the right (+) or to the left (-), looking at it."""
        return _moves().orbit(degrees, radius, **timing)

    @classmethod
    def dolly_zoom(cls, amount: float, distance: float = 1.0, **timing: Unpack[MoveTiming]) -> CameraPath:
        """Move forward (+) or back (-) in scene depths, the lens keeping the subject at `distance` the same size."""
        return _moves().dolly_zoom(amount, distance, **timing)

    @classmethod
    def handheld(
        cls, amount: float = 0.01, degrees: float | None = None, seed: int = 0, num_frames: int = 17, fps: float = 8.0
    ) -> CameraPath:
        """Shake like a camera in a steady hand, by at most `amount` scene depths and `degrees` (default: 50 x amount)."""
        return _moves().handheld(amount, degrees, seed, num_frames, fps)

    @classmethod
    def from_keyframes(
        cls,
        keyframes: Sequence[Keyframe],
        num_frames: int = 17,
        fps: float = 8.0,
        easing: Easing = "linear",
        unit: Unit = "scene_depth",
        scene_median_depth: float | None = None,
    ) -> CameraPath:
        """Go smoothly through (time, pose) or (time, pose, intrinsics) keyframes; see `keyframes.py`.

        Times are shares of the clip, from 0 to 1, or frame numbers, from 0 to `num_frames` - 1. A pose is a 4x4 matrix in
        OpenCV camera-to-world, or a path, of which the last frame is taken.
        """
        from .keyframes import path_through

        return path_through(keyframes, num_frames, fps, easing, unit, scene_median_depth)

    @classmethod
    def static(cls, num_frames: int = 17, fps: float = 8.0) -> CameraPath:
        """Stay still."""
        return _moves().static(num_frames, fps)


def _moves():
    """The module of elementary moves, imported late because it imports this one."""
    from . import moves

    return moves
