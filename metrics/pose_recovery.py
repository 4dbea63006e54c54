"""The camera's path out of the frames alone: COLMAP's features and global mapper (pycolmap), or a pure rotation.

What always holds: poses are camera-to-world [T, 4, 4] relative to the first frame, for ALL frames or none; their scale is
free, one picture sequence cannot know it. A clip that tells nothing (no texture, too few matches, frames left over) is a
result without poses and with its reason, never an exception. The lens is given and never refined. The seed fixes every
number.

How: frames are resized (cubic where they grow) to a shorter side of `SIZE` pixels; SIFT features of all pairs are matched.
Two explanations compete, because structure from motion is degenerate where a camera only turns. (1) Rotations alone: each
frame in turn gets the rotation that carries the rays of most matches onto those of all earlier frames (RANSAC over two
matches, then least squares). (2) The global mapper, in several trials that differ in the seed of every random choice; of
the trials with all frames the one whose rotations are nearest to all others' is taken.

Rotations alone are taken where their median residual over all matches is at most `MOST_RESIDUAL_RATIO` times the mapper's median
distance from the epipolar lines (equal noise in both axes would make that ratio 1.75; parallax makes it larger), or, where
the mapper finds nothing, at most `MOST_ROTATION_RESIDUAL`. All thresholds are our choice;
`benchmarks/pose_recovery.py` measures what comes of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from ..camera_paths.rigid_motion import invert, pose_matrices, relative_to_first
from .camera_path_errors import rotation_errors
from .clip_arrays import check_clip, with_shorter_side

SIZE = 256  # pixels of the shorter side in which features are found
PEAK_THRESHOLD = 0.002  # of SIFT; COLMAP's own 0.0067 finds too little in small frames
MIN_MATCHES = 15  # of a frame with all earlier ones
ROTATION_TOLERANCE = 1.0  # pixels of the given frames, of the matches that a rotation is fitted to
ROTATION_DRAWS, REFINEMENTS = 200, 4
MOST_RESIDUAL_RATIO = 2.5
MOST_ROTATION_RESIDUAL, NO_RESIDUAL = 0.25, 0.02  # pixels of the given frames
NO_TEXTURE = "too few features"
TOO_FEW_MATCHES = "too few matches between frames"
NO_MODEL = "the global mapper found no model"
FRAMES_MISSING = "the global mapper left frames out"
NO_PAIRS = np.empty((0, 2), np.intp)


class RecoveredPoses(NamedTuple):
    """The poses of a clip, or why there are none."""

    camera_to_world: np.ndarray | None  # [T, 4, 4] float64, relative to the first; translations of unknown scale
    estimator: str  # "rotation" (translations are 0), "global mapper", or "none"
    num_registered: int  # frames with a pose, of the trial taken
    num_trials: int  # that gave all poses
    problem: str | None = None

    @property
    def success(self) -> bool:
        """Whether every frame has a pose."""
        return self.camera_to_world is not None


class _Matches(NamedTuple):
    """What fits a rigid two-view geometry: features as unit rays in each camera's axes."""

    rays: list[np.ndarray]  # [N_t, 3] of each frame
    pairs: dict[tuple[int, int], np.ndarray]  # (earlier, later) -> indices [M, 2]
    focal_lengths: np.ndarray  # [T] in pixels of the given frames


def recover_poses(frames: np.ndarray, intrinsics: np.ndarray, *, trials: int = 3, seed: int = 0) -> RecoveredPoses:
    """The poses of a clip frames [T, H, W, 3] uint8 whose intrinsics [T, 4] (normalised) are known.

    Needs `pip install "camvig[formats]"` (pycolmap); ImportError without it. ValueError where the arrays are no clip of three
    frames or more with a lens each.
    """
    check_clip(frames, least_frames=3)
    lenses = np.asarray(intrinsics, np.float64)
    if lenses.shape != (len(frames), 4) or not np.isfinite(lenses).all() or (lenses[:, :2] <= 0).any():
        raise ValueError(
            f"expected finite intrinsics [{len(frames)}, 4] with focal lengths above 0, got {list(lenses.shape)}"
        )
    if trials < 1:
        raise ValueError(f"expected trials of at least 1, got {trials}")
    pycolmap = _pycolmap()
    with quiet_colmap(), tempfile.TemporaryDirectory(prefix="camvig-poses-") as folder:
        database = Path(folder) / "database.db"
        _find_features(pycolmap, database, frames, lenses, seed)
        return _recover(pycolmap, database, lenses, frames.shape[1:3], trials, seed)


