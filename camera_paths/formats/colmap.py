"""COLMAP models: a folder with cameras, images and points3D, as .bin or .txt, read and written through pycolmap.

Poses are OpenCV world-to-camera. Frames are the registered images in the natural order of their names (frame_9 before
frame_10): a model has no other order, and no time. The lens is in pixels of a picture whose upper left pixel has its centre
at (0.5, 0.5), as here (COLMAP's doc/cameras.rst). Distortion is left out, with a note; fisheye and spherical lenses are refused.
Where several cameras of a rig took pictures at once, the option `camera` is the id of one of them.

The unit is the model's own. Its median depth is that of the points which the first frame observes, or, where it observes
none, of those in front of it and inside its picture; without points the user must say the unit, and may say it in any case.

pycolmap checks little: of a .bin file that is cut off it makes up the rest, and a quaternion of any length it normalises.
So every file is first walked from front to back here. Where both kinds are there, .bin is read, as COLMAP does. Text is
written, which COLMAP reads as well and people can read too. Newer models have rigs and frames as well, whose poses win.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..camera_path import CameraPath
from .path_format import PathFormat, PathOptions, PathSource, RawPath, from_opencv_camera_to_world, picture_size_of

REQUIRED_FILES = ("cameras", "images", "points3D")
OPTIONAL_FILES = ("rigs", "frames")
IMAGE_COLUMNS = "image id, qw qx qy qz, tx ty tz, camera id"
COUNT_IN_HEADER = re.compile(r"#\s*Number of \w+: (\d+)")
UNREADABLE = (ValueError, IndexError, RuntimeError, MemoryError)  # what pycolmap raises


def recognise(source: PathSource) -> bool:
    """A folder with cameras and images, both .bin or both .txt."""
    return _suffix(source.file) is not None


def _suffix(folder: Path) -> str | None:
    both = (
        suffix
        for suffix in (".bin", ".txt")
        if all((folder / f"{name}{suffix}").is_file() for name in REQUIRED_FILES[:2])
    )
    return next(both, None)


def _pycolmap() -> Any:
    """The optional package, imported when it is needed."""
    try:
        import pycolmap
    except ImportError:
        raise ValueError('expected pycolmap to read and write COLMAP models: pip install "camvig[formats]"') from None
    return pycolmap


def read(source: PathSource, options: PathOptions) -> RawPath:
    model = load_model(source)
    images = images_in_order(source, model, options.camera)
    cameras = {image.camera_id: model.cameras[image.camera_id] for image in images}
    lenses = {number: normalised_intrinsics(source, camera) for number, camera in cameras.items()}
    depth, notes = median_depth(model, images[0], lenses[images[0].camera_id])
    unit = options.unit or (None if depth is None else "scene")
    return RawPath(
        np.stack([image.cam_from_world().matrix() for image in images]),
        "opencv",
        "world-to-camera",
        np.stack([lenses[image.camera_id] for image in images]),
        unit=unit,
        median_depth=None if unit == "scene_depth" else depth,
        notes=(*_note_on_distortion(list(cameras.values())), *notes),
    )


def load_model(source: PathSource) -> Any:
    """The model as pycolmap has it, from files that are whole."""
    pycolmap, suffix = _pycolmap(), _suffix(source.file)
    missing = [name for name in REQUIRED_FILES if not (source.file / f"{name}{suffix}").is_file()]
    if missing:
        kind = suffix or ".bin or .txt"
        raise source.error(f"expected a folder with {', '.join(REQUIRED_FILES)} as {kind}, got no {', '.join(missing)}")
    for name in (*REQUIRED_FILES, *OPTIONAL_FILES):
        if (source.file / f"{name}{suffix}").is_file():
            file = PathSource(source.file / f"{name}{suffix}")
            _check_text(file, name) if suffix == ".txt" else _check_binary(file, name, pycolmap)
    model = pycolmap.Reconstruction()
    try:
        model.read_text(source.file) if suffix == ".txt" else model.read_binary(source.file)
    except UNREADABLE as error:
        raise source.error(f"expected a COLMAP model, got one that COLMAP does not read: {error}") from None
    return model


def _check_text(file: PathSource, name: str) -> None:
    """As many records as the header says, and images of which none is repaired silently."""
    lines = [line.strip() for line in file.text.splitlines()]
    if name == "images":
        count = sum(1 for _ in _checked_image_lines(file, lines))
    else:
        count = sum(1 for line in lines if line and not line.startswith("#"))
    expected = next((int(found[1]) for line in lines if (found := COUNT_IN_HEADER.match(line))), count)
    if count != expected:
        raise file.error(f"expected {expected} {name}, as its header says, got {count}; is the file cut off?")


def _checked_image_lines(file: PathSource, lines: list[str]) -> Iterator[int]:
    """The numbers of the lines that hold a pose; each is followed by a line, maybe empty, of 2-D points."""
    numbered, seen = iter(enumerate(lines, start=1)), set()
    for number, line in numbered:
        if not line or line.startswith("#"):
            continue
        words = line.split()
        if len(words) != 10:
            raise file.error(f"expected 10 columns ({IMAGE_COLUMNS}, a name without blanks), got {len(words)}", number)
        _check_quaternion(file, file.numbers(number, words[:9], 9, IMAGE_COLUMNS)[1:5], line=number)
        if words[0] in seen:
            raise file.error(f"expected each image id once, got {words[0]} again", number)
        seen.add(words[0])
        _, points = next(numbered, (0, ""))
        if len(points.split()) % 3:
            raise file.error(
                f"expected 2-D points (x y id, or an empty line), got {len(points.split())} columns", number + 1
            )
        yield number


def _check_quaternion(file: PathSource, quaternion: list[float], line: int | None = None, frame: str = "") -> None:
    length = np.linalg.norm(quaternion)
    if not abs(length - 1) < 1e-2:
        raise file.error(f"{frame}expected a unit quaternion, got one of length {length:g}", line)


class _Bytes:
    """A little-endian binary file, read from front to back."""

    def __init__(self, file: PathSource):
        self.file, self.content, self.position = file, file.file.read_bytes(), 0

    def take(self, layout: str) -> tuple:
        values = struct.unpack_from(f"<{layout}", self.content, self.skip(struct.calcsize(f"<{layout}")))
        return values

    def take_name(self) -> str:
        end = self.content.find(b"\0", self.position)
        if end < 0:
            raise self.file.error("expected the end of a name, got the end of the file: is it cut off?")
        start = self.skip(end + 1 - self.position)
        return self.content[start:end].decode("utf-8", errors="replace")

    def skip(self, count: int) -> int:
        """Go past so many bytes; returns where they start."""
        start, self.position = self.position, self.position + count
        if self.position > len(self.content):
            raise self.file.error(
                f"expected at least {self.position:,} bytes, got {len(self.content):,}: is the file cut off?"
            )
        return start


def _check_binary(file: PathSource, name: str, pycolmap: Any) -> None:
    """The file ends where its last record does. Layouts: COLMAP's src/colmap/scene/reconstruction_io_binary.cc."""
    content, seen = _Bytes(file), set()
    for _ in range(content.take("Q")[0]):
        if name == "cameras":
            _, camera_model, _, _ = content.take("IiQQ")
            content.skip(8 * _count_parameters(file, camera_model, pycolmap))
        elif name == "images":
            numbers = content.take("I7dI")
            image = content.take_name()
            if not np.isfinite(numbers).all():
                raise file.error(f"image {image!r}: expected finite numbers in its pose, got NaN or infinity")
            _check_quaternion(file, list(numbers[1:5]), frame=f"image {image!r}: ")
            if numbers[0] in seen:
                raise file.error(f"image {image!r}: expected each image id once, got {numbers[0]} again")
            seen.add(numbers[0])
            content.skip(24 * content.take("Q")[0])
        elif name == "points3D":
            content.skip(struct.calcsize("<Q3d3Bd"))
            content.skip(8 * content.take("Q")[0])
        elif name == "frames":
            content.skip(struct.calcsize("<II7d"))
            content.skip(16 * content.take("I")[0])
        else:
            _, sensors = content.take("II")
            content.skip(8 * min(sensors, 1))
            for _ in range(1, sensors):
                content.skip(56 * bool(content.take("iIB")[2]))
    if content.position != len(content.content):
        raise file.error(f"expected its end after {content.position:,} bytes, got {len(content.content):,}")


