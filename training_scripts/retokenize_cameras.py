"""Cached ids -> the same with the camera ids of another camera tokenizer: seconds, where tokenizing the clips again is minutes.

    python -m camvig.training_scripts.retokenize_cameras --ids DIR --visual-tokenizer DIR --camera-tokenizer DIR \\
        --new-camera-tokenizer DIR --out DIR

The cache keeps each clip's path, so its camera ids are those that `camvig data tokenize` would give. The cache must be that
of the first two tokenizers; parts of the output that are there are kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pyarrow.parquet as pq
import torch

from ..dataset_builders.token_cache import check_tokenizers, licences_of, parts_in, write_part
from ..modeling_camvig.camera_tokenizer import CamViGCameraTokenizer
from .tokenize_clips import Tokenizers, shortened_paths


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("ids", "visual-tokenizer", "camera-tokenizer", "new-camera-tokenizer", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    options = parser.parse_args()
    before = Tokenizers.load(options.visual_tokenizer, options.camera_tokenizer)
    after = Tokenizers.load(options.visual_tokenizer, options.new_camera_tokenizer)
    rows, shortened = retokenize_cameras(options.ids, before, after, options.out)
    print(f"{rows} rows written, {shortened} paths shortened, tokenizers {after.fingerprint}")


def retokenize_cameras(folder: Path, before: Tokenizers, after: Tokenizers, output: Path) -> tuple[int, int]:
    """Writes the missing parts of `output`; how many rows, and how many of their paths needed more ids than there are."""
    if not (parts := parts_in(folder)):
        raise ValueError(f"expected cached ids (*.parquet) in {folder}, found none")
    check_tokenizers(folder, before.fingerprint)
    check_tokenizers(output, after.fingerprint)
    written, shortened = 0, 0
    for part in parts:
        if (output / part.name).exists():
            continue
        rows = pq.read_table(part).to_pylist()
        for row, ids in zip(rows, camera_ids_of(rows, after.camera), strict=True):
            row["camera_ids"] = ids
        write_part(output / part.name, rows, after.fingerprint, licences_of(part))
        written += len(rows)
        shortened += shortened_paths(rows, after.camera)
    return written, shortened


def camera_ids_of(rows: list[dict], camera: CamViGCameraTokenizer) -> list[list[int]]:
    """Rows of a token cache -> the camera ids of their paths."""
    poses = torch.tensor([row["camera_to_world"] for row in rows]).unflatten(1, (-1, 4, 4))
    intrinsics = torch.tensor([row["intrinsics"] for row in rows]).unflatten(1, (-1, 4))
    return camera.encode(poses, intrinsics).tolist()


if __name__ == "__main__":
    main()
