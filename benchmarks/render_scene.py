"""Clips per second of 17 frames at 64x64 pixels rendered from a scene. Prints one JSON line.

python benchmarks/render_scene.py SCENE [--clips 20] [--size 64]

"rendered" is the pictures and depths alone, from the poses that the scene was made from; "made" is whole clips as
camvig data render-clips makes them in one process: paths placed, pictures rendered and encoded.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable

from camvig.dataset_builders.clip_length import NUM_FRAMES
from camvig.dataset_builders.scene_clips import scene_clip
from camvig.dataset_builders.scenes.scene_paths import PathReport, ScenePaths
from camvig.dataset_builders.scenes.scene_sources import open_scene


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", help="as camvig data render-clips takes it")
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--size", type=int, default=64)
    options = parser.parse_args()
    scene, report = open_scene(options.scene), PathReport()
    paths = ScenePaths(scene)
    poses, lenses = scene.views.camera_to_world, scene.views.intrinsics

    def render(clip: int) -> None:
        views = [(clip * NUM_FRAMES + frame) % len(poses) for frame in range(NUM_FRAMES)]
        scene.render(poses[views], lenses[views], (options.size, options.size))

    def make(clip: int) -> None:
        scene_clip(paths, clip, options.size, report)

    rendered, made = measure(render, range(options.clips)), measure(make, range(options.clips))
    tries = round((sum(report.rejected.values()) + sum(report.placed.values())) / sum(report.placed.values()), 1)
    figures = {"rendered": rendered, "made": made, "tries_per_path": tries}
    print(json.dumps({"benchmark": "render_scene", "scene": options.scene, "size": options.size, **figures}))


def measure(work: Callable[[int], None], clips: Iterable[int]) -> dict[str, float]:
    work(0)  # compiles what is compiled
    clips = list(clips)
    began, processor = time.perf_counter(), time.process_time()
    for clip in clips:
        work(clip)
    seconds, processor = time.perf_counter() - began, time.process_time() - processor
    return {
        "clips_per_second": round(len(clips) / seconds, 2),
        "processor_seconds_per_clip": round(processor / len(clips), 3),
    }


if __name__ == "__main__":
    main()
