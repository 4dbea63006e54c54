"""Camera paths in any scene: they start near the captured views, and are drawn again until they stay where the field is good.

What always holds: a path keeps away from surfaces in all directions, shows what the captures saw, never emptiness, and keeps
its first view in sight (`clip_checks`); the same scene and seed give the same path. Moves, amounts and speeds are those of
the rooms (`room_paths`): cardinal moves, orbits, smooth 6-DoF combinations, in scene depths. All numbers are our choice.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ..clip_checks import EMPTY_DEPTH, MIN_NEAR_DEPTH, keeps_the_first_view
from ..clip_length import NUM_FRAMES
from ..rooms.room_paths import PlacedPath, rotations, sample_lens, sample_move, sample_path
from .radiance_field import RadianceField
from .seen_space import SeenSpace, surface_points

PROBE_SIZE = 16  # pixels a side of the depth maps that judge a path
MAX_EMPTY = (
    0.1  # share of a frame that may meet nothing, or as much as in most captured views, which may show an object alone
)
FAR_TOO_EMPTY = 0.95  # for any scene
VIEWS_AS_EMPTY = 0.75  # quantile of the captured views' emptiness
MIN_SEEN = 0.9  # share of what a frame shows that the captures must have seen
START_JITTER = 0.1  # standard deviation of the start from a captured view, in scene depths
JITTER_DEGREES = np.array([4.0, 8.0, 1.5])  # the same of its tilt, pan and roll
LENS_MARGIN = 1.1  # how much more of a view the lens may see than that view's own
TRIES_PER_MOVE = 40
MOST_MOVES = 25
AROUND = 4  # pixels a side of each of the six pictures that look for surfaces around the camera
AROUND_FRAMES = (0, 4, 8, 12, 16)
Rejection = Literal["near a surface", "not seen by the captures", "empty space", "first view lost"]
SIX_WAYS = rotations(*np.radians([[0, 0, 0, 0, 90, -90], [0, 90, 180, 270, 0, 0], [0, 0, 0, 0, 0, 0]]))
HALF_TURN_LENS = np.array([0.5, 0.5, 0.5, 0.5])  # 90 degrees each way: six of them see everything
USUAL_DEPTH = 2.5  # metres; `clip_checks` compares depths in metres, so scenes are scaled to a room's usual depth


@dataclass
class PathReport:
    """What became of the paths that were drawn in a scene."""

    placed: Counter[str] = field(default_factory=Counter)  # by move
    rejected: Counter[str] = field(default_factory=Counter)  # by `Rejection`
    moves_given_up: Counter[str] = field(default_factory=Counter)  # by move, after `TRIES_PER_MOVE` tries


class ScenePaths:
    """Places paths in a scene. The views' depths are rendered once, when it is made."""

    def __init__(self, scene: RadianceField):
        self.scene, self.seen = scene, SeenSpace.of(scene)
        emptiness = np.isinf(self.seen.depth).mean(axis=(1, 2))
        self.most_empty = float(np.quantile(emptiness, VIEWS_AS_EMPTY).clip(MAX_EMPTY, FAR_TOO_EMPTY))

    def place(self, rng: np.random.Generator, report: PathReport, move: str | None = None) -> PlacedPath:
        """A path of 17 poses in the scene's coordinates. `ValueError` if none of many is good."""
        for _ in range(MOST_MOVES):
            drawn = sample_move(rng) if move is None else move
            for _ in range(TRIES_PER_MOVE):
                placed = self._try(rng, drawn)
                if isinstance(placed, PlacedPath):
                    report.placed[drawn] += 1
                    return placed
                report.rejected[placed] += 1
            report.moves_given_up[drawn] += 1
        counts = ", ".join(f"{reason}: {count}" for reason, count in report.rejected.most_common())
        raise ValueError(f"expected room for a camera path in {self.scene.name}, found none ({counts})")

    def _try(self, rng: np.random.Generator, move: str) -> PlacedPath | Rejection:
        start, lens = self._start(rng)
        first = self._probe(start[None], lens[None])
        if np.isinf(first).mean() > self.most_empty:
            return "empty space"
        scale = finite_median(first)
        start = start.copy()
        start[:3, 3] += rng.normal(0, START_JITTER, 3) * scale
        path = sample_path(rng, move)
        relative = path.camera_to_world.copy()
        relative[:, :3, 3] *= scale
        poses, intrinsics = start @ relative, np.repeat(lens[None], NUM_FRAMES, axis=0)
        intrinsics[:, :2] *= path.zoom[:, None]
        return self._why_not(poses, intrinsics) or PlacedPath(poses, intrinsics, move)

    def _start(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A captured view, looked from a little differently, and a lens that hardly sees more than that view's own."""
        number = rng.integers(len(self.scene.views.camera_to_world))
        pose, own = self.scene.views.camera_to_world[number].copy(), self.scene.views.intrinsics[number]
        turn = rotations(*np.radians(rng.normal(0, JITTER_DEGREES)[:, None]))[0]
        pose[:3, :3] = pose[:3, :3] @ turn
        lens = sample_lens(rng)
        lens[:2] *= max(1.0, *(own[:2] / LENS_MARGIN / lens[:2]))
        return pose, lens

    def _why_not(self, poses: np.ndarray, intrinsics: np.ndarray) -> Rejection | None:
        depth = self._probe(poses, intrinsics)
        if np.isinf(depth).mean(axis=(1, 2)).max() > self.most_empty:
            return "empty space"
        scale = finite_median(depth[0])
        if self._nearest_around(poses) < MIN_NEAR_DEPTH * scale:
            return "near a surface"
        if not self._shows_what_was_seen(depth, poses, intrinsics):
            return "not seen by the captures"
        return None if keeps_first_view(depth, poses, intrinsics) else "first view lost"

    def _probe(self, poses: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
        """Small depth maps [T, PROBE_SIZE, PROBE_SIZE]."""
        return self.scene.render(poses, intrinsics, (PROBE_SIZE, PROBE_SIZE)).depth

    def _nearest_around(self, poses: np.ndarray) -> float:
        """The smallest depth in any direction at some of the poses."""
        around = np.tile(np.eye(4), (len(AROUND_FRAMES), 6, 1, 1))
        around[:, :, :3, :3] = SIX_WAYS
        cameras = (poses[AROUND_FRAMES, None] @ around).reshape(-1, 4, 4)
        lenses = np.tile(HALF_TURN_LENS, (len(cameras), 1))
        return float(self.scene.render(cameras, lenses, (AROUND, AROUND)).depth.min())

    def _shows_what_was_seen(self, depth: np.ndarray, poses: np.ndarray, intrinsics: np.ndarray) -> bool:
        meets = np.isfinite(depth)
        seen = np.zeros(depth.shape, bool)
        seen[meets] = self.seen.contains(surface_points(depth, poses, intrinsics)[meets])
        return bool((seen.sum(axis=(1, 2)) / np.maximum(meets.sum(axis=(1, 2)), 1)).min() >= MIN_SEEN)


def keeps_first_view(depth: np.ndarray, camera_to_world: np.ndarray, intrinsics: np.ndarray) -> bool:
    """`clip_checks.keeps_the_first_view` in a scene of any unit, with emptiness as something far away."""
    poses, metric_depth = in_usual_scale(depth, camera_to_world)
    return keeps_the_first_view(metric_depth, poses, intrinsics)


def in_usual_scale(depth: np.ndarray, camera_to_world: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Poses and depth as if the first frame's median depth were a room's, for the rules that are in metres.

    Infinite depth becomes `EMPTY_DEPTH`.
    """
    factor = USUAL_DEPTH / finite_median(depth[0])
    poses = np.array(camera_to_world, np.float64)
    poses[:, :3, 3] *= factor
    return poses, np.minimum(depth * factor, EMPTY_DEPTH).astype(np.float32)


def finite_median(depth: np.ndarray) -> float:
    """The median of a depth map where it is finite; infinite where it is nowhere."""
    met = depth[np.isfinite(depth)]
    return float(np.median(met)) if met.size else float("inf")