def _count_parameters(file: PathSource, camera_model: int, pycolmap: Any) -> int:
    try:
        return len(pycolmap.Camera.create_from_model_id(1, pycolmap.CameraModelId(camera_model), 1.0, 1, 1).params)
    except UNREADABLE:
        raise file.error(f"expected a camera model that COLMAP knows, got number {camera_model}") from None


def images_in_order(source: PathSource, model: Any, camera: str | None) -> list[Any]:
    """The registered images of one camera, or of all where these take turns, by name."""
    images = [model.images[number] for number in model.reg_image_ids()]
    if not images:
        raise source.error("expected registered images, got none")
    in_words = ", ".join(f"--camera {number}" for number in sorted({image.camera_id for image in images}))
    if camera is not None:
        images = [image for image in images if str(image.camera_id) == camera]
        if not images:
            raise source.error(f"expected a camera with pictures, {in_words}, got {camera!r}")
    elif len({image.frame_id for image in images}) < len(images):
        raise source.error(f"expected to be told which camera of the rig to take: {in_words}")
    images.sort(key=lambda image: _natural(image.name))
    for image, following in pairwise(images):
        if image.name == following.name:
            raise source.error(f"expected each image name once, got {image.name!r} several times")
    return images


def _natural(name: str) -> list[tuple[int, str]]:
    """Digits compare as numbers; the name itself settles frame_1 and frame_01."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part) if index % 2 else -1, part) for index, part in enumerate(parts)]


def normalised_intrinsics(source: PathSource, camera: Any) -> np.ndarray:
    """Normalised fx, fy, cx, cy, [4]."""
    if not camera.is_perspective_pinhole():
        raise source.error(f"camera {camera.camera_id}: expected a perspective lens, got {camera.model_name}")
    if camera.width < 1 or camera.height < 1:
        raise source.error(f"camera {camera.camera_id}: expected a picture size, got {camera.width}x{camera.height}")
    focal_length, centre = (
        (camera.focal_length_x, camera.focal_length_y),
        (camera.principal_point_x, camera.principal_point_y),
    )
    return np.array([*focal_length, *centre]) / ([camera.width, camera.height] * 2)


def _note_on_distortion(cameras: list[Any]) -> list[str]:
    for camera in cameras:
        names = camera.params_info.replace(" ", "").split(",")
        found = {names[index]: camera.params[index] for index in camera.extra_params_idxs() if camera.params[index]}
        if found:
            values = ", ".join(f"{name} = {value:g}" for name, value in found.items())
            return [f"the distortion of its lens ({values}) is left out"]
    return []


def median_depth(model: Any, image: Any, intrinsics: np.ndarray) -> tuple[float | None, list[str]]:
    """Of the points that the image observes, or else of those it could see; None without any. And a note."""
    observed = [point.point3D_id for point in image.points2D if point.has_point3D()]
    points = [model.points3D[number].xyz for number in observed] or [point.xyz for point in model.points3D.values()]
    if not points:
        return None, []
    world_to_camera = image.cam_from_world().matrix()
    in_camera = np.array(points) @ world_to_camera[:, :3].T + world_to_camera[:, 3]
    in_camera = in_camera[in_camera[:, 2] > 0]
    if not observed:
        in_picture = in_camera[:, :2] / in_camera[:, 2:] * intrinsics[:2] + intrinsics[2:]
        in_camera = in_camera[np.all((in_picture >= 0) & (in_picture <= 1), axis=1)]
    if not len(in_camera):
        return None, []
    depth = float(np.median(in_camera[:, 2]))
    note = (
        f"its first frame observes no points: {depth:g} is the median depth of the {len(in_camera)} inside its picture"
    )
    return depth, [] if observed else [note]


def write(path: CameraPath, file: Path, options: PathOptions) -> None:
    """A folder of text files; a camera for every lens that the path has, without points."""
    pycolmap = _pycolmap()
    width, height = (max(1, round(side)) for side in picture_size_of(path, options))
    poses = from_opencv_camera_to_world(path.camera_to_world, "opencv", "world-to-camera")
    lenses = [tuple(lens) for lens in (path.intrinsics * (width, height, width, height)).tolist()]
    numbers = {lens: number for number, lens in enumerate(dict.fromkeys(lenses), start=1)}
    model = pycolmap.Reconstruction()
    for lens, number in numbers.items():
        camera = pycolmap.Camera(camera_id=number, model="PINHOLE", width=width, height=height, params=lens)
        model.add_camera_with_trivial_rig(camera)
    for frame, (pose, lens) in enumerate(zip(poses, lenses, strict=True), start=1):
        image = pycolmap.Image(name=f"frame_{frame:06d}.png", camera_id=numbers[lens], image_id=frame)
        model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(pose[:3]))
    file.mkdir(exist_ok=True)
    model.write_text(file)


FORMAT = PathFormat(
    name="colmap",
    title="COLMAP model (a folder of text or binary files)",
    suffixes=("",),
    carries=frozenset({"place", "focal length", "zoom", "pixel aspect", "principal point"}),
    recognise=recognise,
    read=read,
    write=write,
    remarks="OpenCV world-to-camera, lens in pixels; frames in the natural order of the image names; read with the median depth of "
    "the first frame's points; needs pycolmap (camvig[formats])",
)
