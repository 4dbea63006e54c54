"""Clips of real places, cut from equirectangular panoramas: pure rotation and zoom, exact in every pixel.

A panorama is seen from one point only, so the camera turns and zooms but never travels, and nothing is ever hidden
behind something else. A clip depends on its split, seed and size alone, and no place is in two splits. Moves and lenses are
those of the rooms (`room_paths.py`) without their travels; how often each occurs is our choice. Left and right are equally likely.

Depth is unknown and does not matter: each pixel is put on one sphere around the camera, as z along the optical axis, so
that flow and visibility computed from it are those of a pure rotation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import cv2
import numpy as np

from ..camera_paths.camera_path import CameraPath
from ..camera_paths.rigid_motion import pose_matrices
from .rooms.room_paths import NUM_FRAMES, rotations, sample_lens, sample_path

PANORAMA_FOLDER = Path(__file__).with_name("panoramas")
PLACES = {
    "train": ("bridge", "dawn", "forest", "hall", "park", "studio", "warehouse"),
    "test": ("apartment", "city", "lobby", "sunrise"),
}
"""Split -> its places; see CREDITS.md."""
SPLIT_CODES = {"train": 0x9A40, "test": 0x9A41}  # streams of their own: other builders may use the same seeds
PANORAMA_WIDTH = 1024  # pixels around the horizon
SUPERSAMPLING = 2

MOVE_SHARES = {
    **dict.fromkeys(("pan_right", "pan_left"), 0.14),
    **dict.fromkeys(("tilt_up", "tilt_down"), 0.08),
    **dict.fromkeys(("roll_right", "roll_left"), 0.06),
    **dict.fromkeys(("zoom_in", "zoom_out"), 0.09),
    "free": 0.22,
    "static": 0.04,
}
STARTING_PITCH_RANGE = (-14.0, 10.0)  # degrees
WEAKEST_BLUR = 0.5  # standard deviation in panorama pixels; the stronger ones are its doubles


@dataclass(frozen=True, eq=False)
class PanoramaClip:
    """One clip; S is its size, the frames are square (a picture of another aspect is squashed, as `intrinsics` say)."""

    frames: np.ndarray  # [17, S, S, 3] uint8 RGB
    depth: np.ndarray  # [17, S, S] float32, z of a sphere around the camera: a stand-in, see `depth_is_known`
    camera_to_world: np.ndarray  # [17, 4, 4] rotations; the world's y axis points straight down
    intrinsics: np.ndarray  # [17, 4] normalised fx, fy, cx, cy
    median_depth: float  # of frame 0, always 1
    scene_seed: int  # number of the place among those of its split
    clip_seed: int
    split: str  # a key of `PLACES`
    move: str  # "pan_right", "zoom_out", "free", "static", ...: a key of `MOVE_SHARES`
    depth_is_known: bool = False

    @property
    def place(self) -> str:
        """Name of the panorama."""
        return PLACES[self.split][self.scene_seed]

    @property
    def path(self) -> CameraPath:
        """The clip's camera path relative to its first frame."""
        return CameraPath(self.camera_to_world, self.intrinsics).relative()


def panorama_clip(seed: int, size: int = 64, split: str = "train") -> PanoramaClip:
    """The clip of this seed: a random place, view, lens, move and exposure, as 17 frames of `size` x `size` pixels."""
    if split not in PLACES:
        raise ValueError(f"expected {' or '.join(PLACES)} as split of the panoramas, got {split}: there is none")
    if not 8 <= size <= 512:
        raise ValueError(f"expected a size of 8 to 512 pixels, got {size}")
    rng = np.random.default_rng((seed, SPLIT_CODES[split]))
    place = int(rng.integers(len(PLACES[split])))
    flipped = bool(rng.random() < 0.5)
    path = sample_path(rng, str(rng.choice(list(MOVE_SHARES), p=list(MOVE_SHARES.values()))))
    turns = _sample_first_rotation(rng) @ path.camera_to_world[:, :3, :3]  # [17, 3, 3]
    intrinsics = np.tile(sample_lens(rng), (NUM_FRAMES, 1))
    intrinsics[:, :2] *= path.zoom[:, None]
    frames = render_panorama(PLACES[split][place], flipped, turns, intrinsics, size)
    distances = np.linalg.norm(camera_rays(intrinsics, size), axis=-1)  # of points at z = 1
    return PanoramaClip(
        frames=cv2.transform(frames.reshape(-1, size, 3), sample_exposure(rng)).reshape(frames.shape),
        depth=(np.median(distances[0]) / distances).astype(np.float32),
        camera_to_world=pose_matrices(turns, np.zeros((NUM_FRAMES, 3))),
        intrinsics=intrinsics,
        median_depth=1.0,
        scene_seed=place,
        clip_seed=seed,
        split=split,
        move=path.move,
    )


