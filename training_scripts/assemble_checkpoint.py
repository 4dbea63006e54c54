"""Puts three trained parts together as one pipeline folder, rounded to bfloat16 where that does no harm.

    python -m camvig.training_scripts.assemble_checkpoint --visual-tokenizer DIR --camera-tokenizer DIR \\
        --transformer DIR --output-dir DIR

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
from ..modeling_camvig.visual_tokenizer import CamViGVisualTokenizer
from ..pipelines.checkpoint_folder import visual_tokenizer_dtype
from ..pipelines.pipeline_camvig import CamViGPipeline


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for part in ("visual-tokenizer", "camera-tokenizer", "transformer", "output-dir"):
        parser.add_argument(f"--{part}", type=Path, required=True)
    options = parser.parse_args()
    assemble(options.visual_tokenizer, options.camera_tokenizer, options.transformer, options.output_dir)


def assemble(visual_tokenizer: Path, camera_tokenizer: Path, transformer: Path, output_dir: Path):
    """Writes the pipeline; files of `output_dir` that the pipeline does not write (notes, curves) stay."""
    pipeline = CamViGPipeline(
        CamViGVisualTokenizer.from_pretrained(visual_tokenizer, dtype=visual_tokenizer_dtype(visual_tokenizer)),
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


if __name__ == "__main__":
    main()
