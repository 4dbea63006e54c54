"""Draws gallery.jpg of a checkpoint: contact sheets of three of the demo's videos, one below the other.

python benchmarks/draw_gallery.py [--checkpoint checkpoints/camvig-tiny] [--out checkpoints/camvig-tiny/gallery.jpg]
"""

import argparse
from pathlib import Path

from PIL import Image

from camvig.pipelines.demo import DEMO_PATHS, demo_pictures
from camvig.pipelines.picture_files import load_picture
from camvig.pipelines.video_job import VideoSettings, load_pipeline, make_video

ROOT = Path(__file__).parents[1]
SHOWN = {"lobby": "dolly_in", "street": "pan_and_truck", "pier": "orbit"}
"""Picture -> path, by their names in the demo."""
WIDTH = 1100


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default=str(ROOT / "checkpoints/camvig-tiny"))
    parser.add_argument("--out", type=Path, default=ROOT / "checkpoints/camvig-tiny/gallery.jpg")
    options = parser.parse_args()
    pipeline = load_pipeline(options.checkpoint)
    pictures = {file.stem: file for file in demo_pictures()}
    sheets = [sheet_of(pipeline, pictures[name], DEMO_PATHS[path]) for name, path in SHOWN.items()]
    gallery = Image.new("RGB", (WIDTH, sum(sheet.height for sheet in sheets)), "white")
    top = 0
    for sheet in sheets:
        gallery.paste(sheet, (0, top))
        top += sheet.height
    gallery.save(options.out, quality=85)


def sheet_of(pipeline, picture: Path, path: str) -> Image.Image:
    """With seed 0, as the demo makes it; scaled to the gallery's width."""
    origin = {"image": picture.name, "camera_path": path}
    sheet = make_video(pipeline, load_picture(picture), path, 0, VideoSettings(), origin).sheet
    return sheet.resize((WIDTH, round(sheet.height * WIDTH / sheet.width)), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
