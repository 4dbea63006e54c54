"""Which score tells best how well a clip follows its path, and what is best-of-N worth by it? One JSON line.

    python benchmarks/clip_scores.py --checkpoint checkpoints/camvig-tiny [--clips 32] [--candidates 8] [--parts auc chosen]

Validation rooms; the test split is never used. For each score:
- `auc`: on the true clips, how often a clip with its own path scores above one with another (that of another room's clip, its
  own mirrored, its own by half, its own inverted), over all pairs of clips; `static`: a clip that stands with its path;
- `rank`: within the candidates of one clip, Spearman's correlation of score and minus flow MSE, mean over clips;
- `chosen`: mean flow MSE, px^2, of the best of N by the score; `oracle` and `random` stand beside.

The scores: `reference`, `depth`, `implied` are those of `clip_score`; `implied_free` has no prior for the depth, `planar` has one
depth for all; `epipolar_line` and `epipolar_half` are the distance of the flow from the path's epipolar line, and from the half of
it that depths above 0 lie on. `poses`: minus the rotation error of recovered poses, a part of its own because it takes long.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from camvig import CameraPath, CamViGPipeline
from camvig.camera_paths.rigid_motion import invert
from camvig.dataset_builders.rooms.room_clips import RoomClip, room_clips
from camvig.pipelines.clip_score import score_poses
from camvig.pipelines.clip_score_flow import LEAST_POWER, clip_flow, depth_motion, implied_motion, reference_motion
from camvig.pipelines.evaluation.best_of_gain import COUNTS, flow_errors_of, gain_table, sample_candidates
from camvig.pipelines.evaluation.generation import to_picture

RAY_POINTS = 4  # inverse depth, in scene depths, that says in which direction an epipolar line is gone along


def epipolar_agreement(flow: np.ndarray, path: CameraPath, half: bool) -> float:
    """1 - squared distance of the flow [T-1, h, w, 2] from the epipolar (half) lines / squared flow at the median depth."""
    size = np.array([flow.shape[2], flow.shape[1]])
    y, x = np.mgrid[2 : size[1] : 4, 2 : size[0] : 4]
    points, lens = np.stack([x.ravel(), y.ravel()], axis=1), path.intrinsics
    error = power = 0.0
    for time_, step in enumerate(invert(path.camera_to_world[1:]) @ path.camera_to_world[:-1]):
        rays = np.c_[(points / size - lens[time_, 2:]) / lens[time_, :2], np.ones(len(points))] @ step[:3, :3].T

        def places(inverse_depth, rays=rays, step=step, lens=lens[time_ + 1]):
            seen = rays + step[:3, 3] * inverse_depth
            return (seen[:, :2] / np.maximum(seen[:, 2:], 1e-3) * lens[:2] + lens[2:]) * size

        far, line = places(0.0), places(RAY_POINTS) - places(0.0)
        moved = points + flow[time_, y.ravel(), x.ravel()] - far
        along = (moved * line).sum(1) / np.maximum(np.square(line).sum(1), 1e-8)
        along = np.maximum(along, 0) if half else along
        error += np.square(moved - along[:, None] * line).sum()
        power += np.square(places(1.0) - points).sum() + LEAST_POWER * len(points)
    return 1 - error / power


SCORES = {
    "reference": lambda flow, path, room: reference_motion(flow, room["flow"]).agreement,
    "depth": lambda flow, path, room: depth_motion(flow, path, room["depth"]).agreement,
    "implied": lambda flow, path, room: implied_motion(flow, path).agreement,
    "implied_free": lambda flow, path, room: implied_motion(flow, path, prior=0.0).agreement,
    "planar": lambda flow, path, room: implied_motion(flow, path, levels=1).agreement,
    "epipolar_half": lambda flow, path, room: epipolar_agreement(flow, path, half=True),
    "epipolar_line": lambda flow, path, room: epipolar_agreement(flow, path, half=False),
}


def scaled(path: CameraPath, factor: float) -> CameraPath:
    """All of the motion times `factor`, by way of more frames: the same geodesic."""
    longer = path.resample(round((path.num_frames - 1) / factor) + 1, fps=path.fps)
    return CameraPath(longer.camera_to_world[: path.num_frames], longer.intrinsics[: path.num_frames], path.fps)


def inverted(path: CameraPath) -> CameraPath:
    return CameraPath(invert(path.camera_to_world), path.intrinsics, path.fps)


def auc(own: np.ndarray, other: np.ndarray) -> float:
    return float(np.mean((own[:, None] > other) + 0.5 * (own[:, None] == other)))


def separation(rooms: list[RoomClip], facts: list[dict]) -> dict[str, dict[str, float]]:
    """AUC of each score on the true clips."""
    paths = [room.path for room in rooms]
    count = len(rooms)
    asked = {
        "own": paths,
        "wrong": [paths[(clip + 2) % count] for clip in range(count)],  # two clips share a room
        "mirrored": [path.mirrored() for path in paths],
        "half": [scaled(path, 0.5) for path in paths],
        "inverted": [inverted(path) for path in paths],
    }
    table = {}
    for name, score in SCORES.items():
        if name == "reference":  # it knows no path
            continue
        values = {
            kind: np.array([score(fact["flow"], path, fact) for path, fact in zip(given, facts, strict=True)])
            for kind, given in asked.items()
        }
        still = [score(np.zeros_like(fact["flow"]), path, fact) for path, fact in zip(paths, facts, strict=True)]
        values["static"] = np.array(still)
        own = values.pop("own")
        table[name] = {"own_median": float(np.median(own)), **{kind: auc(own, other) for kind, other in values.items()}}
    return table


def rank(scores: np.ndarray, errors: np.ndarray) -> float:
    """Mean over clips of Spearman's correlation of score and minus error; a clip with equal scores has 0."""
    return float(
        np.mean([np.nan_to_num(spearmanr(one, -other).statistic) for one, other in zip(scores, errors, strict=True)])
    )


