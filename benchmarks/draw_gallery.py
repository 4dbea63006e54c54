"""Draws gallery.jpg of a checkpoint: three of the demo's videos as contact sheets, below each its last frame with seeds 0, 1, 2.

Three of the demo's four pictures, each with another of its three paths; seeds are not chosen.

python benchmarks/draw_gallery.py [--checkpoint checkpoints/camvig-tiny] [--out checkpoints/camvig-tiny/gallery.jpg]
"""

import argparse
from pathlib import Path

from PIL import Image

from camvig.pipelines.contact_sheet import TILE_HEIGHT, overview_sheet, picture_grid
from camvig.pipelines.demo import DEMO_PATHS, demo_pictures
from camvig.pipelines.picture_files import load_picture
from camvig.pipelines.video_job import VideoSettings, load_pipeline, make_video

ROOT = Path(__file__).parents[1]
SHOWN = {"lobby": "dolly_in", "street": "pan_and_truck", "pier": "orbit"}
"""Picture -> path, by their names in the demo."""
SEEDS = (0, 1, 2)
WIDTH = 1100


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default=str(ROOT / "checkpoints/camvig-tiny"))
    parser.add_argument("--out", type=Path, default=ROOT / "checkpoints/camvig-tiny/gallery.jpg")
    options = parser.parse_args()
    pipeline = load_pipeline(options.checkpoint)
    pipeline.set_progress_bar_config(disable=True)
    pictures = {file.stem: file for file in demo_pictures()}
    gallery = overview_sheet(
        [sheet for name, path in SHOWN.items() for sheet in sheets_of(pipeline, pictures[name], path)]
    )
    gallery.save(options.out, quality=85)


def sheets_of(pipeline, file: Path, path: str) -> list[Image.Image]:
    """The contact sheet of seed 0, as the demo makes it, and the last frames of all seeds."""
    origin = {"image": file.name, "camera_path": DEMO_PATHS[path]}
    picture = load_picture(file)
    videos = [make_video(pipeline, picture, DEMO_PATHS[path], seed, VideoSettings(), origin) for seed in SEEDS]
    last = [(f"frame 16, seed {seed}", video.frames[-1]) for seed, video in zip(SEEDS, videos, strict=True)]
    return [as_wide(videos[0].sheet), picture_grid([last], TILE_HEIGHT)]


def as_wide(sheet: Image.Image) -> Image.Image:
    return sheet.resize((WIDTH, round(sheet.height * WIDTH / sheet.width)), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
