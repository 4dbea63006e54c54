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
    width = round(frames[0].width * TILE_HEIGHT / frames[0].height)
    grid_width = GRID_COLUMNS * (width + GAP)
    grid_height = GRID_ROWS * (TILE_HEIGHT + GAP) - GAP
    drawing = Image.fromarray(render_path_picture(path, grid_height))
    sheet = Image.new("RGB", (grid_width + drawing.width, grid_height + CAPTION_HEIGHT), BACKGROUND)
    for place, frame in enumerate(chosen):
        row, column = divmod(place, GRID_COLUMNS)
        tile = frames[frame].convert("RGB").resize((width, TILE_HEIGHT), Image.Resampling.LANCZOS)
        sheet.paste(_labelled(tile, f"frame {frame}"), (column * (width + GAP), row * (TILE_HEIGHT + GAP)))
    sheet.paste(drawing, (grid_width, 0))
    _write_line(sheet, caption, (6, grid_height + 4))
    return sheet


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
