"""One picture of each camera move for the docs: over a demo picture, from above and from the side. Prints one JSON line each.

python benchmarks/draw_moves.py FOLDER [--height 300]
"""

import argparse
import json
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from camvig.camera_paths import CameraPath
from camvig.camera_paths.atomic_file import write_then_rename
from camvig.camera_paths.overlay_plot import plot_overlay
from camvig.camera_paths.plots import render_path_picture

DEMO_PICTURES = Path(__file__).parents[1] / "camvig" / "demo_pictures"
MOVES = {  # name of the file -> film grammar and demo picture
    "dolly_in": ("dolly in 30%", "lobby"),
    "dolly_out": ("dolly out 30%", "lobby"),
    "truck_left": ("truck left 20%", "pier"),
    "truck_right": ("truck right 20%", "pier"),
    "pedestal_up": ("pedestal up 15%", "lobby"),
    "pedestal_down": ("pedestal down 15%", "lobby"),
    "pan_left": ("pan left 15deg", "pier"),
    "pan_right": ("pan right 15deg", "pier"),
    "tilt_up": ("tilt up 10deg", "lobby"),
    "tilt_down": ("tilt down 10deg", "lobby"),
    "roll_left": ("roll left 10deg", "pier"),
    "roll_right": ("roll right 10deg", "pier"),
    "zoom_in": ("zoom in 1.4x", "lobby"),
    "zoom_out": ("zoom out 1.4x", "lobby"),
    "orbit_left": ("orbit left 20deg", "lobby"),
    "orbit_right": ("orbit right 20deg", "lobby"),
    "dolly_zoom": ("dolly-zoom in 30%", "lobby"),
    "handheld": ("handheld 2%", "lobby"),
}
DEPTHS = {"dolly_zoom": 3.0}  # of what is drawn over the picture: at 1 scene depth nothing moves
MOST_BYTES = 60_000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--height", type=int, default=360, help="of the pictures, in pixels")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    refused = {}
    for name, (text, demo_picture) in MOVES.items():
        try:
            picture = draw_move(text, DEMO_PICTURES / f"{demo_picture}.jpg", options.height, DEPTHS.get(name))
        except ValueError as error:
            refused[name] = str(error)
            continue
        size = write_small_jpeg(picture, options.folder / f"{name}.jpg")
        print(json.dumps({"benchmark": "draw_moves", "move": text, "file": f"{name}.jpg", "bytes": size}), flush=True)
    if refused:
        raise SystemExit("\n".join(f"{name}: {message}" for name, message in refused.items()))


def draw_move(text: str, demo_picture: Path, height: int, depth: float | None = None) -> np.ndarray:
    """The move over a picture, and beside it from above and from the side: [H, W, 3] uint8."""
    with Image.open(demo_picture) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    path = CameraPath.from_text(text).for_picture(pixels.shape[1], pixels.shape[0])
    overlay = Image.fromarray(plot_overlay(path, pixels, depth=depth, title=text, longer_side_px=height))
    overlay = overlay.resize((round(overlay.width * height / overlay.height), height), Image.Resampling.LANCZOS)
    return np.concatenate([np.asarray(overlay), render_path_picture(path, height)], axis=1)


def write_small_jpeg(picture: np.ndarray, file: Path) -> int:
    """Write a picture in the best quality that stays under `MOST_BYTES`; returns its size in bytes."""
    for quality in range(92, 40, -4):
        buffer = BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=quality, subsampling=0, optimize=True)
        if buffer.tell() <= MOST_BYTES:
            break
    with write_then_rename(file) as temporary:
        temporary.write_bytes(buffer.getvalue())
    return buffer.tell()


if __name__ == "__main__":
    main()
