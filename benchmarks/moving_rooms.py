"""What moving objects cost: processor time of rendering the same room clips at rest and with moving objects. Prints one JSON line.

What always holds: one thread, after the kernels are compiled, the rooms drawn beforehand; both kinds take turns clip by clip, and
a clip counts with the median of its repeats, so that a busy machine disturbs both alike. Placing the objects is part of it.

python benchmarks/moving_rooms.py [--clips 12] [--size 64] [--moving-objects 2] [--repeats 3]
"""

import argparse
import json
import time

import numpy as np

from camvig.dataset_builders.rooms.room_clips import room_clip


def seconds(scene_seed: int, size: int, moving_objects: int) -> float:
    """Processor time of one clip."""
    started = time.process_time()
    room_clip("validation", scene_seed, 0, size, moving_objects=moving_objects, threads=1)
    return time.process_time() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--moving-objects", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    kinds, found = (0, options.moving_objects), []
    for scene_seed in range(options.clips):
        room_clip(
            "validation", scene_seed, 0, 16, moving_objects=options.moving_objects, threads=1
        )  # compiles, draws the room
        found.append([[seconds(scene_seed, options.size, kind) for kind in kinds] for _ in range(options.repeats)])
    at_rest, moving = np.median(found, axis=1).mean(0)
    measured = {"at_rest_ms": round(1000 * at_rest, 1), "moving_ms": round(1000 * moving, 1)}
    print(json.dumps({"benchmark": "moving_rooms", **vars(options), **measured, "ratio": round(moving / at_rest, 2)}))


if __name__ == "__main__":
    main()