def _recover(
    pycolmap: Any, database: Path, lenses: np.ndarray, size: tuple[int, int], trials: int, seed: int
) -> RecoveredPoses:
    _match(pycolmap, database, seed)
    matches = _read_matches(pycolmap, database, lenses, size)
    if max(len(rays) for rays in matches.rays) < MIN_MATCHES:
        return RecoveredPoses(None, "none", 0, 0, NO_TEXTURE)
    turning = _rotation_only(matches, np.random.default_rng(seed))
    if turning is None:
        return RecoveredPoses(None, "none", 0, 0, TOO_FEW_MATCHES)
    rotation_residual = _rotation_residual(matches, turning)
    whole, most = [], 0
    for trial in range(trials):
        if trial:
            _match(pycolmap, database, seed + trial)
        poses, registered = _map(pycolmap, database, len(lenses), seed + trial)
        most = max(most, registered)
        if poses is not None and not whole:
            least = max(MOST_RESIDUAL_RATIO * _epipolar_residual(matches, poses), NO_RESIDUAL)
            if rotation_residual <= least:
                return RecoveredPoses(turning, "rotation", len(turning), 1)
        whole += [] if poses is None else [poses]
    if whole:
        return RecoveredPoses(_most_central(whole), "global mapper", len(lenses), len(whole))
    if rotation_residual <= MOST_ROTATION_RESIDUAL:
        return RecoveredPoses(turning, "rotation", len(turning), 1)
    return RecoveredPoses(None, "none", most, 0, FRAMES_MISSING if most else NO_MODEL)


def _find_features(pycolmap: Any, database: Path, frames: np.ndarray, lenses: np.ndarray, seed: int) -> None:
    """Write the resized frames beside the database, and into it a known lens and SIFT features for each."""
    resized = with_shorter_side(frames, SIZE)
    for number, frame in enumerate(resized):
        cv2.imwrite(str(database.parent / _name(number)), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    height, width = resized[0].shape[:2]
    reading, extraction = pycolmap.ImageReaderOptions(), pycolmap.FeatureExtractionOptions()
    reading.camera_model, extraction.num_threads, extraction.use_gpu = "PINHOLE", 1, False
    extraction.sift.peak_threshold = PEAK_THRESHOLD
    pycolmap.set_random_seed(seed)
    pycolmap.extract_features(
        database, database.parent, camera_mode=pycolmap.CameraMode.PER_IMAGE, reader_options=reading,
        extraction_options=extraction, device=pycolmap.Device.cpu,
    )  # fmt: skip
    with pycolmap.Database.open(database) as opened:
        for image in opened.read_all_images():
            camera = opened.read_camera(image.camera_id)
            camera.params = lenses[_number(image.name)] * (width, height, width, height)
            camera.has_prior_focal_length = True
            opened.update_camera(camera)


def _match(pycolmap: Any, database: Path, seed: int) -> None:
    """Match all pairs of frames and keep what fits a rigid two-view geometry; a second call draws anew from the same matches."""
    matching, verification = pycolmap.FeatureMatchingOptions(), pycolmap.TwoViewGeometryOptions()
    matching.num_threads, matching.use_gpu, verification.ransac.random_seed = 1, False, seed
    with pycolmap.Database.open(database) as opened:
        opened.clear_two_view_geometries()
    pycolmap.match_exhaustive(
        database, matching_options=matching, verification_options=verification, device=pycolmap.Device.cpu
    )


def _read_matches(pycolmap: Any, database: Path, lenses: np.ndarray, size: tuple[int, int]) -> _Matches:
    with pycolmap.Database.open(database) as opened:
        images = sorted(opened.read_all_images(), key=lambda image: image.name)
        ids = [image.image_id for image in images]
        rays = []
        for image, lens in zip(images, lenses, strict=True):
            camera = opened.read_camera(image.camera_id)
            positions = np.asarray(opened.read_keypoints(image.image_id))[:, :2] / (camera.width, camera.height)
            directions = np.column_stack([(positions - lens[2:]) / lens[:2], np.ones(len(positions))])
            rays.append(directions / np.linalg.norm(directions, axis=1, keepdims=True))
        pairs = {}
        for later, later_id in enumerate(ids):
            for earlier, earlier_id in enumerate(ids[:later]):
                if opened.exists_two_view_geometry(earlier_id, later_id):
                    inliers = opened.read_two_view_geometry(earlier_id, later_id).inlier_matches
                    pairs[earlier, later] = np.asarray(inliers).reshape(-1, 2)
    return _Matches(rays, pairs, (lenses[:, :2] * (size[1], size[0])).mean(axis=1))


def _rotation_only(matches: _Matches, rng: np.random.Generator) -> np.ndarray | None:
    """Poses [T, 4, 4] of a camera that only turns, or None where a frame has too few matches with all earlier ones."""
    rotations = [np.eye(3)]
    for later, focal_length in enumerate(matches.focal_lengths[1:], 1):
        pairs = [(earlier, matches.pairs.get((earlier, later), NO_PAIRS)) for earlier in range(later)]
        world = np.concatenate(
            [matches.rays[earlier][indices[:, 0]] @ rotations[earlier].T for earlier, indices in pairs]
        )
        own = np.concatenate([matches.rays[later][indices[:, 1]] for _, indices in pairs])
        if len(own) < MIN_MATCHES:
            return None
        rotations.append(_robust_rotation(world, own, ROTATION_TOLERANCE / focal_length, rng))
    return pose_matrices(np.stack(rotations), np.zeros((len(rotations), 3)))


def _rotation_residual(matches: _Matches, poses: np.ndarray) -> float:
    """Median distance in pixels of matched rays, turned by the poses' rotations alone."""
    distances = [
        np.linalg.norm(matches.rays[earlier][pairs[:, 0]] - matches.rays[later][pairs[:, 1]] @ turn.T, axis=1)
        * matches.focal_lengths[later]
        for (earlier, later), pairs, turn in _turns(matches, poses)
    ]
    return float(np.median(np.concatenate(distances)))


def _epipolar_residual(matches: _Matches, poses: np.ndarray) -> float:
    """Median distance in pixels of matched rays from their epipolar planes."""
    distances = []
    for (earlier, later), pairs, turn in _turns(matches, poses):
        baseline = poses[earlier, :3, :3].T @ (poses[later, :3, 3] - poses[earlier, :3, 3])
        normals = np.cross(baseline, matches.rays[earlier][pairs[:, 0]])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), np.finfo(np.float64).tiny)
        own = matches.rays[later][pairs[:, 1]] @ turn.T
        distances.append(np.abs((own * normals).sum(axis=1)) * matches.focal_lengths[later])
    return float(np.median(np.concatenate(distances)))