def _sample_first_rotation(rng: np.random.Generator) -> np.ndarray:  # [1, 3, 3]
    """Looks anywhere around, near the horizon, held almost straight."""
    pitch, yaw, roll = rng.uniform(*STARTING_PITCH_RANGE), rng.uniform(-180, 180), rng.normal(0, 1.5)
    return rotations(*np.radians([[pitch], [yaw], [roll]]))


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


def render_panorama(place: str, flipped: bool, turns: np.ndarray, intrinsics: np.ndarray, size: int) -> np.ndarray:
    """Frames [T, size, size, 3] uint8 seen by cameras with rotations `turns` [T, 3, 3] and lenses [T, 4]."""
    num_frames, fine_size = len(turns), size * SUPERSAMPLING
    panorama = _blurred_panorama(place, _blur_level(intrinsics, fine_size))
    height, width = panorama.shape[:2]
    rays = camera_rays(intrinsics, fine_size).reshape(num_frames, -1, 3)
    right, down, forward = np.moveaxis(rays @ turns.astype(np.float32).transpose(0, 2, 1), -1, 0)
    longitude = np.arctan2(-right if flipped else right, forward)
    latitude = np.arctan2(down, np.sqrt(right * right + forward * forward))  # + is down
    columns = (longitude / np.float32(2 * np.pi) + np.float32(0.5)) * width - np.float32(0.5)
    rows = (latitude / np.float32(np.pi) + np.float32(0.5)) * height - np.float32(0.5)
    rows = np.clip(rows, 0, height - 1).reshape(num_frames * fine_size, fine_size)  # no wrap from pole to pole
    columns = columns.reshape(num_frames * fine_size, fine_size)
    fine = cv2.remap(panorama, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    frames = cv2.resize(fine, (size, num_frames * size), interpolation=cv2.INTER_AREA)
    return frames.reshape(num_frames, size, size, 3)


def _blur_level(intrinsics: np.ndarray, fine_size: int) -> int:
    """Which blur keeps the panorama from aliasing in frames of `fine_size` that are coarser than it is; 0 is none.

    One for the whole clip, after its average focal length and its finer axis: nothing gets softer than it must.
    """
    frame_pixels_per_radian = fine_size * np.exp(np.log(intrinsics[:, :2]).mean(axis=0)).max()
    shrinking = PANORAMA_WIDTH / (2 * np.pi) / frame_pixels_per_radian
    deviation = 0.5 * np.sqrt(max(shrinking**2 - 1, 0))  # turns a pixel as wide as the panorama's into the frame's
    return 1 + round(np.log2(max(deviation / WEAKEST_BLUR, 0.5)))


@lru_cache(maxsize=64)
def _blurred_panorama(place: str, level: int) -> np.ndarray:  # [H, W, 3] uint8 RGB
    if level == 0:
        return _read_panorama(place)
    deviation = WEAKEST_BLUR * 2 ** (level - 1)
    margin = int(4 * deviation)  # of the other end, so that the seam stays invisible
    around = cv2.copyMakeBorder(_read_panorama(place), 0, 0, margin, margin, cv2.BORDER_WRAP)
    return np.ascontiguousarray(cv2.GaussianBlur(around, (0, 0), deviation)[:, margin:-margin])


@cache
def _read_panorama(place: str) -> np.ndarray:  # [H, W, 3] uint8 RGB
    encoded = np.frombuffer((PANORAMA_FOLDER / f"{place}.jpg").read_bytes(), np.uint8)
    panorama = cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB)
    if panorama is None or panorama.shape[1] != PANORAMA_WIDTH:
        raise ValueError(f"expected {place}.jpg to be a picture {PANORAMA_WIDTH} pixels wide, got another or none")
    return panorama
