"""Clips of rooms rendered a second, sampling of scenes and paths included. Prints one JSON line.

python benchmarks/render_rooms.py [--clips 60] [--size 64]
"""

import argparse
import json
import os
import time

from camvig.dataset_builders.rooms.room_clips import room_clips


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--size", type=int, default=64)
    options = parser.parse_args()
    list(room_clips("validation", 2, size=options.size))  # compiles the kernels, paints the textures
    started = time.perf_counter()
    list(room_clips("validation", options.clips, start=2, size=options.size))
    rate = options.clips / (time.perf_counter() - started)
    cores = len(os.sched_getaffinity(0))
    print(
        json.dumps(
            {"benchmark": "render_rooms", "clips_per_second": round(rate, 1), "size": options.size, "cores": cores}
        )
    )


if __name__ == "__main__":
    main()
