"""What visual tokenizers make of clips they never saw, beside H.264 with as many bits: one JSON line.

    python benchmarks/visual_tokenizers.py [--tokenizer plain=runs/plain/model] [--tokenizer motion=runs/motion/model] [--clips 64]
        [--captures FOLDER ...] [--rendered FOLDER ...] [--videos FOLDER ...] [--json FILE] [--sheets FOLDER]

Without --tokenizer the embedded checkpoint's is measured. Always on rooms of the test split; besides on captures (photos in their
order, as a video), on folders of clips rendered from captures (`camvig data render-clips`), and on folders of videos.
docs/visual_tokenizers_benchmark.md says what each figure is. Only `first_frame_*` is of frame 0. Controls: the first frame
repeated, and H.264 within the bits of the ids; where a motion tokenizer is given the picture, H.264 is given its first frame
too. A table goes to standard error; --sheets writes a contact sheet of each set, to look at before numbers are believed.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from benchmark_clips import BenchmarkClip, ClipSource, capture, rendered, rooms, videos
from torch import Tensor

from camvig.camera_paths.atomic_file import write_then_rename
from camvig.dataset_builders.clip_length import FPS
from camvig.metrics.codebook_usage import codebook_usage
from camvig.metrics.frame_quality import mean_psnr, picture_psnr, picture_ssim, psnr, ssim
from camvig.metrics.h264_reference import h264_at_bits
from camvig.metrics.perceptual_distance import perceptual_distance
from camvig.modeling_camvig.visual_tokenizer import CamViGVisualTokenizer
from camvig.pipelines.checkpoint_folder import find_checkpoint_folder, load_component
from camvig.training_scripts.visual_validation import to_uint8

SHOWN_CLIPS, SHOWN_FRAMES, SHOWN_SIDE = 3, (0, 4, 8, 12, 16), 96


@dataclass
class Decoded:
    """All clips of a set, as something gave them back."""

    clips: list[np.ndarray]  # each [T, S, S, 3] uint8
    bits: float | None = None  # a clip, mean
    over_budget: int | None = None  # H.264: clips for which even its fewest bits are more than the ids'


class Stopwatch:
    """Frames a second of what is done inside `with`."""

    def __init__(self):
        self.wall = self.processor = 0.0
        self.frames = 0

    def run(self, work: Callable[[], Any], frames: int) -> Any:
        wall, processor = time.perf_counter(), time.process_time()
        result = work()
        self.wall += time.perf_counter() - wall
        self.processor += time.process_time() - processor
        self.frames += frames
        return result

    def figures(self) -> dict[str, float]:
        return {
            "frames_per_second": round(self.frames / self.wall, 1),
            "frames_per_processor_second": round(self.frames / self.processor, 1),
        }


def main():
    options = parse_options()
    torch.set_num_threads(options.num_threads)
    tokenizers = {name: load(folder) for name, folder in options.tokenizer}
    figures = {}
    for name, source in sources_of(options).items():
        figures[name] = measure_set(name, source, options.clips, tokenizers, options.sheets)
    record = {
        "benchmark": "visual_tokenizers",
        "threads": options.num_threads,
        "tokenizers": {name: about(folder, tokenizers[name]) for name, folder in options.tokenizer},
        "sets": figures,
    }
    line = json.dumps(record)
    print(line)
    if options.json:
        with write_then_rename(options.json) as temporary:
            temporary.write_text(line + "\n", encoding="utf-8")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", type=named_folder, action="append", metavar="NAME=FOLDER")
    parser.add_argument("--clips", type=int, default=64, help="at most, of each set")
    for kind in ("captures", "rendered", "videos"):
        parser.add_argument(f"--{kind}", type=Path, nargs="+", default=[], metavar="FOLDER")
    parser.add_argument("--json", type=Path, help="also write the line to this file")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets")
    parser.add_argument("--num-threads", type=int, default=1)
    options = parser.parse_args()
    embedded = find_checkpoint_folder("camvig-tiny")
    assert embedded is not None
    options.tokenizer = options.tokenizer or [("camvig-tiny", embedded / "visual_tokenizer")]
    return options


def named_folder(text: str) -> tuple[str, Path]:
    name, _, folder = text.partition("=")
    if not name or not folder:
        raise argparse.ArgumentTypeError(f"expected NAME=FOLDER, got {text!r}")
    return name, Path(folder)


def sources_of(options: argparse.Namespace) -> dict[str, ClipSource]:
    sources: dict[str, ClipSource] = {"rooms": rooms}
    for kind, make in (("captures", capture), ("rendered", rendered), ("videos", videos)):
        for folder in getattr(options, kind):
            sources[f"{kind}:{folder.resolve().name}"] = partial(make, folder)
    return sources


def load(folder: Path) -> CamViGVisualTokenizer:
    tokenizer = load_component(CamViGVisualTokenizer, folder, torch.float32).eval()
    assert isinstance(tokenizer, CamViGVisualTokenizer)
    return tokenizer


def about(folder: Path, tokenizer: CamViGVisualTokenizer) -> dict[str, Any]:
    """What is known of a tokenizer; its training where a run of ours left its record beside it."""
    config, training = tokenizer.config, folder.parent / "training.json"
    run = json.loads(training.read_text(encoding="utf-8")) if training.is_file() else {}
    return {
        "kind": config.kind,
        "architecture": config.architecture,
        "parameters": sum(parameter.numel() for parameter in tokenizer.parameters()),
        "image_size": config.image_size,
        "ids_of_a_clip": [config.latent_frames, config.latent_size, config.latent_size],
        "bits_of_an_id": math.log2(config.vocab_size),
        "training": {name: run[name] for name in ("step", "batch_size", "cpu_seconds") if name in run},
    }


def measure_set(
    name: str, source: ClipSource, count: int, tokenizers: dict[str, CamViGVisualTokenizer], sheets: Path | None
) -> dict[str, Any]:
    """All figures of a set. Tokenizers of another picture size get the clips in that size, with controls of their own."""
    figures: dict[str, Any] = {}
    for size in sorted({tokenizer.config.image_size for tokenizer in tokenizers.values()}):
        clips = source(count, size)
        if not clips:
            raise ValueError(f"expected clips in {name}, got none")
        truth = [clip.frames for clip in clips]
        chosen = {key: each for key, each in tokenizers.items() if each.config.image_size == size}
        results = {key: measure_tokenizer(each, clips) for key, each in chosen.items()}
        rows = {"first frame repeated": Decoded([np.repeat(frames[:1], len(frames), axis=0) for frames in truth])}
        for key, (decoded, _) in results.items():
            rows |= {f"{key}, {how}": each for how, each in decoded.items()}
        rows |= h264_rows(truth, list(chosen.values()))
        figures[f"{size}x{size}"] = {
            "clips": len(clips),
            "hidden_share": round(float(np.mean([1 - clip.visibility.mean() for clip in clips])), 4),
            "decoded": {key: quality(row, truth) for key, row in rows.items()},
            "tokenizers": {key: measured for key, (_, measured) in results.items()},
        }
        print(table(f"{name}, {len(clips)} clips of {size}x{size}", figures[f"{size}x{size}"]), file=sys.stderr)
        if sheets is not None:
            sheet = contact_sheet({"truth": Decoded(truth), **rows})
            sheets.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(sheets / f"{name.replace(':', '-')}-{size}.png"), sheet[..., ::-1])
    return figures


@torch.no_grad()
def measure_tokenizer(
    tokenizer: CamViGVisualTokenizer, clips: Sequence[BenchmarkClip]
) -> tuple[dict[str, Decoded], dict[str, Any]]:
    """Decoded clips, from the ids alone and (kind "motion") with the picture; and what does not depend on pixels' errors."""
    is_motion = tokenizer.config.kind == "motion"
    watches = {name: Stopwatch() for name in ("encode", "decode", *(["decode_with_picture"] if is_motion else []))}
    decoded: dict[str, list[np.ndarray]] = {"ids alone": [], **({"with picture": []} if is_motion else {})}
    all_ids, agree = [], []
    encode(tokenizer, clips[0])  # the first call sets up what later ones use
    for clip in clips:
        video = as_video(clip.frames)
        ids = watches["encode"].run(partial(encode, tokenizer, clip), len(clip.frames))
        alone = watches["decode"].run(partial(tokenizer.decode, ids), len(clip.frames))
        decoded["ids alone"].append(to_uint8(alone.video)[0].numpy())
        if is_motion:
            moved = watches["decode_with_picture"].run(partial(tokenizer.decode, ids, video[:, :, 0]), len(clip.frames))
            decoded["with picture"].append(to_uint8(moved.video)[0].numpy())
        agree.append((tokenizer.encode(video[:, :, :1]) == ids[:, :1]).float().mean())
        all_ids.append(ids)
    ids = torch.cat(all_ids).numpy()
    levels = tokenizer.config.code_levels
    bits = ids[0].size * math.log2(tokenizer.config.vocab_size)
    given = {"ids alone": bits, "with picture": bits * (1 - 1 / ids.shape[1])}
    measured = {
        "first_frame_ids_agree": round(float(torch.stack(agree).mean()), 4),
        "usage_first_frame": rounded(asdict(codebook_usage(ids[:, :1], levels))),
        "usage_later_frames": rounded(asdict(codebook_usage(ids[:, 1:], levels))),
        **{name: watch.figures() for name, watch in watches.items()},
    }
    return {how: Decoded(pictures, given[how]) for how, pictures in decoded.items()}, measured


