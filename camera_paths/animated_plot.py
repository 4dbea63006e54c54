"""An animated drawing of a camera path in three dimensions, as a GIF: the camera moves along its path as a frustum.

The path is drawn as its first camera sees it, from behind and above, with the same scale on all axes. The grey shadow on the
floor shows how far away what is; the triangle on the frustum is on its upper side. The whole drawing turns a little to and
fro, so that depth is seen and the last picture joins the first.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.mplot3d.art3d import Line3D, Poly3DCollection
from mpl_toolkits.mplot3d.axes3d import Axes3D
from mpl_toolkits.mplot3d.axis3d import Axis
from PIL import Image

from . import intrinsics as lens
from . import rigid_motion
from .atomic_file import write_then_rename
from .plots import END_COLOUR, START_COLOUR, check_suffix, frustum, frustum_size, in_front_of_camera, wrap_title
from .units import UNIT_IN_WORDS

if TYPE_CHECKING:
    from .camera_path import CameraPath

FEWEST_PICTURES, MOST_PICTURES = 17, 100
MOST_LINE_POINTS = 2000  # of the line of a long path
SIZE_INCHES = (5.0, 5.5)  # width and height; texts are readable from 360 pixels of height on
DEFAULT_HEIGHT_PX = 550
SHORTEST_SECONDS, LONGEST_SECONDS = 1.5, 10.0  # to play; other paths are slowed down or sped up, which the drawing says
PAUSE_SECONDS = 1.0  # at the end
AZIMUTH_DEGREES, SWING_DEGREES, ELEVATION_DEGREES = -42.0, 12.0, 24.0
SMALLEST_SIDE = 0.45  # of the box that is drawn, relative to its longest
CAMERA_COLOUR, LINE_COLOUR, SHADOW_COLOUR, PANE_COLOUR = "#2b5fb3", "#8a8a8a", "#d3d3d3", "#f4f4f4"
LONG_PATH = 60  # poses; the trail of a longer one is thin, because it crosses itself
UP_MARK = np.array([[0.35, -0.06], [0.65, -0.06], [0.5, -0.26]])  # a triangle above the picture, normalised


def plot_animation(
    path: CameraPath,
    file: str | os.PathLike[str] | None = None,
    title: str | None = None,
    height_px: int = DEFAULT_HEIGHT_PX,
) -> np.ndarray:
    """Draw a path as an animation, write it as a GIF file if a name is given, and return the pictures [N, H, W, 3] uint8.

    One picture a pose; a path of fewer than 17 poses is drawn at 17 moments, one of more than 100 at 100 of its poses.
    """
    check_suffix(file, ".gif")
    if height_px < 64:
        raise ValueError(f"expected an animation at least 64 pixels high, got {height_px}")
    pictures = _render(path.relative(), path.describe() if title is None else title, height_px)
    if file is not None:
        _write_gif(pictures, _seconds_to_play(path), file)
    return pictures


def _seconds_to_play(path: CameraPath) -> float:
    return float(np.clip(path.duration_seconds, SHORTEST_SECONDS, LONGEST_SECONDS))


def _shown_frames(path: CameraPath) -> np.ndarray:
    """Which frame numbers are drawn, [N], with fractions where the path has too few."""
    count = int(np.clip(path.num_frames, FEWEST_PICTURES, MOST_PICTURES))
    frames = np.linspace(0, path.num_frames - 1, count)
    return frames.round() if path.num_frames > count else frames


class _Drawing(NamedTuple):
    """What is drawn, as places in the axes of the drawing: right, forward, up."""

    line: np.ndarray  # [M, 3] the path
    line_frames: np.ndarray  # [M] the frame number of each of its points
    cameras: np.ndarray  # [N, 11, 3] frusta, one a picture
    marks: np.ndarray  # [N, 3, 3] the triangles on their upper sides


def _drawing(path: CameraPath, frames: np.ndarray) -> _Drawing:
    """Everything that the pictures of these frame numbers [N] show of a path."""
    size = frustum_size(path.camera_to_world[:, :3, 3])
    line_frames = np.unique(np.concatenate([frames, np.linspace(0, path.num_frames - 1, MOST_LINE_POINTS).round()]))
    poses = rigid_motion.interpolate(path.camera_to_world, frames)
    cameras = list(zip(poses, lens.interpolate(path.intrinsics, frames), strict=True))
    return _Drawing(
        _right_forward_up(rigid_motion.interpolate(path.camera_to_world, line_frames)[:, :3, 3]),
        line_frames,
        _right_forward_up(np.stack([frustum(pose, intrinsics, size) for pose, intrinsics in cameras])),
        _right_forward_up(np.stack([in_front_of_camera(UP_MARK, *camera, size) for camera in cameras])),
    )


def _right_forward_up(points: np.ndarray) -> np.ndarray:
    """OpenCV places [..., 3] (right, down, forward) in the order and direction of the drawn axes."""
    return points[..., [0, 2, 1]] * (1, 1, -1)


def _render(path: CameraPath, title: str, height_px: int) -> np.ndarray:
    """Draw what stays once, then move the camera, its trail and the viewpoint from picture to picture."""
    frames = _shown_frames(path)
    drawing = _drawing(path, frames)
    figure = Figure(figsize=SIZE_INCHES, dpi=height_px / SIZE_INCHES[1])
    figure.text(0.5, 0.985, wrap_title(title, 70), ha="center", va="top", fontsize=9)
    caption = figure.text(0.97, 0.02, "", ha="right", va="bottom", fontsize=9)
    axes = _empty_box(figure, drawing, UNIT_IN_WORDS[path.unit])
    camera = _MovingCamera(axes, drawing)
    canvas, pictures = FigureCanvasAgg(figure), []
    for index, frame in enumerate(frames):
        camera.move_to(index, frame)
        axes.view_init(ELEVATION_DEGREES, AZIMUTH_DEGREES + SWING_DEGREES * np.sin(2 * np.pi * index / len(frames)))
        caption.set_text(_caption(path, frame))
        canvas.draw()
        pictures.append(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    return np.stack(pictures)


def _empty_box(figure: Figure, drawing: _Drawing, unit: str) -> Axes3D:
    """Axes of one scale around everything, with the path as a thin line, its shadow, and its first and last camera."""
    everything = np.concatenate([points.reshape(-1, 3) for points in (drawing.line, drawing.cameras, drawing.marks)])
    low, high = everything.min(axis=0), everything.max(axis=0)
    sides = np.maximum(high - low, SMALLEST_SIDE * (high - low).max()) * 1.05
    low, high = (low + high - sides) / 2, (low + high + sides) / 2
    axes = figure.add_axes((0.03, 0.13, 0.88, 0.76), projection="3d", computed_zorder=False)
    assert isinstance(axes, Axes3D)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    axes.set_box_aspect(sides)
    for axis, name in ((axes.xaxis, "right"), (axes.yaxis, "forward"), (axes.zaxis, "up")):
        assert isinstance(axis, Axis)
        axis.set_major_locator(MaxNLocator(4))
        axis.set_label_text(f"{name} ({unit})", fontsize=8)
        axis.set_pane_color(PANE_COLOUR)
        axis.line.set_color(LINE_COLOUR)
        axis.pane.set_edgecolor(SHADOW_COLOUR)
    axes.tick_params(labelsize=7, pad=0, grid_color=SHADOW_COLOUR, grid_linewidth=0.6)
    shadow = np.column_stack([drawing.line[:, :2], np.full(len(drawing.line), low[2])])
    axes.plot(*shadow.T, color=SHADOW_COLOUR, linewidth=2)
    axes.plot(*drawing.line.T, color=LINE_COLOUR, linewidth=1)
    for index, colour, name in ((0, START_COLOUR, "start"), (-1, END_COLOUR, "end")):
        axes.plot(*drawing.cameras[index].T, color=colour, linewidth=1, label=name)
    figure.legend(loc="lower left", fontsize=9, frameon=False, ncols=2)
    return axes


class _MovingCamera:
    """The camera, its trail and the line down to its shadow, in one picture after another."""

    def __init__(self, axes: Axes3D, drawing: _Drawing):
        self.drawing, self.floor = drawing, axes.get_zlim()[0]
        self.drop = Line3D([], [], [], color=LINE_COLOUR, linewidth=1, linestyle=":")
        width = 2.6 if drawing.line_frames[-1] < LONG_PATH else 1.2
        self.trail = Line3D([], [], [], color=CAMERA_COLOUR, linewidth=width)
        self.faces = Poly3DCollection(self._faces(0), facecolors=[CAMERA_COLOUR], alpha=0.3)
        self.outline = Line3D([], [], [], color=CAMERA_COLOUR, linewidth=1.8)
        for artist in (self.drop, self.trail, self.faces, self.outline):
            axes.add_artist(artist)

    def _faces(self, index: int) -> list[np.ndarray]:
        return [self.drawing.cameras[index, :4], self.drawing.marks[index]]

    def move_to(self, index: int, frame: float) -> None:
        travelled = self.drawing.line[self.drawing.line_frames <= frame]
        self.trail.set_data_3d(*travelled.T)
        self.drop.set_data_3d(*np.stack([travelled[-1], [*travelled[-1, :2], self.floor]]).T)
        self.faces.set_verts(self._faces(index))
        self.outline.set_data_3d(*self.drawing.cameras[index].T)


def _caption(path: CameraPath, frame: float) -> str:
    """Which frame it is, at what time, and how much faster or slower than the path it is played."""
    speed = path.duration_seconds / _seconds_to_play(path)
    caption = f"frame {int(frame) + 1} of {path.num_frames}, {frame / path.fps:.1f} s"
    if speed > 1.1:
        return f"{caption}, played {speed:.1f}x faster"
    return f"{caption}, played {1 / speed:.1f}x slower" if speed < 0.9 else caption


def _write_gif(pictures: np.ndarray, seconds: float, file: str | os.PathLike[str]) -> None:
    """Write pictures [N, H, W, 3] in the same colours throughout, so that nothing flickers."""
    palette = _palette()
    first, *others = (
        Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures
    )
    milliseconds = [max(20, round(100 * seconds / len(pictures)) * 10)] * len(pictures)  # a GIF counts hundredths
    milliseconds[-1] += round(1000 * PAUSE_SECONDS)
    with write_then_rename(file) as temporary:
        first.save(temporary, "GIF", save_all=True, append_images=others, duration=milliseconds, loop=0)


def _palette() -> Image.Image:
    """An image whose palette has every colour of the drawing in steps to white, for smooth lines."""
    steps = ((to_rgb("black"), 24), *((to_rgb(colour), 12) for colour in (CAMERA_COLOUR, START_COLOUR, END_COLOUR)))
    shades = [np.linspace(colour, (1, 1, 1), count) for colour, count in steps]
    palette = Image.new("P", (1, 1))
    palette.putpalette((255 * np.concatenate(shades)).round().astype(np.uint8).tobytes())
    return palette
