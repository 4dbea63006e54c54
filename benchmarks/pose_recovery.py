"""How well `recover_poses` finds the true path of clips of procedural rooms, by kind of move: success and errors.

    python benchmarks/pose_recovery.py [--size 64] [--clips 16] [--trials 3] [--moves dolly_in pan_left ...] [--seed 0]

This is the noise floor of every pose error: the frames are the true ones. One JSON line: for each move the success rate, the
share of clips explained by rotations alone, median and largest mean rotation error in degrees, median direction error in
degrees and median aligned translation error (parts of the farthest distance) over the clips whose camera translates, CPU
seconds a clip, and the reasons of failures.
"""

import argparse
import json
import time
from collections import Counter

import numpy as np

from camvig.dataset_builders.rooms.room_clips import room_clip
from camvig.dataset_builders.rooms.room_paths import MOVES
from camvig.metrics.pose_errors import mean_pose_errors, pose_errors
from camvig.metrics.pose_recovery import recover_poses


def measure(move: str, clips: int, size: int, trials: int, seed: int) -> dict:
    errors, estimators, problems, seconds = [], Counter(), Counter(), 0.0
    for scene in range(seed, seed + clips):
        clip = room_clip("validation", scene, 0, size, move=move, threads=1)
        start = time.process_time()
        found = recover_poses(clip.frames, clip.intrinsics, trials=trials)
        seconds += time.process_time() - start
        estimators[found.estimator] += 1
        if found.camera_to_world is None:
            problems[found.problem] += 1
        errors.append(
            None if found.camera_to_world is None else pose_errors(found.camera_to_world, clip.path.camera_to_world)
        )
    rotation, direction, translation = (
        [getattr(error, name) for error in errors if error is not None and not np.isnan(getattr(error, name))]
        for name in ("rotation_error_deg", "direction_error_deg", "aligned_translation_error")
    )
    return {
        "success_rate": round(mean_pose_errors(errors).success_rate, 3),
        "rotation_only": round(estimators["rotation"] / clips, 3),
        "rotation_deg_median": round(float(np.median(rotation)), 3) if rotation else None,
        "rotation_deg_max": round(max(rotation), 3) if rotation else None,
        "direction_deg_median": round(float(np.median(direction)), 2) if direction else None,
        "translation_median": round(float(np.median(translation)), 3) if translation else None,
        "translating_clips": len(translation),
        "problems": problems,
        "cpu_seconds_a_clip": round(seconds / clips, 2),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--trials", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0, help="the first scene of the validation split")
    parser.add_argument("--moves", nargs="+", default=list(MOVES), choices=MOVES)
    options = parser.parse_args()
    moves = {m: measure(m, options.clips, options.size, options.trials, options.seed) for m in options.moves}
    print(json.dumps({"benchmark": "pose_recovery", **vars(options), "moves": moves}))


if __name__ == "__main__":
    main()
