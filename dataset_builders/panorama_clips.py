"""Clips of real places, cut from equirectangular panoramas: pure rotation and zoom, exact in every pixel.

A panorama is seen from one point only, so the camera turns and zooms but never travels, and nothing is ever hidden
behind something else. A clip depends on its seed and size alone. Every distribution below is our choice (the paper
does not publish how its paths are sampled); left and right are equally likely everywhere.

Depth is unknown and does not matter: each pixel is put on one sphere around the camera, as z along the optical axis, so
that flow and visibility computed from it are those of a pure rotation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from ..camera_paths.camera_path import CameraPath
from ..camera_paths.easing import EASINGS, progress
from ..camera_paths.rigid_motion import pose_matrices, rotations_from_yaw_pitch_roll

PANORAMA_FOLDER = Path(__file__).with_name("panoramas")
PLACES = ("bridge", "dawn", "forest", "hall", "park", "studio", "warehouse")  # all for training; see CREDITS.md
NUM_FRAMES = 17
SUPERSAMPLING = 2

MOVE_SHARES = {"pan": 0.30, "tilt": 0.15, "roll": 0.12, "zoom": 0.18, "static": 0.04, "mixed": 0.21}
MOVE_NAMES = {  # the names of the two directions, + first
    "pan": ("pan_right", "pan_left"),
    "tilt": ("tilt_up", "tilt_down"),
    "roll": ("roll_right", "roll_left"),
    "zoom": ("zoom_in", "zoom_out"),
}
LARGEST_ANGLES = np.array([40.0, 25.0, 25.0])  # degrees of pan, tilt and roll
SMALLEST_ANGLE = 4.0  # degrees, of a clip that is named a pan, tilt or roll
LARGEST_ZOOM, SMALLEST_ZOOM = 1.45, 0.7
MIXED_ANGLE_DEVIATIONS = np.array([13.0, 7.0, 5.0])  # degrees of pan, tilt and roll
FIELD_OF_VIEW_RANGE = (50.0, 85.0)  # degrees, along the longer side of the first frame
STARTING_PITCH_RANGE = (-14.0, 10.0)  # degrees
MOST_ELONGATED = 16 / 9
BLUR_STEP = 0.25  # panorama pixels between two kept blurs


@dataclass(frozen=True, eq=False)
class PanoramaClip:
    """One clip; S is its size, the frames are square (a picture of another aspect is squashed, as `intrinsics` say)."""

    frames: np.ndarray  # [17, S, S, 3] uint8 RGB
    depth: np.ndarray  # [17, S, S] float32, z of a sphere around the camera: a stand-in, see `depth_is_known`
    camera_to_world: np.ndarray  # [17, 4, 4] rotations; the world's y axis points straight down
    intrinsics: np.ndarray  # [17, 4] normalised fx, fy, cx, cy
    median_depth: float  # of frame 0, always 1
    scene_seed: int  # number of the place in `PLACES`
    clip_seed: int
    split: str  # always "train"
    move: str  # "pan_right", "zoom_out", "static", "mixed", ...
    depth_is_known: bool = False

    @property
    def place(self) -> str:
        """Name of the panorama."""
        return PLACES[self.scene_seed]

    @property
    def path(self) -> CameraPath:
        """The clip's camera path relative to its first frame."""
        return CameraPath(self.camera_to_world, self.intrinsics).relative()


