"""The layouts of a capture's folder, each read to a list of views: transforms.json, a COLMAP model, TUM RGB-D.

What always holds: a layout says where pictures and depth maps lie and how cameras stand and see; whether these files are
there and can be decoded is for `read_capture` to find out. Axes and pose direction change in `camera_paths.formats` only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...camera_paths.formats import PathOptions, colmap, nerfstudio_transforms, tum
from ...camera_paths.formats.json_numbers import json_positive
from ...camera_paths.formats.path_format import PathSource, RawPath, to_opencv_camera_to_world
from ...camera_paths.units import Unit

TRANSFORMS_FILES = ("transforms.json", "transforms_train.json")
DISTORTION_KEYS = (
    "k1",
    "k2",
    "p1",
    "p2",
    "k3",
)  # OpenCV's order, which is nerfstudio's and instant-ngp's meaning of them
OTHER_DISTORTION_KEYS = ("k4", "k5", "k6", "distortion_params")
MILLIMETRE = 0.001  # nerfstudio's default of depth_unit_scale_factor
METRES = ("metre", "metres", "meter", "meters", "m")  # what some packers write under "units"
MODEL_FOLDERS = ("sparse/0", "colmap/sparse/0", "sparse", ".")  # where COLMAP and nerfstudio put a model
IMAGE_FOLDERS = ("images", ".")
TUM_DEPTH_SCALE = 1 / 5000  # metres in one step of a depth file of the TUM RGB-D benchmark
TUM_LENS = np.array(
    [525 / 640, 525 / 480, 320 / 640, 240 / 480]
)  # the benchmark's own default, 319.5 from pixel centres
TUM_MOST_SECONDS_APART = 0.02  # the same as the benchmark's associate.py


@dataclass(frozen=True)
class SaidOfCapture:
    """What the user says beside the files; None where nothing was said."""

    unit: Unit | None = None
    median_depth: float | None = None

    def __post_init__(self):
        if self.unit == "scene_depth":
            raise ValueError(
                'expected the unit of a capture to be "metre" or "scene", got "scene_depth": it has no first frame'
            )


@dataclass(frozen=True)
class ListedView:
    """One picture as its capture's files describe it."""

    name: str
    image_file: Path
    camera_to_world: np.ndarray  # [4, 4]
    intrinsics: np.ndarray  # [4]
    distortion: np.ndarray = field(default_factory=lambda: np.zeros(8))  # OpenCV's k1 k2 p1 p2 k3 k4 k5 k6
    depth_file: Path | None = None
    aspect: float | None = None  # width / height of the pictures that the lens was measured on


@dataclass(frozen=True)
class Listing:
    """All views of a capture."""

    views: list[ListedView]
    unit: Unit
    median_depth: float | None
    depth_scale: float = MILLIMETRE
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    title: str
    recognise: Callable[[Path], bool]
    read: Callable[[Path, SaidOfCapture], Listing]


def _transforms_file(folder: Path) -> Path | None:
    return next((folder / name for name in TRANSFORMS_FILES if (folder / name).is_file()), None)


def _read_transforms(folder: Path, said: SaidOfCapture) -> Listing:
    """nerfstudio's and instant-ngp's file; `file_path` may lack its suffix, as in the original NeRF's, then .png is meant."""
    file = _transforms_file(folder)
    assert file is not None
    source = PathSource(file)
    raw = nerfstudio_transforms.read(source, PathOptions())
    if raw.intrinsics is None:
        raise source.error('expected a focal length ("fl_x", "camera_angle_x" or "x_fov"), got none')
    poses, content = _opencv_poses(source, raw), source.json
    views = [
        _transforms_view(source, {**content, **fields}, number, poses[number], raw.intrinsics[number])
        for number, fields in enumerate(content["frames"])
    ]
    unit: Unit = said.unit or ("metre" if content.get("units") in METRES else "scene")
    depth_scale = json_positive(source, content, "depth_unit_scale_factor") or MILLIMETRE
    notes = tuple(note for note in raw.notes if "distortion" not in note)
    return Listing(views, unit, said.median_depth, depth_scale, notes)


def _opencv_poses(source: PathSource, raw: RawPath) -> np.ndarray:
    """[N, 4, 4]; `ValueError` names the file and the first frame that is not a rotation and a translation."""
    assert raw.axes is not None and raw.pose is not None
    try:
        return to_opencv_camera_to_world(raw.poses, raw.axes, raw.pose)
    except ValueError as error:
        raise source.error(str(error)) from None


def _transforms_view(source: PathSource, fields: dict, number: int, pose: np.ndarray, lens: np.ndarray) -> ListedView:
    name, depth = fields.get("file_path"), fields.get("depth_file_path")
    if not isinstance(name, str) or not (depth is None or isinstance(depth, str)):
        raise source.error(
            f'frame {number}: expected file names in "file_path" and "depth_file_path", got {name!r}, {depth!r}'
        )
    for key in OTHER_DISTORTION_KEYS:
        if np.any(fields.get(key, 0)):
            raise source.error(
                f'frame {number}: expected a lens with {", ".join(DISTORTION_KEYS)} at most, got "{key}"'
            )
    image_file = source.file.parent / name
    if not image_file.suffix and not image_file.is_file():
        image_file = image_file.with_suffix(".png")
    width, height = json_positive(source, fields, "w", number), json_positive(source, fields, "h", number)
    return ListedView(
        name=name,
        image_file=image_file,
        camera_to_world=pose,
        intrinsics=lens,
        distortion=np.array([fields.get(key, 0.0) for key in DISTORTION_KEYS] + [0.0] * 3, np.float64),
        depth_file=None if depth is None else source.file.parent / depth,
        aspect=None if width is None or height is None else width / height,
    )


