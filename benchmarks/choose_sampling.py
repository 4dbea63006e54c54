"""Which sampling settings make videos follow their paths best? Flow MSE over static on validation rooms, one JSON line each.

    python benchmarks/choose_sampling.py --checkpoint checkpoints/camvig-tiny [--clips 32] [--store]

`--store` writes the best into the checkpoint, as `transformer/generation_config.json`, where pipeline, command line and evaluation
find them. The project's defaults were chosen with it; the test split is never used.
"""

import argparse
import itertools
import json
from dataclasses import asdict

import numpy as np

from camvig import CamViGPipeline
from camvig.dataset_builders.rooms.room_clips import room_clips
from camvig.metrics.flow_mse import dis_flow
from camvig.pipelines.checkpoint_folder import find_checkpoint_folder
from camvig.pipelines.evaluation.flow_scores import flow_errors
from camvig.pipelines.evaluation.generation import generate, to_picture
from camvig.pipelines.sampling_settings import SamplingSettings


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="camvig-tiny")
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--temperatures", type=float, nargs="+", default=[0.0, 0.5, 0.7, 1.0])
    parser.add_argument("--guidance-scales", type=float, nargs="+", default=[1.0, 1.5, 2.0])
    parser.add_argument("--top-ks", type=int, nargs="+", default=[0])
    parser.add_argument("--top-ps", type=float, nargs="+", default=[1.0])
    parser.add_argument("--means-of", type=int, nargs="+", default=[1])
    parser.add_argument("--rigid-scenes", choices=["yes", "no"], nargs="+", default=["no"])
    parser.add_argument("--store", action="store_true", help="write the best into the checkpoint, a local folder")
    options = parser.parse_args()
    folder = find_checkpoint_folder(options.checkpoint)
    if options.store and folder is None:
        parser.error(f"expected a local checkpoint with --store, got {options.checkpoint}")
    pipeline = CamViGPipeline.from_pretrained(options.checkpoint)
    pipeline.set_progress_bar_config(disable=True)
    rooms = list(room_clips("validation", options.clips, size=pipeline.visual_tokenizer.config.image_size))
    pictures, paths = [to_picture(room.frames[0]) for room in rooms], [room.path for room in rooms]
    flows = [dis_flow(room.frames) for room in rooms]
    static = flow_errors([np.repeat(room.frames[:1], len(room.frames), axis=0) for room in rooms], flows).mean()
    grid = itertools.product(
        options.temperatures,
        options.guidance_scales,
        options.top_ks,
        options.top_ps,
        options.means_of,
        [answer == "yes" for answer in options.rigid_scenes],
    )
    ratios: dict[SamplingSettings, float] = {}
    for temperature, guidance_scale, top_k, top_p, mean_of, rigid_scene in grid:
        settings = SamplingSettings(guidance_scale, temperature, top_k, top_p, mean_of, rigid_scene)
        videos = generate(pipeline, pictures, paths, list(range(len(rooms))), settings)
        ratio = ratios[settings] = float(flow_errors(videos, flows).mean() / static)
        print(
            json.dumps({"benchmark": "choose_sampling", **asdict(settings), "flow_mse_over_static": round(ratio, 4)}),
            flush=True,
        )
    if options.store and folder is not None:
        best = min(ratios, key=lambda settings: ratios[settings])
        pipeline.transformer.generation_config.update(**asdict(best))
        pipeline.transformer.generation_config.save_pretrained(folder / "transformer")
        print(json.dumps({"stored": str(folder / "transformer" / "generation_config.json"), **asdict(best)}))


if __name__ == "__main__":
    main()
