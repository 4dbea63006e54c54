"""Which sampling settings make videos follow their paths best? Flow MSE over static on validation rooms, one JSON line each.

    python benchmarks/choose_sampling.py --checkpoint checkpoints/camvig-tiny [--clips 32]

The defaults of `CamViGPipeline` were chosen with it; the test split is never used.
"""

import argparse
import itertools
import json
from dataclasses import asdict

import numpy as np

from camvig import CamViGPipeline
from camvig.dataset_builders.rooms.room_clips import room_clips
from camvig.metrics.flow_mse import dis_flow
from camvig.pipelines.evaluation.flow_scores import flow_errors
from camvig.pipelines.evaluation.generation import generate, to_picture
from camvig.pipelines.sampling_settings import SamplingSettings


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="camvig-tiny")
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--temperatures", type=float, nargs="+", default=[0.0, 0.5, 0.7, 1.0])
    parser.add_argument("--guidance-scales", type=float, nargs="+", default=[1.0, 1.5, 2.0])
    options = parser.parse_args()
    pipeline = CamViGPipeline.from_pretrained(options.checkpoint)
    pipeline.set_progress_bar_config(disable=True)
    rooms = list(room_clips("validation", options.clips, size=pipeline.visual_tokenizer.config.image_size))
    pictures, paths = [to_picture(room.frames[0]) for room in rooms], [room.path for room in rooms]
    flows = [dis_flow(room.frames) for room in rooms]
    static = flow_errors([np.repeat(room.frames[:1], len(room.frames), axis=0) for room in rooms], flows).mean()
    for temperature, guidance_scale in itertools.product(options.temperatures, options.guidance_scales):
        settings = SamplingSettings(guidance_scale, temperature)
        videos = generate(pipeline, pictures, paths, list(range(len(rooms))), settings)
        ratio = float(flow_errors(videos, flows).mean() / static)
        print(
            json.dumps({"benchmark": "choose_sampling", **asdict(settings), "flow_mse_over_static": round(ratio, 4)}),
            flush=True,
        )


if __name__ == "__main__":
    main()
