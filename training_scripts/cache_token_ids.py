"""Turns clips into cached ids (Parquet) with trained tokenizers: each clip as it is, mirrored, and both in reverse.

    python -m camvig.training_scripts.cache_token_ids --visual-tokenizer runs/visual/model --camera-tokenizer runs/camera/model \\
        --clip-cache runs/clips/rooms-train-64 --output-dir runs/ids

The visual tokenizer's weights are rounded to bfloat16 first, as a checkpoint stores them, so that ids here and in use are
the same. Parts that are there are kept, so a killed run goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ..dataset_builders.clip_cache import SHARD_CLIPS, ClipCache, shards_in
from ..dataset_builders.clip_variants import is_in_range, mirrored, relative_path, reversed_in_time
from ..dataset_builders.token_cache import part_file, write_part
from ..modeling_camvig.camera_tokenizer import CamViGCameraTokenizer
from ..modeling_camvig.visual_tokenizer import CamViGVisualTokenizer
from .visual_batches import change_colours, clip_arrays, collate


def encode_clips(clips: list[dict], visual: CamViGVisualTokenizer, camera: CamViGCameraTokenizer, rng) -> list[dict]:
    """Clips, with colours changed -> rows of the token cache without their source."""
    arrays = [clip_arrays(clip) for clip in clips]
    batch = collate([{**item, "frames": change_colours(item["frames"], rng)} for item in arrays])
    camera_to_world, intrinsics = (np.stack(values) for values in zip(*map(relative_path, clips), strict=True))
    ids = visual.encode(batch["video"], batch["flow"], batch["visibility"]).flatten(2)
    columns = {
        "image_ids": ids[:, 0],
        "video_ids": ids[:, 1:].flatten(1),
        "camera_ids": camera.encode(torch.from_numpy(camera_to_world), torch.from_numpy(intrinsics)),
        "camera_to_world": camera_to_world.reshape(len(clips), -1),
        "intrinsics": intrinsics.reshape(len(clips), -1),
    }
    return [{name: values[i].tolist() for name, values in columns.items()} for i in range(len(clips))]


def variants(clip: dict) -> list[tuple[dict, str]]:
    """A clip as it is, played backwards, and both mirrored, each with its name; without those that are out of range."""
    named = [(clip, "as rendered"), (reversed_in_time(clip), "reversed")]
    named = [(variant, name) for variant, name in named if is_in_range(variant)]
    return named + [(mirrored(variant), f"{name}, mirrored") for variant, name in named]


def encode_part(
    cache: ClipCache,
    part: int,
    source: str,
    visual: CamViGVisualTokenizer,
    camera: CamViGCameraTokenizer,
    chunk: int = 16,
) -> list[dict]:
    """One shard of clips -> rows, one a variant of a clip."""
    rng = np.random.default_rng((0, part))
    indices = range(part * SHARD_CLIPS, (part + 1) * SHARD_CLIPS)
    jobs = [(index, variant, name) for index in indices for variant, name in variants(cache[index])]
    rows = []
    for start in range(0, len(jobs), chunk):
        group = jobs[start : start + chunk]
        encoded = encode_clips([variant for _, variant, _ in group], visual, camera, rng)
        for row, (index, clip, name) in zip(encoded, group, strict=True):
            rows.append({**row, "source": source, "clip_index": index, "variant": name, "move": clip["move"]})
    return rows


def shard_of(text: str) -> tuple[int, int]:
    """ "1/4" -> (1, 4): the second of four processes."""
    index, _, count = text.partition("/")
    if not (index.isdigit() and count.isdigit() and int(index) < int(count)):
        raise argparse.ArgumentTypeError(f"expected I/N with 0 <= I < N, got {text!r}")
    return int(index), int(count)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visual-tokenizer", type=Path, required=True)
    parser.add_argument("--camera-tokenizer", type=Path, required=True)
    parser.add_argument("--clip-cache", type=Path, required=True, help="folder of shards of rendered clips")
    parser.add_argument("--output-dir", type=Path, required=True)
    parser.add_argument(
        "--shard", type=shard_of, default=(0, 1), metavar="I/N", help="take only every N-th part, from I"
    )
    options = parser.parse_args()
    tokenizers = (
        CamViGVisualTokenizer.from_pretrained(options.visual_tokenizer, dtype=torch.bfloat16).float().eval(),
        CamViGCameraTokenizer.from_pretrained(options.camera_tokenizer).eval(),
    )
    cache, source = ClipCache(shards_in(options.clip_cache)), options.clip_cache.name
    first, step = options.shard
    for part in tqdm(range(first, len(cache) // SHARD_CLIPS, step), desc=f"encoding {source}", mininterval=5):
        file = part_file(options.output_dir, source, part)
        if not file.exists():
            write_part(file, encode_part(cache, part, source, *tokenizers))


if __name__ == "__main__":
    main()