def encode(tokenizer: CamViGVisualTokenizer, clip: BenchmarkClip) -> Tensor:
    if tokenizer.config.kind == "plain":
        return tokenizer.encode(as_video(clip.frames))
    flow, visibility = torch.from_numpy(clip.flow)[None], torch.from_numpy(clip.visibility)[None]
    return tokenizer.encode(as_video(clip.frames), flow, visibility)


def as_video(frames: np.ndarray) -> Tensor:  # [T, S, S, 3] uint8 -> [1, 3, T, S, S]
    return torch.from_numpy(frames).permute(3, 0, 1, 2)[None].float() / 127.5 - 1


def h264_rows(truth: list[np.ndarray], tokenizers: list[CamViGVisualTokenizer]) -> dict[str, Decoded]:
    """H.264 within the bits of each geometry of ids, and of its later latent frames with the first picture given."""
    budgets = set()
    for config in (tokenizer.config for tokenizer in tokenizers):
        bits_of_latent = config.latent_size**2 * math.log2(config.vocab_size)
        budgets.add((bits_of_latent * config.latent_frames, False))
        if config.kind == "motion":
            budgets.add((bits_of_latent * (config.latent_frames - 1), True))
    rows = {}
    for bits, is_given in sorted(budgets):
        coded = [h264_at_bits(frames, bits, FPS, first_is_given=is_given) for frames in truth]
        name = f"H.264 in {bits:.0f} bits" + (", first frame given" if is_given else "")
        rows[name] = Decoded(
            clips=[each.frames for each in coded],
            bits=float(np.mean([each.bits for each in coded])),
            over_budget=sum(each.bits > bits for each in coded),
        )
    return rows


