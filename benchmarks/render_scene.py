<<<<<<< HEAD
"""Clips per second of 17 frames at 64x64 pixels rendered from a scene, paths placed and pictures encoded. Prints one JSON line.

python benchmarks/render_scene.py SCENE [--clips 20] [--size 64]
=======
"""How fast is a scene rendered? Clips of 17 frames of 64x64 pixels from the poses that it was fitted to; one JSON line.

    python benchmarks/render_scene.py SCENE [--clips 10]

Wall-clock and processor time: the first depends on what else the machine does.
>>>>>>> field
"""

import argparse
import json
import time

<<<<<<< HEAD
from camvig.dataset_builders.scene_clips import scene_clip
from camvig.dataset_builders.scenes.scene_paths import PathReport, ScenePaths
from camvig.dataset_builders.scenes.scene_sources import open_scene


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", help="as camvig data render-clips takes it")
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--size", type=int, default=64)
    options = parser.parse_args()
    paths, report = ScenePaths(open_scene(options.scene)), PathReport()
    scene_clip(paths, 0, options.size, PathReport())  # compiles what is compiled
    began, processor = time.perf_counter(), time.process_time()
    for number in range(1, options.clips + 1):
        scene_clip(paths, number, options.size, report)
    seconds = time.perf_counter() - began
    figures = {
        "clips_per_second": round(options.clips / seconds, 2),
        "processor_seconds_per_clip": round((time.process_time() - processor) / options.clips, 3),
        "tries_per_clip": round((sum(report.rejected.values()) + options.clips) / options.clips, 1),
    }
    print(json.dumps({"benchmark": "render_scene", "scene": options.scene, "size": options.size, **figures}))
=======
from camvig.dataset_builders.scene_files import load_scene

FRAMES, SIZE = 17, 64


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scene")
    parser.add_argument("--clips", type=int, default=10)
    options = parser.parse_args()
    scene = load_scene(options.scene)
    poses, lenses = scene.views.camera_to_world, scene.views.intrinsics
    starts = [clip * max(len(poses) - FRAMES, 0) // options.clips for clip in range(options.clips)]

    def render(start: int) -> None:
        scene.render(poses[start : start + FRAMES], lenses[start : start + FRAMES], (SIZE, SIZE))

    render(0)  # waits for the compiler
    wall, processor = time.perf_counter(), time.process_time()
    for start in starts:
        render(start)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    result = {"benchmark": "render_scene", "scene": scene.name, "clips_per_second": round(options.clips / wall, 2)}
    print(json.dumps(result | {"processor_seconds_per_clip": round(processor / options.clips, 3)}))
>>>>>>> field


if __name__ == "__main__":
    main()
