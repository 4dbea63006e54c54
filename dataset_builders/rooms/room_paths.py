"""Smooth 6-DoF camera paths of 17 frames, and how they are placed in a room without touching anything.

`sample_path` draws a path relative to its first pose, in scene_depth units (1.0 = the median z-depth of frame 0): a
cardinal move of the film-maker (54%), a random smooth combination (44%) or no motion (2%). Every distribution is
symmetric between left and right, and both directions of a move are equally likely. `place_path` puts a path into a
room. The paper does not publish how paths are sampled: all numbers here are our choice.

Rotations: pan right = +y (looks to +x), tilt up = +x (looks to -y), roll right = +z. A pose turns as pan, then tilt,
then roll: R = R_y(pan) R_x(tilt) R_z(roll).
"""

import math
from dataclasses import dataclass

import numpy as np

from ..clip_checks import keeps_the_first_view
from ..clip_length import NUM_FRAMES
from .room_renderer import render
from .room_scene import RoomScene

CLEARANCE = 0.2  # metres between the camera and any solid
MIN_FIRST_DEPTH, MIN_LATER_DEPTH = 0.7, 0.35  # metres, of the median z
PROBE_SIZE = 16  # pixels a side of the depth maps that judge a place

# Move -> (its two directions, share among cardinal moves, smallest and largest amount).
# Amounts: scene depths for translations, degrees for rotations and orbits, natural logarithm of the factor for zooms.
CARDINAL_MOVES = {
    "dolly": (("dolly_in", "dolly_out"), 0.21, 0.08, 0.60),
    "truck": (("truck_right", "truck_left"), 0.21, 0.06, 0.45),
    "pedestal": (("pedestal_down", "pedestal_up"), 0.13, 0.05, 0.30),
    "orbit": (("orbit_right", "orbit_left"), 0.15, 6.0, 35.0),
    "pan": (("pan_right", "pan_left"), 0.10, 5.0, 40.0),
    "tilt": (("tilt_up", "tilt_down"), 0.07, 4.0, 25.0),
    "roll": (("roll_right", "roll_left"), 0.05, 4.0, 25.0),
    "zoom": (("zoom_in", "zoom_out"), 0.08, 0.08, math.log(1.45)),
}
MOVES = (*(name for names, *_ in CARDINAL_MOVES.values() for name in names), "free", "static")
_TRANSLATION_LIMITS = np.array([0.45, 0.30, 0.60])
_ROTATION_LIMITS = np.radians([25.0, 40.0, 25.0])  # about x (tilt), y (pan), z (roll)
_ZOOM_LIMITS = math.log(0.7), math.log(1.45)


@dataclass(frozen=True)
class RelativePath:
    """A path relative to its first pose; translations in scene_depth."""

    camera_to_world: np.ndarray  # [T, 4, 4]
    zoom: np.ndarray  # [T] factor of the focal length, 1 at frame 0
    move: str


@dataclass(frozen=True)
class PlacedPath:
    """A path in a room: metres, OpenCV axes, normalised intrinsics."""

    camera_to_world: np.ndarray  # [T, 4, 4]
    intrinsics: np.ndarray  # [T, 4]
    move: str


