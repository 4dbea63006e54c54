"""A camera path drawn on the picture that it starts from: where the corners and a grid of points of the picture move.

Where a point moves depends on how far away it is, which a picture does not say. Here every point stands at one stated
depth: on a plane that faces the first camera, `depth` in front of it (our choice; what is nearer moves more under a
translation, and all depths move alike under pan, tilt, roll and zoom). Positions are normalised by the picture's width and height:
(0, 0) is its top left corner, (1, 1) its bottom right one, whatever its pixels are.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Polygon
from matplotlib.patheffects import AbstractPathEffect, withStroke
from numpy.typing import ArrayLike
from PIL import Image

from .arrays import is_positive_number
from .plots import check_suffix, draw_figure, wrap_title, write_png
from .units import UNIT_IN_WORDS

if TYPE_CHECKING:
    from .camera_path import CameraPath

CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])  # clockwise from the top left
GRID = 4  # points along the shorter side, inside the picture
MARGIN = 0.13  # of the picture's longer side, around it: what leaves the picture can be followed a little
DEFAULT_LONGER_SIDE_PX = 640  # of the picture in the drawing
INCH_PX = 128  # dots an inch at the default size, which makes texts readable
LEGEND_INCHES = 0.6  # below the picture
MOST_TRAIL_FRAMES = 240
SMALLEST_ARROW = 0.006  # of the picture's longer side; what moves less is drawn as a dot
LineStyle = Literal["-"] | tuple[float, tuple[float, float]]
DASHES: LineStyle = (0.0, (2.2, 1.8))
GRID_COLOUR, CORNER_COLOUR, VIEW_COLOUR, OUTLINE_COLOUR = "#ffffff", "#ffb000", "#38d6ff", "#1d222a"


def grid_motion(path: CameraPath, depth: float | None = None, points: ArrayLike | None = None) -> np.ndarray:
    """Where points of the first picture are in every frame, if they stand `depth` away: [T, N, 2], NaN behind the camera.

    `points` [N, 2] are their positions in the first frame; without them, the four corners, clockwise from the top left.
    `depth` is in the path's unit, along the first viewing direction; for its default, see `overlay_depth`.
    """
    start = np.asarray(CORNERS if points is None else points, dtype=np.float64)
    if start.ndim != 2 or start.shape[1] != 2 or not np.isfinite(start).all():
        raise ValueError(f"expected points as finite numbers of shape [N, 2], got {list(start.shape)}")
    lens = path.intrinsics
    on_plane = np.column_stack([(start - lens[0, 2:]) / lens[0, :2], np.ones(len(start))]) * overlay_depth(path, depth)
    poses = path.relative().camera_to_world
    seen = (on_plane - poses[:, None, :3, 3]) @ poses[
        :, :3, :3
    ]  # [T, N, 3]: a row vector times R is R transposed times it
    with np.errstate(divide="ignore", invalid="ignore"):
        positions = seen[..., :2] / seen[..., 2:] * lens[:, None, :2] + lens[:, None, 2:]
    positions[seen[..., 2] <= 0] = np.nan
    return positions


def overlay_depth(path: CameraPath, depth: float | None) -> float:
    """The depth in the path's unit that was asked for, or else the first frame's median depth; `ValueError` if unknown."""
    if depth is None:
        depth = 1.0 if path.unit == "scene_depth" else path.scene_median_depth
    if depth is None:
        raise ValueError(
            f'expected a depth in {UNIT_IN_WORDS[path.unit]} to draw a path in "{path.unit}" over a picture'
        )
    if not is_positive_number(depth):
        raise ValueError(f"expected depth to be a positive number of {UNIT_IN_WORDS[path.unit]}, got {depth!r}")
    return float(depth)


def plot_overlay(
    path: CameraPath,
    picture: ArrayLike,  # [H, W, 3] uint8
    file: str | os.PathLike[str] | None = None,
    depth: float | None = None,
    title: str | None = None,
    longer_side_px: int = DEFAULT_LONGER_SIDE_PX,
) -> np.ndarray:
    """Draw where the points of a picture move, write it as a PNG file if a name is given, and return it [H', W', 3] uint8.

    The lens is fitted to the picture's shape as the pipeline does (`CameraPath.for_picture`). Arrows lead from the first
    frame to the last, thin lines through the frames between; both are dashed where a point ends outside the picture. A
    frame shows which part of the plane the last camera sees, unless it looks past the plane.
    """
    check_suffix(file, ".png")
    pixels = np.asarray(picture)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise ValueError(f"expected a picture [H, W, 3] of uint8, got {list(pixels.shape)} of {pixels.dtype}")
    if longer_side_px < 64:
        raise ValueError(f"expected a picture drawn at least 64 pixels long, got {longer_side_px}")
    height, width = pixels.shape[:2]
    depth = overlay_depth(path, depth)
    fitted = path.for_picture(width, height)
    sides = np.array([width, height]) / max(width, height)  # of the picture, in its longer side
    away = "1 scene depth" if (depth, path.unit) == (1, "scene_depth") else f"{depth:.3g} {UNIT_IN_WORDS[path.unit]}"
    title = path.describe() if title is None else title
    figure, axes = _empty_figure(sides, longer_side_px, f"{title} (if everything stood {away} away)")
    shown_size = (sides * longer_side_px).round().astype(int).clip(min=1)
    shown = Image.fromarray(pixels).resize(tuple(shown_size.tolist()), Image.Resampling.LANCZOS)
    axes.imshow(np.asarray(shown), extent=(0, sides[0], sides[1], 0), zorder=0)
    _draw_motion(axes, _few_frames(fitted), depth, sides)
    drawing = draw_figure(figure)
    if file is not None:
        write_png(drawing, file)
    return drawing


def view_of_last_camera(path: CameraPath, depth: float | None = None) -> np.ndarray | None:
    """Where in the first picture the corners of the last one are, [4, 2]; None if a corner looks past the plane."""
    depth, pose = overlay_depth(path, depth), path.relative().camera_to_world[-1]
    fx, fy, cx, cy = path.intrinsics[-1]
    rays = np.column_stack([(CORNERS[:, 0] - cx) / fx, (CORNERS[:, 1] - cy) / fy, np.ones(4)]) @ pose[:3, :3].T
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = (depth - pose[2, 3]) / rays[:, 2:]
    if not (np.isfinite(reach) & (reach > 0)).all():
        return None
    on_plane = (pose[:3, 3] + reach * rays) / depth
    return on_plane[:, :2] * path.intrinsics[0, :2] + path.intrinsics[0, 2:]


def _grid_points(sides: np.ndarray) -> np.ndarray:
    """Evenly spread points inside a picture of these sides, [N, 2]."""
    across, down = (GRID * sides / sides.min()).round().astype(int).clip(max=3 * GRID)
    columns, rows = np.meshgrid((np.arange(across) + 0.5) / across, (np.arange(down) + 0.5) / down)
    return np.column_stack([columns.ravel(), rows.ravel()])


def _few_frames(path: CameraPath) -> CameraPath:
    """At most `MOST_TRAIL_FRAMES` of a path's frames, the first and the last among them."""
    frames = np.unique(np.linspace(0, path.num_frames - 1, MOST_TRAIL_FRAMES).round().astype(int))
    return replace(path, camera_to_world=path.camera_to_world[frames], intrinsics=path.intrinsics[frames])


