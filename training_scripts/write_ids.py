"""Ids that a checkpoint's transformer writes for rendered clips, as in its pipeline: a canvas is trained on them (`train_canvas`).

    python -m camvig.training_scripts.write_ids --checkpoint checkpoints/camvig-tiny --clips runs/clips/rooms-canvas-64 \\
        --out runs/written

What always holds: beside shard-00000 of the clips stands shard-00000.npy here, `[N, K, t, h, w]` int32, of K draws a clip
(the checkpoint's `mean_of`); each file appears whole or not at all, and a run that was killed goes on with those that are missing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ..camera_paths.atomic_file import write_then_rename
from ..camera_paths.camera_path import CameraPath
from ..dataset_builders.clip_cache import ClipCache, shards_in
from ..dataset_builders.clip_length import FPS
from ..dataset_builders.clip_variants import relative_path
from ..pipelines.evaluation.generation import BATCH_SIZE, draw_ids, to_picture
from ..pipelines.pipeline_camvig import CamViGPipeline
from ..pipelines.sampling_settings import SamplingSettings


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="camvig-tiny")
    parser.add_argument(
        "--clips", type=Path, required=True, help="lossless clips, as camvig data render-rooms writes them"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0, help="of the first clip; each further one has the next")
    parser.add_argument("--num-threads", type=int, default=None)
    options = parser.parse_args()
    if options.num_threads:
        torch.set_num_threads(options.num_threads)
    pipeline = CamViGPipeline.from_pretrained(options.checkpoint)
    pipeline.set_progress_bar_config(disable=True)
    shards = shards_in(options.clips)
    if not shards:
        parser.error(f"expected lossless clips in {options.clips}, got none")
    write_ids(pipeline, shards, options.out, options.seed)


def write_ids(pipeline: CamViGPipeline, shards: list[Path], out: Path, seed: int = 0) -> None:
    """Writes what is missing; clip i of all shards has the seed `seed` + i."""
    out.mkdir(parents=True, exist_ok=True)
    starts = ClipCache(shards).starts
    for shard, first in zip(tqdm(shards, desc="writing ids"), starts, strict=False):
        file = out / f"{shard.name}.npy"
        if not file.exists():
            ids = ids_of(pipeline, ClipCache([shard]), seed + first)
            with write_then_rename(file) as temporary, temporary.open("wb") as stream:
                np.save(stream, ids.numpy().astype(np.int32))


@torch.no_grad()
def ids_of(pipeline: CamViGPipeline, clips: ClipCache, seed: int) -> Tensor:
    """`[N, K, t, h, w]` of the clips of a cache."""
    settings, written = SamplingSettings.of(pipeline), []
    for start in range(0, len(clips), BATCH_SIZE):
        numbers = range(start, min(start + BATCH_SIZE, len(clips)))
        part = [clips[number] for number in numbers]
        pictures = [to_picture(clip["frames"][0]) for clip in part]
        paths = [CameraPath(*relative_path(clip), fps=FPS, unit="scene_depth") for clip in part]
        ids = draw_ids(pipeline, pictures, paths, [seed + number for number in numbers], settings)
        written.append(ids if ids.ndim == 5 else ids[:, None])
    return torch.cat(written)


if __name__ == "__main__":
    main()