def rotations(tilt: np.ndarray, pan: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """Angles [T] in radians -> rotation matrices [T, 3, 3], R_y(pan) R_x(tilt) R_z(roll)."""
    zero, one = np.zeros_like(pan), np.ones_like(pan)

    def matrices(rows) -> np.ndarray:
        return np.stack([np.stack(row, -1) for row in rows], -2)

    about_y = matrices([[np.cos(pan), zero, np.sin(pan)], [zero, one, zero], [-np.sin(pan), zero, np.cos(pan)]])
    about_x = matrices([[one, zero, zero], [zero, np.cos(tilt), -np.sin(tilt)], [zero, np.sin(tilt), np.cos(tilt)]])
    about_z = matrices([[np.cos(roll), -np.sin(roll), zero], [np.sin(roll), np.cos(roll), zero], [zero, zero, one]])
    return about_y @ about_x @ about_z


def sample_move(rng: np.random.Generator) -> str:
    """Draws the name of a move; both directions of a cardinal move are equally likely."""
    kind = rng.random()
    if kind < 0.02:
        return "static"
    if kind < 0.46:
        return "free"
    shares = np.array([share for _, share, _, _ in CARDINAL_MOVES.values()])
    names = list(CARDINAL_MOVES.values())[rng.choice(len(shares), p=shares / shares.sum())][0]
    return names[int(rng.integers(2))]


def _eased(rng: np.random.Generator) -> np.ndarray:
    """Progress [T] from 0 to 1: steady, eased at both ends, or faster at one end."""
    progress = np.linspace(0.0, 1.0, NUM_FRAMES)
    kind = rng.integers(4)
    if kind == 0:
        return progress
    if kind == 1:
        return progress**2 * (3 - 2 * progress)
    if kind == 2:
        return progress ** rng.uniform(1.0, 1.8)
    return 1.0 - (1.0 - progress) ** rng.uniform(1.0, 1.8)


def _cardinal(rng: np.random.Generator, move: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Translations [T, 3], angles [T, 3] (about x, y, z) and log zoom [T] of a cardinal move."""
    family = next(family for family, (names, *_) in CARDINAL_MOVES.items() if move in names)
    names, _, smallest, largest = CARDINAL_MOVES[family]
    amount = _eased(rng) * rng.uniform(smallest, largest) * (1 if move == names[0] else -1)
    shifts, angles, log_zoom = np.zeros((NUM_FRAMES, 3)), np.zeros((NUM_FRAMES, 3)), np.zeros(NUM_FRAMES)
    if family in ("truck", "pedestal", "dolly"):
        shifts[:, ("truck", "pedestal", "dolly").index(family)] = amount
    elif family in ("tilt", "pan", "roll"):
        angles[:, ("tilt", "pan", "roll").index(family)] = np.radians(amount)
    elif family == "zoom":
        log_zoom = np.clip(amount, *_ZOOM_LIMITS)
    else:
        radius, angle = rng.uniform(0.6, 1.2), np.radians(amount)
        shifts[:, 0], shifts[:, 2], angles[:, 1] = radius * np.sin(angle), radius * (1 - np.cos(angle)), -angle
    return shifts, angles, log_zoom


def _combination(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A random smooth path: every axis goes to a random end along one ease and bends by a random amount on the way."""
    progress, bend = _eased(rng)[:, None], np.sin(np.pi * np.linspace(0.0, 1.0, NUM_FRAMES))[:, None]
    strength_shift, strength_turn = rng.uniform(0.3, 1.2), rng.uniform(0.0, 0.7)
    shifts = progress * rng.normal(0, strength_shift, 3) * 0.6 * _TRANSLATION_LIMITS
    shifts = shifts + bend * rng.normal(0, strength_shift, 3) * 0.15 * _TRANSLATION_LIMITS
    spread = _ROTATION_LIMITS * np.array([0.4, 0.5, 0.25])
    angles = progress * rng.normal(0, strength_turn, 3) * spread
    angles = angles + bend * rng.normal(0, strength_turn, 3) * 0.25 * spread
    log_zoom = progress[:, 0] * (rng.uniform(-0.25, 0.25) if rng.random() < 0.15 else 0.0)
    shifts *= min(1.0, *(_TRANSLATION_LIMITS / (np.abs(shifts).max(0) + 1e-9)))
    angles *= min(1.0, *(_ROTATION_LIMITS / (np.abs(angles).max(0) + 1e-9)))
    return shifts, angles, log_zoom


def sample_path(rng: np.random.Generator, move: str | None = None) -> RelativePath:
    """Draws a relative path; `move` is one of `MOVES`, or None for a random one."""
    move = sample_move(rng) if move is None else move
    if move not in MOVES:
        raise ValueError(f"move must be one of {MOVES}, got {move!r}")
    if move == "static":
        shifts, angles, log_zoom = np.zeros((NUM_FRAMES, 3)), np.zeros((NUM_FRAMES, 3)), np.zeros(NUM_FRAMES)
    elif move == "free":
        shifts, angles, log_zoom = _combination(rng)
    else:
        shifts, angles, log_zoom = _cardinal(rng, move)
    poses = np.tile(np.eye(4), (NUM_FRAMES, 1, 1))
    poses[:, :3, :3] = rotations(*angles.T)
    poses[:, :3, 3] = shifts
    return RelativePath(poses, np.exp(log_zoom), move)


def sample_lens(rng: np.random.Generator) -> np.ndarray:
    """Draws normalised intrinsics [4]: 50 to 85 degrees along the longer side; half of the pictures are square."""
    aspect = 1.0 if rng.random() < 0.5 else math.exp(rng.uniform(-1, 1) * math.log(16 / 9))
    focal = 0.5 / math.tan(math.radians(rng.uniform(50.0, 85.0)) / 2)  # in units of the longer side
    fx, fy = (focal, focal * aspect) if aspect >= 1 else (focal / aspect, focal)
    return np.array([fx, fy, 0.5, 0.5])


def sample_start(scene: RoomScene, rng: np.random.Generator) -> np.ndarray:
    """Draws a start pose [4, 4] at eye height that looks into the room, or towards an opening, tilted a little."""
    x0, x1, ceiling, _, z0, z1 = scene.shell
    height = rng.uniform(0.9, min(1.8, -ceiling - 0.4))
    position = np.array([rng.uniform(x0 + 0.25, x1 - 0.25), -height, rng.uniform(z0 + 0.25, z1 - 0.25)])
    if len(scene.openings) and rng.random() < 0.4:
        target = scene.openings[rng.integers(len(scene.openings))] + rng.normal(0, 0.5, 3)
    else:
        target = np.array([rng.uniform(x0, x1), 0.0, rng.uniform(z0, z1)]) * 0.6
    pan = math.atan2(target[0] - position[0], target[2] - position[2])
    angles = np.array([[rng.normal(-0.08, 0.1)], [pan + rng.normal(0, 0.15)], [rng.normal(0, 0.02)]])
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotations(*angles)[0], position
    return pose


def probe_depth(scene: RoomScene, poses: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Small depth maps [T, PROBE_SIZE, PROBE_SIZE]."""
    return render(scene, poses, intrinsics, size=PROBE_SIZE, antialias=0, threads=1)[1]


def _try_to_place(scene: RoomScene, rng: np.random.Generator, move: str) -> PlacedPath | None:
    start, lens = sample_start(scene, rng), sample_lens(rng)
    if not scene.clearance_is_free(start[None, :3, 3], CLEARANCE)[0]:
        return None
    first_depth = np.median(probe_depth(scene, start[None], lens[None]))
    if first_depth < MIN_FIRST_DEPTH:
        return None
    for _ in range(3):
        path = sample_path(rng, move)
        relative = path.camera_to_world.copy()
        relative[:, :3, 3] *= first_depth
        poses = start @ relative
        intrinsics = np.repeat(lens[None], NUM_FRAMES, axis=0)
        intrinsics[:, :2] *= path.zoom[:, None]
        if not scene.clearance_is_free(poses[:, :3, 3], CLEARANCE).all():
            continue
        depth = probe_depth(scene, poses, intrinsics)
        medians = np.median(depth, axis=(1, 2))
        if medians.min() < MIN_LATER_DEPTH or medians[0] < MIN_FIRST_DEPTH:
            continue
        if keeps_the_first_view(depth, poses, intrinsics):
            return PlacedPath(poses, intrinsics, path.move)
    return None


def place_path(scene: RoomScene, rng: np.random.Generator, move: str | None = None, tries: int = 2000) -> PlacedPath:
    """Places a path in a room; the move is drawn first and kept, so that hard moves stay as frequent as easy ones.

    The camera keeps `CLEARANCE` from every solid at all frames and its first view in sight (`clip_checks`): start, lens
    and amounts are drawn again until it does.
    """
    move = sample_move(rng) if move is None else move
    for _ in range(tries):
        placed = _try_to_place(scene, rng, move)
        if placed is not None:
            return placed
    raise ValueError(
        f"expected room for the move {move!r} in scene {scene.split}/{scene.scene_seed}, found none in {tries} tries"
    )
