"""How fast is a scene rendered? Clips of 17 frames of 64x64 pixels from the poses that it was fitted to; one JSON line.

    python benchmarks/render_scene.py SCENE [--clips 10]

Wall-clock and processor time: the first depends on what else the machine does.
"""

import argparse
import json
import time

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


if __name__ == "__main__":
    main()