def quality(row: Decoded, truth: list[np.ndarray]) -> dict[str, Any]:
    """Means over the clips."""
    pairs = list(zip(row.clips, truth, strict=True))
    first = [(clip[0], true[0]) for clip, true in pairs]
    figures = {
        "psnr": mean_psnr(psnr(*pair) for pair in pairs).mean,
        "ssim": float(np.mean([ssim(*pair) for pair in pairs])),
        "perceptual_distance": float(np.mean([clip_distance(*pair) for pair in pairs])),
        "first_frame_psnr": mean_psnr(picture_psnr(*pair) for pair in first).mean,
        "first_frame_ssim": float(np.mean([picture_ssim(*pair) for pair in first])),
        "bits_of_a_clip": row.bits,
        "bits_of_a_frame": row.bits and row.bits / len(truth[0]),
        "clips_over_budget": row.over_budget,
    }
    return rounded(figures)


def clip_distance(clip: np.ndarray, truth: np.ndarray) -> float:
    """Mean perceptual distance of frames 1.. ."""
    ours, theirs = (torch.from_numpy(each[1:]).permute(0, 3, 1, 2) / 127.5 - 1 for each in (clip, truth))
    with torch.no_grad():
        return float(perceptual_distance(ours, theirs).mean())


def rounded(figures: dict[str, Any]) -> dict[str, Any]:
    """To five digits; what is no ordinary number (PSNR of equal pictures) is None, as JSON has no NaN."""
    return {
        name: value if not isinstance(value, float) else float(f"{value:.5g}") if math.isfinite(value) else None
        for name, value in figures.items()
    }


def table(title: str, figures: dict[str, Any]) -> str:
    """Markdown."""
    lines = [
        f"\n{title}\n",
        "| | bits a clip | PSNR | SSIM | perceptual distance | frame 0: PSNR |",
        "| --- |" + " --- |" * 5,
    ]
    for name, row in figures["decoded"].items():
        values = (row["bits_of_a_clip"], row["psnr"], row["ssim"], row["perceptual_distance"], row["first_frame_psnr"])
        formats = ("{:,.0f}", "{:.2f}", "{:.3f}", "{:.3f}", "{:.2f}")
        cells = ["-" if value is None else form.format(value) for form, value in zip(formats, values, strict=True)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += ["", *(f"{name}: {json.dumps(each)}" for name, each in figures["tokenizers"].items())]
    return "\n".join(lines)


def contact_sheet(rows: dict[str, Decoded]) -> np.ndarray:
    """A block of three clips, five frames of each; a line a row. [H, W, 3] uint8."""
    blocks = []
    count = len(next(iter(rows.values())).clips)
    for clip in sorted(set(np.linspace(0, count - 1, min(SHOWN_CLIPS, count)).round().astype(int).tolist())):
        for name, row in rows.items():
            tiles = [
                cv2.resize(row.clips[clip][frame], (SHOWN_SIDE, SHOWN_SIDE), interpolation=cv2.INTER_NEAREST)
                for frame in SHOWN_FRAMES
            ]
            label = np.zeros((SHOWN_SIDE, 2 * SHOWN_SIDE, 3), np.uint8)
            for line, words in enumerate(name.split(", ")):
                place = (4, 20 + 16 * line)
                cv2.putText(label, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (230, 230, 230), 1, cv2.LINE_AA)
            blocks.append(np.concatenate([label, *tiles], axis=1))
    return np.concatenate(blocks)


if __name__ == "__main__":
    main()
