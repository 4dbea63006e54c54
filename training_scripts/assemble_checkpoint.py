"""Puts three trained parts together as one pipeline folder, rounded to bfloat16 where that does no harm.

    python -m camvig.training_scripts.assemble_checkpoint --visual-tokenizer DIR --camera-tokenizer DIR \\
        --transformer DIR --output-dir DIR [--picture-depth DIR]

A motion tokenizer's canvas and its depth network can be trained beside each other: `--picture-depth` is the second run's tokenizer.
The transformer is rounded, and a visual tokenizer of ours; one of open weights stays in float32, so that its ids are the
original's, and so does the camera codec: it is small, and rounding would move the codes of paths. The folder is written under
a temporary name and loaded once to be sure before anything is replaced.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

import torch

from ..modeling_camvig.camera_tokenizer import CamViGCameraTokenizer
from ..modeling_camvig.modeling_camvig import CamViGForConditionalGeneration
from ..modeling_camvig.motion_autoencoder import MotionAutoencoder
from ..modeling_camvig.picture_depth import PictureDepth
from ..modeling_camvig.visual_tokenizer import CamViGVisualTokenizer
from ..pipelines.checkpoint_folder import visual_tokenizer_dtype
from ..pipelines.pipeline_camvig import CamViGPipeline


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for part in ("visual-tokenizer", "camera-tokenizer", "transformer", "output-dir"):
        parser.add_argument(f"--{part}", type=Path, required=True)
    parser.add_argument("--picture-depth", type=Path, help="a visual tokenizer whose depth network is taken")
    options = parser.parse_args()
    parts = options.visual_tokenizer, options.camera_tokenizer, options.transformer
    assemble(*parts, options.output_dir, options.picture_depth)


def assemble(
    visual_tokenizer: Path,
    camera_tokenizer: Path,
    transformer: Path,
    output_dir: Path,
    picture_depth: Path | None = None,
):
    """Writes the pipeline; files of `output_dir` that the pipeline does not write (notes, curves) stay.

    Raises ValueError for a `picture_depth` where either of the two tokenizers has no depth network.
    """
    dtype = visual_tokenizer_dtype(visual_tokenizer)
    tokenizer = CamViGVisualTokenizer.from_pretrained(visual_tokenizer, dtype=dtype)
    if picture_depth is not None:
        other = CamViGVisualTokenizer.from_pretrained(picture_depth, dtype=dtype)
        taken, place = _depth_network(other, picture_depth), _depth_network(tokenizer, visual_tokenizer)
        place.load_state_dict(taken.state_dict())
    pipeline = CamViGPipeline(
        tokenizer,
        CamViGCameraTokenizer.from_pretrained(camera_tokenizer, dtype=torch.float32),
        CamViGForConditionalGeneration.from_pretrained(transformer, dtype=torch.bfloat16),
    )
    temporary = output_dir.with_name(output_dir.name + ".new")
    shutil.rmtree(temporary, ignore_errors=True)
    pipeline.save_pretrained(temporary)
    CamViGPipeline.from_pretrained(temporary)
    output_dir.mkdir(parents=True, exist_ok=True)
    for entry in temporary.iterdir():
        destination = output_dir / entry.name
        if destination.is_dir():
            shutil.rmtree(destination)
        os.replace(entry, destination)
    temporary.rmdir()


def _depth_network(tokenizer: CamViGVisualTokenizer, folder: Path) -> PictureDepth:
    autoencoder = tokenizer.autoencoder
    if not isinstance(autoencoder, MotionAutoencoder) or autoencoder.depth is None:
        raise ValueError(f"expected a visual tokenizer with a depth network in {folder}, got one without")
    return autoencoder.depth


if __name__ == "__main__":
    main()
