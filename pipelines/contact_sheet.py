"""Contact sheets: a few frames of a video in a grid, its camera path drawn beside, one caption line below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..camera_paths.camera_path import CameraPath
from ..camera_paths.plots import render_path_picture

GRID_ROWS, GRID_COLUMNS = 2, 3
TILE_HEIGHT = 176
GAP = 4
CAPTION_HEIGHT = 26
BACKGROUND, INK = "white", "#22252a"


def contact_sheet(frames: Sequence[Image.Image], path: CameraPath, caption: str) -> Image.Image:
    """The first frame, five more up to the last, the path from above and from the side, and a caption."""
    chosen = np.linspace(0, len(frames) - 1, GRID_ROWS * GRID_COLUMNS).round().astype(int)
    tiles = [(f"frame {frame}", frames[frame]) for frame in chosen]
    grid = picture_grid([tiles[:GRID_COLUMNS], tiles[GRID_COLUMNS:]], TILE_HEIGHT)
    drawing = Image.fromarray(render_path_picture(path, grid.height))
    sheet = Image.new("RGB", (grid.width + GAP + drawing.width, grid.height + CAPTION_HEIGHT), BACKGROUND)
    sheet.paste(grid, (0, 0))
    sheet.paste(drawing, (grid.width + GAP, 0))
    _write_line(sheet, caption, (6, grid.height + 4))
    return sheet


def picture_grid(rows: Sequence[Sequence[tuple[str, Image.Image]]], height: int) -> Image.Image:
    """Rows of pictures, each with its label in its corner; all are scaled to `height` pixels, and to the first one's shape."""
    first = rows[0][0][1]
    width = round(first.width * height / first.height)
    columns = max(len(row) for row in rows)
    grid = Image.new("RGB", (columns * (width + GAP) - GAP, len(rows) * (height + GAP) - GAP), BACKGROUND)
    for row, pictures in enumerate(rows):
        for column, (label, picture) in enumerate(pictures):
            tile = picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
            grid.paste(_labelled(tile, label), (column * (width + GAP), row * (height + GAP)))
    return grid


def overview_sheet(sheets: Sequence[Image.Image]) -> Image.Image:
    """Contact sheets one below the other."""
    width = max(sheet.width for sheet in sheets)
    overview = Image.new("RGB", (width, sum(sheet.height + GAP for sheet in sheets) - GAP), BACKGROUND)
    top = 0
    for sheet in sheets:
        overview.paste(sheet, (0, top))
        top += sheet.height + GAP
    return overview


def _labelled(tile: Image.Image, label: str) -> Image.Image:
    draw, font = ImageDraw.Draw(tile), ImageFont.load_default(11)
    box = draw.textbbox((4, 2), label, font=font)
    draw.rectangle((0, 0, box[2] + 4, box[3] + 3), fill=INK)
    draw.text((4, 2), label, font=font, fill=BACKGROUND)
    return tile


def _write_line(sheet: Image.Image, text: str, place: tuple[int, int]) -> None:
    """Write one line, cut with "..." where it would leave the sheet."""
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    line = " ".join(text.split())
    room = sheet.width - 2 * place[0]
    if draw.textlength(line, font=font) > room:
        while line and draw.textlength(line + "...", font=font) > room:
            line = line[:-1]
        line += "..."
    draw.text(place, line, font=font, fill=INK)
