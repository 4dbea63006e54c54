"""The demo: every picture that ships with camvig, along every path of `DEMO_PATHS`, as files to look at."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from .contact_sheet import overview_sheet
from .output_files import check_folder, write_json
from .picture_files import load_picture
from .video_files import write_gif, write_mp4, write_png
from .video_job import MadeVideo, VideoSettings, load_pipeline, make_video

DEMO_PATHS = {
    "dolly_in": "dolly in 30%",
    "pan_and_truck": "pan left 12deg, truck left 15%",
    "orbit": "orbit right 20deg",
}


def demo_pictures() -> list[Path]:
    """The pictures that ship with camvig; their sources stand in CREDITS.md beside them."""
    folder = Path(str(resources.files("camvig"))) / "demo_pictures"
    return sorted(folder.glob("*.jpg"))


def run_demo(
    output_dir: Path, checkpoint: str, seed: int, settings: VideoSettings, say: Callable[[str], None]
) -> list[Path]:
    """Write an mp4, a gif, a contact sheet and a JSON for every picture and path, and one overview of all sheets.

    Args:
        output_dir: made if it is missing.
        checkpoint: what `CamViGPipeline.from_pretrained` takes.
        seed: of each video's own generator.
        settings: of sampling.
        say: is told, line by line, what is done.

    Returns:
        every file written.
    """
    check_folder(output_dir / "overview.png")
    pictures = demo_pictures()
    say(f"Loading the checkpoint {checkpoint} ...")
    pipeline = load_pipeline(checkpoint)
    pipeline.set_progress_bar_config(disable=True)
    output_dir.mkdir(parents=True, exist_ok=True)
    jobs = [(picture, name, text) for picture in pictures for name, text in DEMO_PATHS.items()]
    written: list[Path] = []
    sheets: list[Image.Image] = []
    for picture, name, text in tqdm(jobs, desc="videos", unit="video"):
        origin = {"checkpoint": checkpoint, "image": picture.name, "camera_path": text}
        video = make_video(pipeline, load_picture(picture), text, seed, settings, origin)
        sheets.append(video.sheet)
        written += _write_all(video, sheets[-1], output_dir / f"{picture.stem}_{name}")
    write_png(overview_sheet(sheets), output_dir / "overview.png")
    say(f"{len(jobs)} videos, each as .mp4, .gif, .png (contact sheet) and .json:")
    for file in written:
        if file.suffix == ".mp4":
            say(f"  {file}")
    say(f"All of them at a glance: {output_dir / 'overview.png'}")
    return [*written, output_dir / "overview.png"]


def _write_all(video: MadeVideo, sheet: Image.Image, stem: Path) -> list[Path]:
    """The four files of one video."""
    mp4, gif, png, record = (stem.with_name(stem.name + suffix) for suffix in (".mp4", ".gif", ".png", ".json"))
    write_mp4(video.frames, mp4, video.path.fps)
    write_gif(video.frames, gif, video.path.fps)
    write_png(sheet, png)
    write_json(video.record, record)
    return [mp4, gif, png, record]
