"""Sample sheets of a validation: for each clip the picture, the true frames, the generated ones and the controls, labelled."""

from __future__ import annotations

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

SHOWN_FRAMES = 5  # the first, which is the given picture, to the last
SHEET_COLUMNS = 2  # clips side by side
SMALLEST_TILE = 96  # pixels a side; smaller frames are enlarged by a whole number
GAP, LABEL_WIDTH, HEAD_HEIGHT, CLIP_GAP = 4, 118, 22, 24
BACKGROUND, INK, QUIET = "white", "#22252a", "#6b7079"


def sample_sheet(
    moves: list[str], rows: dict[str, tuple[list[np.ndarray], np.ndarray | None]], static_errors: np.ndarray
) -> Image.Image:
    """A block a clip, two side by side.

    Args:
        moves: what the camera does in each clip that is shown.
        rows: label -> (a video `[T, S, S, 3]` uint8 a clip, their flow MSE in px^2 or None).
        static_errors: flow MSE of the first frame repeated.
    """
    blocks = []
    for clip, move in enumerate(moves):
        videos = {label: made[clip] for label, (made, _) in rows.items()}
        notes = {label: "" if errors is None else f"{errors[clip]:.2f} px²" for label, (_, errors) in rows.items()}
        title = f"{clip + 1}. {move.replace('_', ' ')} (flow MSE at each row; {static_errors[clip]:.2f} px² if nothing moved)"
        blocks.append(_block(title, videos, notes))
    width, height = (size + CLIP_GAP for size in blocks[0].size)
    columns = min(SHEET_COLUMNS, len(blocks))
    sheet = Image.new("RGB", (columns * width, -(-len(blocks) // columns) * height), BACKGROUND)
    for number, block in enumerate(blocks):
        row, column = divmod(number, columns)
        sheet.paste(block, (column * width + CLIP_GAP // 2, row * height + CLIP_GAP // 2))
    return sheet


def _block(title: str, videos: dict[str, np.ndarray], notes: dict[str, str]) -> Image.Image:
    """One clip: a row a video, a column a frame."""
    first = next(iter(videos.values()))
    tile = first.shape[1] * max(1, -(-SMALLEST_TILE // first.shape[1]))
    frames = np.linspace(0, len(first) - 1, SHOWN_FRAMES).round().astype(int)
    top, step = 2 * HEAD_HEIGHT, tile + GAP
    block = Image.new("RGB", (LABEL_WIDTH + SHOWN_FRAMES * step - GAP, top + len(videos) * step - GAP), BACKGROUND)
    _write(block, title, (0, 2), INK)
    for column, frame in enumerate(frames):
        _write(block, f"frame {frame}" if frame else "picture", (LABEL_WIDTH + column * step, HEAD_HEIGHT + 3), QUIET)
    for row, (label, video) in enumerate(videos.items()):
        y = top + row * step
        _write(block, label, (0, y + tile // 2 - 18), INK)
        _write(block, notes[label], (0, y + tile // 2), QUIET)
        for column, frame in enumerate(frames):
            enlarged = Image.fromarray(video[frame]).resize((tile, tile), Image.Resampling.BICUBIC)
            block.paste(enlarged, (LABEL_WIDTH + column * step, y))
    return block


def _write(picture: Image.Image, text: str, place: tuple[int, int], colour: str):
    ImageDraw.Draw(picture).text(place, text, fill=colour, font=ImageFont.truetype(_font_file(), 13))


def _font_file() -> str:
    """matplotlib ships this font."""
    return font_manager.findfont("DejaVu Sans")
