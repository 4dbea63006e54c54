"""`ProceduralRooms`: a `datasets` builder whose rows are clips of procedural rooms; nothing is downloaded.

What always holds: a row is one clip, a pure function of (split, scene_seed, clip_seed, size), whoever renders it and
in whatever order; no scene and no texture occurs in two splits, because the split is a part of every seed.

    rooms = ProceduralRooms(cache_dir="data", train_clips=2000)
    rooms.download_and_prepare(num_proc=2)  # or file_format="parquet"
    row = rooms.as_dataset(split="train")[0]
    frames, path = decode_video(row["video"]["bytes"]), camera_path_of(row)

Columns:

    video               mp4 of 17 frames, {"bytes", "path": None}: H.264, see `encode_video`
    camera_to_world     (17, 4, 4) float32, OpenCV axes, relative to the first pose, in scene_depth
    intrinsics          (17, 4) float32, fx, fy, cx, cy normalised by width and height; fy / fx is the true aspect
    depth_scale         metres in one scene_depth: the median z-depth of the first frame
    move                the name of the move, one of `room_paths.MOVES`
    fps                 frames a second
    scene_id            "<split>-<scene_seed>": no two scenes of any splits share one
    scene_seed          with the split, the seed of the room
    clip_seed           with the split and scene_seed, the seed of the camera path
    generator_version   `GENERATOR_VERSION`: the same seeds give the same clip only in the same version
    licence             CC0-1.0: generated data, free for any use

The paper's clips come from NeRFs; rooms, columns and the sizes of the splits are our choice.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import av.error
import datasets
import numpy as np

from ..camera_paths.camera_path import CameraPath
from .room_clips import FPS, RoomClip, room_clips
from .room_paths import NUM_FRAMES

GENERATOR_VERSION = "1.0.0"  # raise it whenever the same seeds no longer give the same clips
LICENCE = "CC0-1.0"
MP4_QUALITY = "12"  # x264's constant rate factor
SMALLEST_SIZE = 16
CLIPS_IN_RANGE = 16  # about; the unit of work that num_proc and the workers of a stream share out

FEATURES = datasets.Features(
    {
        "video": datasets.Video(decode=False),
        "camera_to_world": datasets.Array3D((NUM_FRAMES, 4, 4), "float32"),
        "intrinsics": datasets.Array2D((NUM_FRAMES, 4), "float32"),
        "depth_scale": datasets.Value("float32"),
        "move": datasets.Value("string"),
        "fps": datasets.Value("float32"),
        "scene_id": datasets.Value("string"),
        "scene_seed": datasets.Value("int64"),
        "clip_seed": datasets.Value("int64"),
        "generator_version": datasets.Value("string"),
        "licence": datasets.Value("string"),
    }
)

DESCRIPTION = """\
Clips of procedural rooms: {num_frames} frames of {size}x{size} pixels at {fps:g} fps, each with its exact camera path.
Splits share neither scenes nor textures; scene seeds start at {first_scene}, with {clips_per_scene} clip(s) a scene.
video: mp4 (H.264, yuv444p, crf {quality}). camera_to_world: (T, 4, 4), OpenCV axes (x right, y down, z forward),
relative to the first pose, translations in scene depths (1.0 = the median z-depth of the first frame). intrinsics:
(T, 4), fx, fy, cx, cy normalised by the picture's width and height; the pictures are squashed to a square, fy / fx is
their true aspect. depth_scale: metres in one scene depth. scene_id: "<split>-<scene_seed>". (split, scene_seed) is the
seed of the room and (split, scene_seed, clip_seed) of the path; generator version {version}."""


@dataclass(eq=False)  # BuilderConfig compares all attributes by itself
class ProceduralRoomsConfig(datasets.BuilderConfig):
    """How much to render. A split of 0 clips is left out."""

    train_clips: int = 2048
    validation_clips: int = 128
    test_clips: int = 128
    size: int = 64  # pixels a side
    clips_per_scene: int = 2
    first_scene: int = 0  # scene seed of the first clip of every split: another start gives other scenes

    def __post_init__(self):
        super().__post_init__()
        limits = {name: 0 for name in ("train_clips", "validation_clips", "test_clips", "first_scene")}
        for name, smallest in (limits | {"clips_per_scene": 1, "size": SMALLEST_SIZE}).items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < smallest:
                raise ValueError(f"expected {name} to be a whole number of at least {smallest}, got {value!r}")
        if not any(self.clips_of_split.values()):
            raise ValueError("expected at least 1 clip in some split, got 0 in all")

    @property
    def clips_of_split(self) -> dict[str, int]:
        return {"train": self.train_clips, "validation": self.validation_clips, "test": self.test_clips}


class ProceduralRooms(datasets.GeneratorBasedBuilder):
    """Rooms as a dataset; keyword arguments are the fields of `ProceduralRoomsConfig`.

    `download_and_prepare(num_proc=n)` renders in n processes, one core each; `as_streaming_dataset` renders rows when
    they are asked for and keeps nothing. Both give equal rows in equal order.
    """

    VERSION = datasets.Version(GENERATOR_VERSION)
    BUILDER_CONFIG_CLASS = ProceduralRoomsConfig
    config: ProceduralRoomsConfig

    def _info(self) -> datasets.DatasetInfo:
        config = self.config
        description = DESCRIPTION.format(
            num_frames=NUM_FRAMES,
            size=config.size,
            fps=FPS,
            first_scene=config.first_scene,
            clips_per_scene=config.clips_per_scene,
            quality=MP4_QUALITY,
            version=GENERATOR_VERSION,
        )
        return datasets.DatasetInfo(description=description, features=FEATURES, license=LICENCE)

    def _split_generators(self, dl_manager) -> list[datasets.SplitGenerator]:
        start = self.config.first_scene * self.config.clips_per_scene
        return [
            datasets.SplitGenerator(
                name=split,
                gen_kwargs={
                    "split": split,
                    "clip_ranges": clip_ranges(start, start + count, self.config.clips_per_scene),
                },
            )
            for split, count in self.config.clips_of_split.items()
            if count
        ]

    def _generate_examples(
        self, split: str, clip_ranges: list[tuple[int, int]]
    ) -> Iterator[tuple[str, dict[str, object]]]:
        for start, stop in clip_ranges:
            clips = room_clips(split, stop - start, start, self.config.size, self.config.clips_per_scene, threads=1)
            for clip in clips:
                row = clip_row(clip)
                yield f"{row['scene_id']}-{clip.clip_seed}", row


def clip_ranges(start: int, stop: int, clips_per_scene: int) -> list[tuple[int, int]]:
    """Cuts the clips start..stop - 1 between scenes into ranges (first, last + 1) of about `CLIPS_IN_RANGE` clips.

    Few clips give at least 2 ranges where there are 2 scenes, so that two processes both have work.
    """
    scenes = -(-(stop - start) // clips_per_scene)
    per_range = max(1, min(CLIPS_IN_RANGE // clips_per_scene, -(-scenes // 2))) * clips_per_scene
    return [(first, min(first + per_range, stop)) for first in range(start, stop, per_range)]


def clip_row(clip: RoomClip) -> dict[str, object]:
    """A rendered clip -> a row of `FEATURES`."""
    path = clip.path
    return {
        "video": {"bytes": encode_video(clip.frames, path.fps), "path": None},
        "camera_to_world": path.camera_to_world.astype(np.float32),
        "intrinsics": path.intrinsics.astype(np.float32),
        "depth_scale": clip.median_depth,
        "move": clip.move,
        "fps": path.fps,
        "scene_id": f"{clip.split}-{clip.scene_seed:06d}",
        "scene_seed": clip.scene_seed,
        "clip_seed": clip.clip_seed,
        "generator_version": GENERATOR_VERSION,
        "licence": LICENCE,
    }


def camera_path_of(row: dict) -> CameraPath:
    """The camera path of a row, relative to its first pose, in scene_depth."""
    return CameraPath(row["camera_to_world"], row["intrinsics"], fps=row["fps"], unit="scene_depth")


def encode_video(frames: np.ndarray, fps: float) -> bytes:
    """Frames [T, H, W, 3] uint8 -> an mp4 in memory; the same frames give the same bytes.

    yuv444p, because at 64 pixels a side halved colour planes (yuv420p) cost 6 dB: 37 dB against 43, at equal size.
    Without x264's macroblock tree, which costs bytes but gives other bits in each run. Read it with FFmpeg (PyAV,
    OpenCV, mpv, Chrome); some hardware players know only yuv420p.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or not frames.size:
        raise ValueError(f"expected frames [T, H, W, 3] uint8, got {list(frames.shape)} {frames.dtype}")
    memory = io.BytesIO()
    with av.open(memory, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv444p"
        stream.codec_context.thread_count = 1
        stream.options = {"crf": MP4_QUALITY, "x264-params": "mbtree=0"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return memory.getvalue()


def decode_video(video: bytes) -> np.ndarray:
    """The bytes of an mp4 -> its frames [T, H, W, 3] uint8 RGB."""
    try:
        with av.open(io.BytesIO(video), "r") as container:
            return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    except (av.error.FFmpegError, IndexError, ValueError) as error:
        raise ValueError(f"expected the bytes of a video, got {len(video)} bytes: {error}") from None