def _model_folder(folder: Path) -> Path | None:
    return next((folder / name for name in MODEL_FOLDERS if _has_model(folder / name)), None)


def _has_model(folder: Path) -> bool:
    return folder.is_dir() and colmap.recognise(PathSource(folder))


def _read_colmap(folder: Path, said: SaidOfCapture) -> Listing:
    """A COLMAP model in sparse/0 (or as `MODEL_FOLDERS`), its pictures in images/ or beside it."""
    place = _model_folder(folder)
    assert place is not None
    source = PathSource(place)
    model = colmap.load_model(source)
    images = colmap.images_in_order(source, model, None)
    image_folder = next(
        (folder / name for name in IMAGE_FOLDERS if (folder / name / images[0].name).is_file()),
        folder / IMAGE_FOLDERS[0],
    )
    world_to_camera = np.stack([image.cam_from_world().matrix() for image in images])
    poses = to_opencv_camera_to_world(world_to_camera, "opencv", "world-to-camera")
    views = [
        _colmap_view(source, image_folder, image, model.cameras[image.camera_id], pose)
        for image, pose in zip(images, poses, strict=True)
    ]
    depth, notes = colmap.median_depth(model, images[0], views[0].intrinsics)
    return Listing(views, said.unit or "scene", said.median_depth or depth, notes=tuple(notes))


def _colmap_view(source: PathSource, folder: Path, image: Any, camera: Any, pose: np.ndarray) -> ListedView:
    names = camera.params_info.replace(" ", "").split(",")
    values = {names[index]: camera.params[index] for index in camera.extra_params_idxs()}
    values = {("k1" if name == "k" else name): value for name, value in values.items()}
    order = (*DISTORTION_KEYS, "k4", "k5", "k6")
    if set(values) - set(order):
        raise source.error(f"camera {camera.camera_id}: expected OpenCV's distortion at most, got {camera.model_name}")
    return ListedView(
        name=image.name,
        image_file=folder / image.name,
        camera_to_world=pose,
        intrinsics=colmap.normalised_intrinsics(source, camera),
        distortion=np.array([values.get(key, 0.0) for key in order]),
        aspect=camera.width / camera.height,
    )


def _is_tum(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("rgb.txt", "depth.txt", "groundtruth.txt"))


def _read_tum(folder: Path, said: SaidOfCapture) -> Listing:
    """A sequence of the TUM RGB-D benchmark, whose files are associated by their time stamps."""
    if said.unit not in (None, "metre"):
        raise ValueError(f"{folder}: expected no --unit {said.unit}: TUM RGB-D sequences are in metres")
    truth = PathSource(folder / "groundtruth.txt")
    poses = _opencv_poses(truth, tum.read(truth, PathOptions()))
    pose_times = np.array([float(words[0]) for _, words in truth.rows])
    (times, names), (depth_times, depth_names) = (_stamped(folder / name) for name in ("rgb.txt", "depth.txt"))
    views = []
    for time, name in zip(times, names, strict=True):
        pose, depth = (int(np.abs(others - time).argmin()) for others in (pose_times, depth_times))
        if max(abs(pose_times[pose] - time), abs(depth_times[depth] - time)) <= TUM_MOST_SECONDS_APART:
            views.append(
                ListedView(
                    name, folder / name, poses[pose], TUM_LENS, depth_file=folder / depth_names[depth], aspect=4 / 3
                )
            )
    notes = [f"{len(names) - len(views)} pictures have no pose or depth within {TUM_MOST_SECONDS_APART:g} s"]
    notes = [*notes[: len(names) > len(views)], "the lens is the benchmark's default: 525 pixels of 640"]
    return Listing(views, "metre", said.median_depth, TUM_DEPTH_SCALE, tuple(notes))


def _stamped(file: Path) -> tuple[np.ndarray, list[str]]:
    """Time stamps [N] and file names of rgb.txt or depth.txt."""
    source = PathSource(file)
    times = [source.numbers(line, words[:1], 1, "a time stamp")[0] for line, words in source.rows]
    if not times or any(len(words) < 2 for _, words in source.rows):
        raise source.error("expected lines of a time stamp and a file name")
    return np.array(times), [" ".join(words[1:]) for _, words in source.rows]


LAYOUTS = (
    Layout("transforms.json", lambda folder: _transforms_file(folder) is not None, _read_transforms),
    Layout(
        "a COLMAP model in sparse/0, with pictures in images/",
        lambda folder: _model_folder(folder) is not None,
        _read_colmap,
    ),
    Layout("TUM RGB-D: rgb.txt, depth.txt and groundtruth.txt", _is_tum, _read_tum),
)