def _turns(matches: _Matches, poses: np.ndarray) -> Iterator[tuple[tuple[int, int], np.ndarray, np.ndarray]]:
    """Pairs of frames, their matches, and the rotation [3, 3] from the later camera's axes to the earlier one's."""
    for (earlier, later), pairs in matches.pairs.items():
        yield (earlier, later), pairs, poses[earlier, :3, :3].T @ poses[later, :3, :3]


def _robust_rotation(world: np.ndarray, own: np.ndarray, tolerance: float, rng: np.random.Generator) -> np.ndarray:
    """The rotation that carries most of the unit rays `own` [N, 3] to within `tolerance` of `world`."""
    draws = rng.integers(0, len(own), (ROTATION_DRAWS, 2))
    candidates = _best_rotations(world[draws], own[draws])  # [D, 3, 3]
    distances = np.linalg.norm(np.einsum("dij,nj->dni", candidates, own) - world, axis=-1)
    rotation = candidates[(distances < tolerance).sum(axis=1).argmax()]
    for _ in range(REFINEMENTS):
        fits = np.linalg.norm(own @ rotation.T - world, axis=1) < tolerance
        rotation = _best_rotations(world[fits], own[fits])
    return rotation


def _best_rotations(world: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Least-squares rotations [..., 3, 3] that carry rays `own` [..., N, 3] onto `world` (Kabsch)."""
    left, _, right = np.linalg.svd(np.swapaxes(world, -1, -2) @ own)
    left[..., 2] *= np.linalg.det(left @ right)[..., None]
    return left @ right


def _map(pycolmap: Any, database: Path, num_frames: int, seed: int) -> tuple[np.ndarray | None, int]:
    """Poses [T, 4, 4] relative to the first if all frames got one, and how many did."""
    output = database.parent / f"trial-{seed}"
    output.mkdir()
    options = pycolmap.GlobalPipelineOptions()
    options.num_threads = options.mapper.num_threads = 1
    options.random_seed = options.mapper.random_seed = seed
    adjustment = options.mapper.bundle_adjustment
    adjustment.refine_focal_length = adjustment.refine_extra_params = False
    models = pycolmap.global_mapping(database, database.parent, output, options)
    if not models:
        return None, 0
    images = max(models.values(), key=lambda model: model.num_reg_images()).images.values()
    registered = {_number(image.name): image.cam_from_world().matrix() for image in images if image.has_pose}
    if len(registered) < num_frames:
        return None, len(registered)
    world_to_camera = np.stack([registered[number] for number in range(num_frames)])  # [T, 3, 4]
    return relative_to_first(invert(pose_matrices(world_to_camera[:, :, :3], world_to_camera[:, :, 3]))), num_frames


def _most_central(paths: list[np.ndarray]) -> np.ndarray:
    """The path whose rotations are nearest to those of all others, by the sum of the angles: a median of paths."""
    turns = [sum(rotation_errors(path[None], other[None]).sum() for other in paths) for path in paths]
    return paths[int(np.argmin(turns))]


def _name(number: int) -> str:
    return f"{number:06d}.png"


def _number(name: str) -> int:
    return int(name.removesuffix(".png"))


@contextmanager
def quiet_colmap() -> Iterator[None]:
    """COLMAP writes a page of log to the terminal for each call, and warns of what is here an ordinary result.

    Its level of logging is one for all threads: hold this around several that recover poses.
    """
    logging = _pycolmap().logging
    level, logging.minloglevel = logging.minloglevel, int(logging.Level.FATAL)
    try:
        yield
    finally:
        logging.minloglevel = level


def _pycolmap() -> Any:
    try:
        import pycolmap
    except ImportError:
        raise ImportError('expected pycolmap to recover poses: pip install "camvig[formats]"') from None
    return pycolmap
