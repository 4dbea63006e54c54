"""Paths that real cameras took, from a .npz of tracked windows: 17 poses at about 8 a second, in scene depths.

The file holds `c2w` `[N, T, 4, 4]` (camera-to-world, OpenGL axes, metres), `source` `[N]` (the recording a window is
from) and `fps` `[N]` (0 where it is not known: every pose is taken then). Out of each window come as many
windows of 17 poses as fit, every n-th pose, n the nearest to 8 frames a second; neighbours share one pose.

No depth is known. Our choice: the median depth of a source is 2.5 m (a room), or more where its windows go
further than the shipped model's range of 0.6 scene depths: then so much that 95% of them stay within it (a car's).
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.npyio import NpzFile
from scipy.spatial.transform import Rotation

from ..camera_paths.formats.path_format import to_opencv_camera_to_world
from .clip_length import FPS, NUM_FRAMES

ROOM_DEPTH = 2.5  # metres
LONGEST_REACH = 0.6  # scene depths from the first pose, of 95% of a source's windows
HELD_OUT_EVERY = 3
LARGEST_TURN = math.radians(150)
KEYS = ("c2w", "source", "fps")


@dataclass(frozen=True)
class RealPaths:
    """Paths relative to their first pose, OpenCV axes, scene depths, and the source of each."""

    camera_to_world: np.ndarray  # [N, 17, 4, 4] float32
    source: np.ndarray  # [N] str

    def of(self, sources: list[str]) -> RealPaths:
        chosen = np.isin(self.source, sources)
        return RealPaths(self.camera_to_world[chosen], self.source[chosen])


def read_real_paths(file: str | os.PathLike[str]) -> RealPaths:
    """Read a file of windows; `ValueError` says what is wrong with it."""
    poses, source, fps = _read_arrays(file)
    windows, sources = [], []
    for index, (window, rate) in enumerate(zip(poses, fps, strict=True)):
        try:
            opencv = to_opencv_camera_to_world(window, "opengl", "camera-to-world")
        except ValueError as error:
            raise ValueError(f"{file}: window {index}: {error}") from None
        cut = cut_windows(opencv, float(rate))
        windows += cut
        sources += [source[index]] * len(cut)
    return RealPaths(*_in_scene_depths(np.stack(windows), np.array(sources)))


def split_by_source(paths: RealPaths, fit_sources: Sequence[str] | None = None) -> tuple[RealPaths, RealPaths]:
    """Paths to fit and held-out ones, no source in both.

    Those of `fit_sources` are fitted (say, because of their licence), all others held out. Without it every third source is held
    out, from the last name to the first; a single source is held out then.
    """
    sources = sorted(set(paths.source.tolist()), reverse=True)
    if fit_sources is None:
        fit_sources = [source for source in sources if source not in sources[::HELD_OUT_EVERY]]
    elif not fit_sources or not set(fit_sources) < set(sources):
        raise ValueError(f"expected some, but not all, of the sources {sorted(sources)}, got {sorted(fit_sources)}")
    return paths.of(list(fit_sources)), paths.of([source for source in sources if source not in fit_sources])


def vary_paths(paths: RealPaths, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` variations of paths, for training: `camera_to_world` `[count, 17, 4, 4]` and the source of each.

    Few real paths are at hand, and other cameras move otherwise. So (our choice) half are played backwards, all turn and
    travel more or less (factors log-normal, 0.5; turns of at most 150 degrees), and half have their axes turned, all
    three alike, as if the camera had been mounted another way.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(paths.source), size=count)
    poses = paths.camera_to_world[chosen].astype(np.float64)
    backwards = np.linalg.inv(poses[:, -1:]) @ poses[:, ::-1]
    poses = np.where(rng.random(count)[:, None, None, None] < 0.5, backwards, poses)
    turns = Rotation.from_matrix(poses[..., :3, :3].reshape(-1, 3, 3)).as_rotvec().reshape(count, -1, 3)
    turns *= np.exp(rng.normal(0, 0.5, (count, 1, 1)))
    largest = np.linalg.norm(turns, axis=-1).max(1)
    turns *= np.minimum(1, LARGEST_TURN / np.maximum(largest, 1e-6))[:, None, None]
    travels = poses[..., :3, 3] * np.exp(rng.normal(0, 0.5, (count, 1, 1)))
    mounts = Rotation.from_quat(rng.normal(size=(count, 4))).as_matrix()  # uniform
    mounts[rng.random(count) < 0.5] = np.eye(3)
    turns, travels = (np.einsum("nij,ntj->nti", mounts, part) for part in (turns, travels))
    poses[..., :3, :3] = Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix().reshape(*turns.shape[:2], 3, 3)
    poses[..., :3, 3] = travels
    return poses.astype(np.float32), paths.source[chosen]


def cut_windows(poses: np.ndarray, fps: float) -> list[np.ndarray]:
    """Poses `[T, 4, 4]` -> windows `[17, 4, 4]`, each relative to its first pose; `fps` 0 takes every pose."""
    span = NUM_FRAMES - 1
    step = min(max(1, round(fps / FPS)), (len(poses) - 1) // span)
    starts = range(0, len(poses) - span * step, span * step)
    windows = [poses[start : start + span * step + 1 : step] for start in starts]
    return [np.linalg.inv(window[0]) @ window for window in windows]


def _read_arrays(file: str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    try:
        content = np.load(file, allow_pickle=False)
        arrays = {key: content[key] for key in KEYS if key in content} if isinstance(content, NpzFile) else None
    except (zipfile.BadZipFile, EOFError, ValueError) as error:
        raise ValueError(f"{file}: expected a .npz of camera paths, got {error}") from None
    if arrays is None:
        raise ValueError(f"{file}: expected a .npz of camera paths, got a single array")
    if missing := [key for key in KEYS if key not in arrays]:
        raise ValueError(f"{file}: expected arrays {', '.join(KEYS)}, got none of name {', '.join(missing)}")
    poses, source, fps = (arrays[key] for key in KEYS)
    if poses.ndim != 4 or poses.shape[1] < NUM_FRAMES or poses.shape[2:] != (4, 4) or not len(poses):
        raise ValueError(f"{file}: expected c2w [N, {NUM_FRAMES} or more, 4, 4], got {list(poses.shape)}")
    if source.shape != poses.shape[:1] or fps.shape != poses.shape[:1]:
        raise ValueError(
            f"{file}: expected a source and an fps for each of {len(poses)} windows, got {list(source.shape)} and {list(fps.shape)}"
        )
    return poses.astype(np.float64), source.astype(str), fps


def _in_scene_depths(windows: np.ndarray, sources: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Metres -> scene depths, one depth a source."""
    windows = windows.astype(np.float32)
    reach = np.linalg.norm(windows[..., :3, 3], axis=-1).max(1)  # [N]
    for source in set(sources.tolist()):
        chosen = sources == source
        windows[chosen, :, :3, 3] /= max(ROOM_DEPTH, np.percentile(reach[chosen], 95) / LONGEST_REACH)
    return windows, sources