def panorama_clip(seed: int, size: int = 64) -> PanoramaClip:
    """The clip of this seed: a random place, view, lens, move and exposure, as 17 frames of `size` x `size` pixels."""
    if size < 8:
        raise ValueError(f"expected a size of at least 8 pixels, got {size}")
    rng = np.random.default_rng((seed, 0x9A40))  # a stream of its own: other builders may use the same seeds
    place = int(rng.integers(len(PLACES)))
    flipped = bool(rng.random() < 0.5)
    move, angles, zoom = sample_move(rng)
    first_pose = np.array([[rng.uniform(-180, 180), rng.uniform(*STARTING_PITCH_RANGE), rng.normal(0, 1.5)]])
    rotations = rotations_from_yaw_pitch_roll(first_pose) @ rotations_from_yaw_pitch_roll(angles)
    intrinsics = sample_lens(rng, zoom)
    rays = camera_rays(intrinsics, size)
    frames = render_panorama(PLACES[place], flipped, rotations, intrinsics, size)
    distances = np.sqrt(np.square(rays).sum(axis=-1))  # of points at z = 1
    return PanoramaClip(
        frames=cv2.transform(frames.reshape(-1, size, 3), sample_exposure(rng)).reshape(frames.shape),
        depth=(np.median(distances[0]) / distances).astype(np.float32),
        camera_to_world=pose_matrices(rotations, np.zeros((NUM_FRAMES, 3))),
        intrinsics=intrinsics,
        median_depth=1.0,
        scene_seed=place,
        clip_seed=seed,
        split="train",
        move=move,
    )


