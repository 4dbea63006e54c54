"""Clips of Gaussian splats rendered a second: 17 frames of an arc of 30 degrees around the scene. Prints one JSON line.

python benchmarks/render_splats.py FILE [--clips 6] [--size 64] [--backend numba]

psnr_of_larger: against the same frames drawn 4 times as large and averaged, in dB: what the few samples a pixel cost.
"""

import argparse
import json
import os
import time

import numpy as np

from camvig.dataset_builders.scenes.splat_field import load_splat_scene, ring_of_views

FRAMES, LARGER = 17, 4


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--clips", type=int, default=6)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--backend", choices=["numba", "gsplat", "torch"])
    options = parser.parse_args()
    field, size = load_splat_scene(options.file, backend=options.backend), (options.size, options.size)
    starts = np.arange(options.clips) / options.clips
    clips = [ring_of_views(field.splats, "-y", start + np.linspace(0, 30 / 360, FRAMES)) for start in starts]
    rgb = field.render(clips[0].camera_to_world[:2], clips[0].intrinsics[:2], size).rgb  # compiles the kernels
    started, cpu_started = time.perf_counter(), time.process_time()
    for views in clips:
        field.render(views.camera_to_world, views.intrinsics, size)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    larger = field.render(
        clips[0].camera_to_world[:2], clips[0].intrinsics[:2], (LARGER * size[0], LARGER * size[1])
    ).rgb
    averaged = larger.reshape(2, size[0], LARGER, size[1], LARGER, 3).mean(axis=(2, 4))
    result = {
        "benchmark": "render_splats",
        "gaussians": field.splats.count,
        "clips_per_second": round(options.clips / seconds, 2),
        "cpu_seconds_per_clip": round(cpu_seconds / options.clips, 3),
        "psnr_of_larger": round(float(-10 * np.log10(np.mean((rgb - averaged) ** 2))), 1),
        "size": options.size,
        "frames": FRAMES,
        "backend": field.backend,
        "cores": len(os.sched_getaffinity(0)),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
