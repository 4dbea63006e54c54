"""Drawings of a camera path: from above (right and forward) and from the side (forward and up).

The path is drawn as its first camera sees it, with the cameras of a few frames as small frusta, which show where the
camera looks, how it leans and how wide the lens is. Both views have the same scale on all axes. The line goes from the colour
of the start to that of the end, so that a long path that crosses itself can be followed; a dot marks each pose while there is
room for it. The drawing looks the same at every size, because only its dots per inch change.
"""

from __future__ import annotations

import os
import textwrap
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import MaxNLocator

from .atomic_file import write_then_rename
from .units import UNIT_IN_WORDS

if TYPE_CHECKING:
    from .camera_path import CameraPath

SIZE_INCHES = (6.4, 3.2)  # width and height; text is readable from 320 pixels of height on
DEFAULT_HEIGHT_PX = 640
FRUSTA = 5  # frames drawn as cameras, the first and the last among them
START_COLOUR, END_COLOUR, BETWEEN_COLOUR = "#1b7f3b", "#c8361d", "#8a8f98"
TRAIL_COLOURS = LinearSegmentedColormap.from_list("trail", [START_COLOUR, "#2b5fb3", "#8e44ad", END_COLOUR])
TRAIL_PIECES = 48  # of one colour each
MOST_DOTS = 60  # poses of a path above which only its line is drawn
RIGHT, FORWARD, UP = 0, 2, 1  # columns of the points that are drawn


def plot_path(
    path: CameraPath,
    file: str | os.PathLike[str] | None = None,
    title: str | None = None,
    height_px: int = DEFAULT_HEIGHT_PX,
) -> np.ndarray:
    """Draw a path, write it as a PNG file if a name is given, and return the picture [H, 2 H, 3] uint8."""
    check_suffix(file, ".png")
    picture = draw_figure(_figure(path, path.describe() if title is None else title, height_px))
    if file is not None:
        write_png(picture, file)
    return picture


def render_path_picture(path: CameraPath, height_px: int, title: str | None = None) -> np.ndarray:
    """Draw a path as a picture [height_px, 2 * height_px, 3] uint8 RGB, to stand beside a contact sheet."""
    return plot_path(path, title=title, height_px=height_px)


def check_suffix(file: str | os.PathLike[str] | None, suffix: str) -> None:
    """Raise `ValueError` if a file name is given and does not end in `suffix`."""
    if file is not None and Path(file).suffix.lower() != suffix:
        raise ValueError(f"expected a file name that ends in {suffix}, got {os.fspath(file)}")