def pose_scores(candidates: np.ndarray, rooms: list[RoomClip]) -> tuple[np.ndarray, dict[str, float | None]]:
    """Minus the rotation error in degrees [C, M], -180 without success; the success rate and the seconds a clip."""
    found = [
        [score_poses(video, room.path) for video in videos] for videos, room in zip(candidates, rooms, strict=True)
    ]
    flat = [one for row in found for one in row]
    scores = np.array([[-one.rotation_error_degrees if one.success else -180.0 for one in row] for row in found])
    good = [one for one in flat if one.success]
    return scores, {
        "success_rate": len(good) / len(flat),
        "rotation_error_degrees": float(np.mean([one.rotation_error_degrees for one in good])) if good else None,
        "seconds": float(np.mean([one.seconds for one in flat])),
    }


def load_candidates(options: argparse.Namespace, rooms: list[RoomClip]) -> np.ndarray:
    """Candidates [C, M, T, S, S, 3], from the file of an earlier run where there is one."""
    if options.videos and options.videos.exists():
        return np.load(options.videos)["candidates"][: len(rooms), : options.candidates]
    pipeline = CamViGPipeline.from_pretrained(options.checkpoint)
    pipeline.set_progress_bar_config(disable=True)
    pictures, paths = [to_picture(room.frames[0]) for room in rooms], [room.path for room in rooms]
    candidates = sample_candidates(pipeline, pictures, paths, options.candidates)
    if options.videos:
        np.savez(options.videos, candidates=candidates)
    return candidates


def chosen(flows: list[list[np.ndarray]], errors: np.ndarray, rooms: list[RoomClip], facts: list[dict]) -> dict:
    """What each score chooses among the candidates, and the CPU seconds of one score, its flow apart."""
    counts = [count for count in COUNTS if count <= errors.shape[1]]
    result = {"rank": {}, "chosen": {}, "cpu_seconds": {}}
    for name, score in SCORES.items():
        started = time.process_time()
        pairs = zip(flows, rooms, facts, strict=True)
        scores = np.array([[score(flow, room.path, fact) for flow in row] for row, room, fact in pairs])
        result["cpu_seconds"][name] = (time.process_time() - started) / scores.size
        result["rank"][name] = rank(scores, errors)
        table = gain_table(scores, errors, counts)
        result["chosen"] |= {name: table["score"], "oracle": table["oracle"], "random": table["random"]}
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="camvig-tiny")
    parser.add_argument("--parts", nargs="+", choices=["auc", "chosen", "poses"], default=["auc", "chosen"])
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--candidates", type=int, default=8)
    parser.add_argument("--videos", type=Path, help="an .npz that keeps the candidates between runs")
    options = parser.parse_args()
    rooms = list(room_clips("validation", options.clips, size=64))
    facts = [{"flow": clip_flow(room.frames), "depth": room.depth[0] / room.median_depth} for room in rooms]
    result = {"benchmark": "clip_scores", "clips": options.clips, "candidates": options.candidates}
    if "auc" in options.parts:
        result["auc"] = separation(rooms, facts)
    if {"chosen", "poses"} & set(options.parts):
        candidates = load_candidates(options, rooms)
        errors = flow_errors_of(candidates, [room.frames for room in rooms])
    if "chosen" in options.parts:
        started = time.process_time()
        flows = [[clip_flow(video) for video in videos] for videos in candidates]
        result["cpu_seconds_of_flow"] = (time.process_time() - started) / errors.size
        result |= chosen(flows, errors, rooms, facts)
    if "poses" in options.parts:
        scores, result["poses"] = pose_scores(candidates, rooms)
        counts = [count for count in COUNTS if count <= errors.shape[1]]
        result["poses"] |= {"rank": rank(scores, errors), **gain_table(scores, errors, counts)}
    print(json.dumps(result, default=float))


if __name__ == "__main__":
    main()