def sample_move(rng: np.random.Generator) -> tuple[str, np.ndarray, np.ndarray]:
    """A move's name, its pan, tilt and roll since frame 0 [17, 3] in degrees, and its zoom factors [17]."""
    kind = str(rng.choice(list(MOVE_SHARES), p=list(MOVE_SHARES.values())))
    sign = int(rng.choice((-1, 1)))
    done = progress(NUM_FRAMES, str(rng.choice(EASINGS)))  # 0 to 1
    angles, zoom = np.zeros((NUM_FRAMES, 3)), np.ones(NUM_FRAMES)
    if kind == "mixed":
        angles, zoom = _sample_mixture(rng, done)
    elif kind == "zoom":
        zoom = _sample_zoom(rng, sign) ** done
    elif kind != "static":
        axis = ("pan", "tilt", "roll").index(kind)
        angles[:, axis] = sign * rng.uniform(SMALLEST_ANGLE, LARGEST_ANGLES[axis]) * done
    return MOVE_NAMES[kind][(1 - sign) // 2] if kind in MOVE_NAMES else kind, angles, zoom


def _sample_zoom(rng: np.random.Generator, sign: int) -> float:
    return rng.uniform(1.06, LARGEST_ZOOM) if sign > 0 else rng.uniform(SMALLEST_ZOOM, 1 / 1.06)


def _sample_mixture(rng: np.random.Generator, done: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All angles at once, each towards a goal and bent on the way by a parabola with 0 at both ends; half zoom too."""
    goals = rng.normal(0, MIXED_ANGLE_DEVIATIONS) * rng.uniform(0.3, 1.5)
    bends = rng.normal(0, MIXED_ANGLE_DEVIATIONS * 0.4)
    angles = done[:, None] * goals + (4 * done * (1 - done))[:, None] * bends
    overshoot = np.abs(angles / LARGEST_ANGLES).max()
    zoom = _sample_zoom(rng, int(rng.choice((-1, 1)))) if rng.random() < 0.5 else 1.0
    return angles / max(1.0, overshoot), zoom**done


def sample_lens(rng: np.random.Generator, zoom: np.ndarray) -> np.ndarray:
    """Intrinsics [17, 4] of a random lens that zooms by `zoom` [17]; half of the pictures are square."""
    longer = 0.5 / np.tan(np.radians(rng.uniform(*FIELD_OF_VIEW_RANGE)) / 2)  # focal length in longer sides
    elongation = 1.0 if rng.random() < 0.5 else MOST_ELONGATED ** rng.uniform(-1, 1)  # width / height
    shorter = longer * max(elongation, 1 / elongation)
    fx, fy = (longer, shorter) if elongation >= 1 else (shorter, longer)
    centre = np.full_like(zoom, 0.5)
    return np.stack([fx * zoom, fy * zoom, centre, centre], axis=1)


def sample_exposure(rng: np.random.Generator) -> np.ndarray:
    """A mild change of contrast, saturation and brightness, in this order, as a colour matrix [3, 4] for 0..255."""
    contrast, saturation = np.exp(rng.normal(0, [0.10, 0.15]))
    brightness = rng.normal(0, 10)
    luma = np.tile([0.299, 0.587, 0.114], (3, 1))
    mixing = luma + saturation * (np.eye(3) - luma)
    offset = np.full((3, 1), 127.5 * (1 - contrast) + brightness)
    return np.concatenate([contrast * mixing, offset], axis=1)


def camera_rays(intrinsics: np.ndarray, size: int) -> np.ndarray:  # [T, 4] -> [T, size, size, 3]
    """What each pixel's centre looks at, in camera axes, at z = 1."""
    places = (np.arange(size, dtype=np.float32) + 0.5) / size
    fx, fy, cx, cy = intrinsics.astype(np.float32).T[:, :, None]  # each [T, 1]
    rays = np.ones((len(intrinsics), size, size, 3), np.float32)
    rays[..., 0] = ((places - cx) / fx)[:, None, :]
    rays[..., 1] = ((places - cy) / fy)[:, :, None]
    return rays


def render_panorama(place: str, flipped: bool, rotations: np.ndarray, intrinsics: np.ndarray, size: int) -> np.ndarray:
    """Frames [T, size, size, 3] uint8 that cameras of these rotations [T, 3, 3] and lenses [T, 4] see."""
    num_frames, fine_size = len(rotations), size * SUPERSAMPLING
    panorama = _read_panorama(place, flipped, _blur_step(intrinsics, fine_size))
    height, width = panorama.shape[:2]
    rays = camera_rays(intrinsics, fine_size).reshape(num_frames, -1, 3)
    right, down, forward = np.moveaxis(rays @ rotations.astype(np.float32).transpose(0, 2, 1), -1, 0)
    longitude = np.arctan2(right, forward)
    latitude = np.arctan2(down, np.sqrt(right * right + forward * forward))  # + is down
    columns = (longitude / np.float32(2 * np.pi) + np.float32(0.5)) * width - np.float32(0.5)
    rows = (latitude / np.float32(np.pi) + np.float32(0.5)) * height - np.float32(0.5)
    rows = np.clip(rows, 0, height - 1).reshape(num_frames * fine_size, fine_size)  # no wrap from pole to pole
    columns = columns.reshape(num_frames * fine_size, fine_size)
    fine = cv2.remap(panorama, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    frames = cv2.resize(fine, (size, num_frames * size), interpolation=cv2.INTER_AREA)
    return frames.reshape(num_frames, size, size, 3)


def _blur_step(intrinsics: np.ndarray, fine_size: int) -> int:
    """How many steps of blur keep the panorama from aliasing where frames of `fine_size` are coarser than it is.

    The average over the clip and over the finer axis: gentle, so that nothing gets softer than it must.
    """
    frame_pixels_per_radian = fine_size * np.exp(np.log(intrinsics[:, :2]).mean(axis=0)).max()
    shrinking = 1024 / (2 * np.pi) / frame_pixels_per_radian
    return round(0.5 * np.sqrt(max(shrinking**2 - 1, 0)) / BLUR_STEP)


@lru_cache(maxsize=64)
def _read_panorama(place: str, flipped: bool, blur_steps: int) -> np.ndarray:  # [512, 1024, 3] uint8 RGB
    encoded = np.frombuffer((PANORAMA_FOLDER / f"{place}.jpg").read_bytes(), np.uint8)
    panorama = cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    if panorama.shape != (512, 1024, 3):
        raise ValueError(f"expected the panorama {place} to be 1024x512, got {panorama.shape[1]}x{panorama.shape[0]}")
    if blur_steps:
        margin = 16  # of the other end, so that the seam stays invisible
        around = cv2.copyMakeBorder(panorama, 0, 0, margin, margin, cv2.BORDER_WRAP)
        panorama = cv2.GaussianBlur(around, (0, 0), blur_steps * BLUR_STEP)[:, margin:-margin]
    return np.ascontiguousarray(panorama[:, ::-1] if flipped else panorama)
