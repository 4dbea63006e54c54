"""Draws what a checkpoint makes of each picture in a folder: a sheet a picture, a row for each move of film grammar, both ways.

python benchmarks/draw_every_move.py PICTURES OUT [--checkpoint camvig-tiny] [--size 512] [--seed 0]
"""

import argparse
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from camvig.camera_paths.film_grammar import MOVES
from camvig.pipelines.contact_sheet import picture_grid
from camvig.pipelines.picture_files import load_picture
from camvig.pipelines.video_files import write_png
from camvig.pipelines.video_job import VideoSettings, load_pipeline, make_video

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
TEXTS = [f"{name} {direction}" for name, move in MOVES.items() for direction in list(move.directions)[:2]]
SHOWN = (0, 4, 8, 12, 16)
HEIGHT = 120


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--checkpoint", default="camvig-tiny")
    parser.add_argument("--size", type=int, default=512, help="the shorter side of the videos, in pixels")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    files = sorted(file for file in options.pictures.iterdir() if file.suffix.lower() in SUFFIXES)
    pipeline = load_pipeline(options.checkpoint)
    pipeline.set_progress_bar_config(disable=True)
    options.out.mkdir(parents=True, exist_ok=True)
    for file in tqdm(files, unit="picture"):
        write_png(sheet_of(pipeline, file, options), options.out / f"{file.stem}.png")


def sheet_of(pipeline, file: Path, options: argparse.Namespace) -> Image.Image:
    """A row a move, its words on the first frame."""
    picture, settings = load_picture(file), VideoSettings(output_size=options.size)
    rows = []
    for text in TEXTS:
        origin = {"checkpoint": options.checkpoint, "image": file.name, "camera_path": text}
        frames = make_video(pipeline, picture, text, options.seed, settings, origin).frames
        rows.append([(f"frame {number}" if number else text, frames[number]) for number in SHOWN])
    return picture_grid(rows, HEIGHT)


if __name__ == "__main__":
    main()