def draw_figure(figure: Figure) -> np.ndarray:
    """A figure as a picture [H, W, 3] uint8."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def write_png(picture: np.ndarray, file: str | os.PathLike[str]) -> None:
    """Write a picture [H, W, 3] uint8, whole or not at all."""
    with write_then_rename(file) as temporary:
        imsave(temporary, picture, format="png")


def wrap_title(title: str, width: int) -> str:
    """Break a title into lines of at most `width` characters."""
    return "\n".join(textwrap.wrap(title, width))


def _figure(path: CameraPath, title: str, height_px: int) -> Figure:
    if height_px < 64:
        raise ValueError(f"expected a plot at least 64 pixels high, got {height_px}")
    positions, frusta = _positions_and_frusta(path.relative())
    unit = UNIT_IN_WORDS[path.unit]
    figure = Figure(figsize=SIZE_INCHES, dpi=height_px / SIZE_INCHES[1], layout="constrained")
    figure.suptitle(wrap_title(title, 94), fontsize=8.5)
    top, side = figure.subplots(1, 2)
    _draw_view(top, positions, frusta, [RIGHT, FORWARD])
    _draw_view(side, positions, frusta, [FORWARD, UP])
    for axes, view, across, upward in ((top, "above", "right", "forward"), (side, "the side", "forward", "up")):
        axes.set_title(f"from {view}", fontsize=8)
        axes.set_xlabel(f"{across} ({unit})", fontsize=7.5)
        axes.set_ylabel(f"{upward} ({unit})", fontsize=7.5)
    side.legend(loc="best", fontsize=7, frameon=False, handletextpad=0.2)
    return figure


def _positions_and_frusta(path: CameraPath) -> tuple[np.ndarray, np.ndarray]:
    """Camera positions [T, 3] and the outlines of some of the cameras [N, 11, 3]: right, up, forward."""
    positions = path.camera_to_world[:, :3, 3]
    size = frustum_size(positions)
    frames = np.unique(np.linspace(0, path.num_frames - 1, FRUSTA).round().astype(int))
    frusta = np.stack([frustum(path.camera_to_world[frame], path.intrinsics[frame], size) for frame in frames])
    y_up = np.array([1.0, -1.0, 1.0])
    return positions * y_up, frusta * y_up


def frustum_size(positions: np.ndarray) -> float:
    """How far in front of its camera the picture of a frustum is drawn, to go with camera positions [T, 3]."""
    travelled = np.ptp(positions, axis=0).max()
    return 0.25 * float(travelled) if travelled > 1e-6 else 0.1


def frustum(pose: np.ndarray, intrinsics: np.ndarray, size: float) -> np.ndarray:
    """One line [11, 3] that draws a camera: around the picture, then from the centre to each of its corners."""
    corners = in_front_of_camera(np.array([[0, 0], [1, 0], [1, 1], [0, 1]]), pose, intrinsics, size)
    points = np.concatenate([corners, pose[None, :3, 3]])
    return points[[0, 1, 2, 3, 0, 4, 1, 4, 2, 4, 3]]


def in_front_of_camera(points: np.ndarray, pose: np.ndarray, intrinsics: np.ndarray, size: float) -> np.ndarray:
    """Points of the picture [N, 2], normalised, as places [N, 3] on a plane `size` in front of the camera."""
    rays = np.column_stack([(points - intrinsics[2:]) / intrinsics[:2], np.ones(len(points))])
    return size * rays @ pose[:3, :3].T + pose[:3, 3]


def trail_pieces(positions: np.ndarray) -> list[tuple[np.ndarray, tuple[float, ...]]]:
    """Cut the line through positions [T, 3] into pieces that touch, each with its colour between start and end."""
    count = min(TRAIL_PIECES, max(len(positions) - 1, 1))
    ends = np.linspace(0, len(positions) - 1, count + 1).round().astype(int)
    return [
        (positions[first : last + 1], TRAIL_COLOURS((piece + 0.5) / count))
        for piece, (first, last) in enumerate(pairwise(ends))
    ]


def _draw_view(axes: Axes, positions: np.ndarray, frusta: np.ndarray, columns: list[int]) -> None:
    """Draw the frusta, the line of the path and its ends, as seen along the axis that is not in `columns`."""
    for frustum in frusta[1:-1]:
        axes.plot(*frustum[:, columns].T, color=BETWEEN_COLOUR, linewidth=0.8, alpha=0.6)
    axes.plot(*frusta[0][:, columns].T, color=START_COLOUR, linewidth=0.9)
    axes.plot(*frusta[-1][:, columns].T, color=END_COLOUR, linewidth=0.9)
    dots = {"marker": ".", "markersize": 3} if len(positions) <= MOST_DOTS else {}
    for piece, colour in trail_pieces(positions):
        axes.plot(*piece[:, columns].T, color=colour, linewidth=1.4 if dots else 0.9, **dots)
    axes.plot(*positions[0, columns], "o", color=START_COLOUR, markersize=7, label="start")
    axes.plot(*positions[-1, columns], "s", color=END_COLOUR, markersize=4, label="end")
    everything = np.concatenate([positions, frusta.reshape(-1, 3)])
    lowest, highest = everything.min(axis=0), everything.max(axis=0)
    half_range = 0.56 * (highest - lowest).max()
    middle = (lowest + highest)[columns] / 2
    axes.set(xlim=middle[0] + half_range * np.array([-1, 1]), ylim=middle[1] + half_range * np.array([-1, 1]))
    axes.set_aspect("equal")
    axes.grid(color="#e3e5e8", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=7)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5))