def _empty_figure(sides: np.ndarray, longer_side_px: int, title: str) -> tuple[Figure, Axes]:
    """A figure with room for a picture of these sides, a margin around it, a title above and a legend below."""
    across, down = (sides + 2 * MARGIN) * DEFAULT_LONGER_SIDE_PX / INCH_PX
    text = wrap_title(title, int(9.5 * across))
    height = down + LEGEND_INCHES + 0.24 + 0.18 * len(text.splitlines())
    figure = Figure(figsize=(across, height), dpi=INCH_PX * longer_side_px / DEFAULT_LONGER_SIDE_PX)
    axes = figure.add_axes((0, LEGEND_INCHES / height, 1, down / height), facecolor="#e9ebee")
    axes.set(xlim=(-MARGIN, sides[0] + MARGIN), ylim=(sides[1] + MARGIN, -MARGIN), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    _label(figure, text)
    return figure, axes


def _draw_motion(axes: Axes, path: CameraPath, depth: float, sides: np.ndarray) -> None:
    """Draw what the last camera sees, then where the grid and the corners move, over the picture."""
    view = view_of_last_camera(path, depth)
    if view is not None:
        outline = Polygon(view * sides, fill=False, edgecolor=VIEW_COLOUR, linewidth=2, path_effects=_outlined(2))
        axes.add_patch(outline)
    for points, colour, width in ((_grid_points(sides), GRID_COLOUR, 1.8), (CORNERS, CORNER_COLOUR, 2.4)):
        motion = grid_motion(path, depth, points)
        stays = ((motion[-1] >= -1e-9) & (motion[-1] <= 1 + 1e-9)).all(axis=1)
        for trail, inside in zip((motion * sides).transpose(1, 0, 2), stays, strict=True):
            _draw_point(axes, trail, sides, colour, width, "-" if inside else DASHES)


def _draw_point(axes: Axes, trail: np.ndarray, sides: np.ndarray, colour: str, width: float, dashes: LineStyle) -> None:
    """Draw where one point goes, [T, 2] in the picture's longer side."""
    near = np.where((np.abs(trail) < 3).all(axis=1, keepdims=True), trail, np.nan)  # the rest is far out of the drawing
    axes.plot(*near.T, color=colour, linewidth=0.8, linestyle=dashes, path_effects=_outlined(0.8))
    start, end = trail[0], trail[-1]
    if np.isfinite(end).all() and np.linalg.norm(end - start) > SMALLEST_ARROW:
        style = {"arrowstyle": "-|>", "mutation_scale": 5 * width + 3, "shrinkA": 0, "shrinkB": 0}
        line = {"linewidth": width, "linestyle": dashes, "color": colour, "path_effects": _outlined(width)}
        axes.add_patch(FancyArrowPatch(tuple(start), tuple(_within(start, end, sides)), **style, **line))
    edge = {"markeredgecolor": OUTLINE_COLOUR, "markeredgewidth": 1}
    axes.plot(*start, "o", color=colour, markersize=3 + width, **edge)


def _outlined(width: float) -> list[AbstractPathEffect]:
    """A dark rim around a line of this width, so that it is seen on any picture."""
    return [withStroke(linewidth=width + 1.6, foreground=OUTLINE_COLOUR)]


def _within(start: np.ndarray, end: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """The end of an arrow from a point of the picture, cut off where it leaves the drawing."""
    border = 0.9 * MARGIN
    room = np.where(end > start, sides + border - start, start + border)
    with np.errstate(divide="ignore"):
        share = (room / np.abs(end - start)).min()
    return start + min(1.0, share) * (end - start)


def _label(figure: Figure, text: str) -> None:
    """The title above the picture, and what the lines mean below it."""
    height = figure.get_figheight()
    figure.text(0.5, 1 - 0.12 / height, text, ha="center", va="top", fontsize=11)
    lines: list[tuple[str, float, LineStyle, str]] = [
        (GRID_COLOUR, 1.8, "-", "where a point goes"),
        (GRID_COLOUR, 1.8, DASHES, "... out of the picture"),
        (CORNER_COLOUR, 2.4, "-", "where a corner goes"),
        (VIEW_COLOUR, 2.0, "-", "what the last frame shows"),
    ]
    handles = [
        Line2D([], [], color=colour, linewidth=width, linestyle=dashes, path_effects=_outlined(width), label=meaning)
        for colour, width, dashes, meaning in lines
    ]
    middle = (0.5, LEGEND_INCHES / 2 / height)
    style = {
        "ncols": 2,
        "frameon": False,
        "fontsize": min(10, 2 * figure.get_figwidth()),
        "handlelength": 3,
        "columnspacing": 1.5,
    }
    figure.legend(handles=handles, loc="center", bbox_to_anchor=middle, **style)
