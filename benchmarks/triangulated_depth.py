"""How near the median depth that `track_depth` triangulates comes to the true one, on clips of procedural rooms.

    python benchmarks/triangulated_depth.py [--clips 100] [--size 192]

Clips whose camera moves (more than 5% of the median depth) and clips that only turn, zoom or stand apart: for the second no
depth should come back. One JSON line: quantiles of triangulated over true depth, and the reasons where there was none.
"""

import argparse
import json
import time
from collections import Counter

import numpy as np

from camvig.dataset_builders.rooms.room_clips import room_clip
from camvig.dataset_builders.videos.track_depth import track_depth

MOVES = 0.05  # of the median depth


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--size", type=int, default=192)
    options = parser.parse_args()
    ratios, reasons, seconds = {True: [], False: []}, {True: Counter(), False: Counter()}, 0.0
    for seed in range(options.clips):
        clip = room_clip("validation", seed, 0, options.size)
        travel = np.linalg.norm(clip.camera_to_world[:, :3, 3] - clip.camera_to_world[0, :3, 3], axis=1).max()
        moves = bool(travel > MOVES * clip.median_depth)
        start = time.process_time()
        found = track_depth(list(clip.frames), clip.camera_to_world, clip.intrinsics)
        seconds += time.process_time() - start
        if found.median_depth is None:
            reasons[moves][str(found.problem)] += 1
        else:
            ratios[moves].append(found.median_depth / clip.median_depth)
    quantiles = np.quantile(ratios[True], [0.1, 0.25, 0.5, 0.75, 0.9]).round(3).tolist()
    print(
        json.dumps(
            {
                "benchmark": "triangulated_depth",
                "moving": {"depths": len(ratios[True]), "over_true_10_25_50_75_90": quantiles, "none": reasons[True]},
                "not_moving": {"depths": len(ratios[False]), "none": reasons[False]},
                "cpu_seconds_a_clip": round(seconds / options.clips, 3),
            }
        )
    )


if __name__ == "__main__":
    main()
