"""The model behind other benchmarks' hooks.

`WBenchModel` has the one method that WBench asks of a world model: `generate_with_poses(image, poses, n)`. What is known of it is
its name and its arguments; what they hold is our choice and said below, so check it against the version of WBench that you run.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from ...camera_paths.camera_path import CameraPath
from ...camera_paths.rigid_motion import relative_to_first
from ..picture_files import PictureLike
from ..pipeline_camvig import CamViGPipeline


class WBenchModel:
    """A `CamViGPipeline` that makes n frames along poses.

    Args:
        pipeline: as loaded.
        scene_median_depth: of the first frame, in the unit of the poses; the model hears translations in it.
        intrinsics: [4] or [T, 4], normalised fx, fy, cx, cy; None is the lens of 65 degrees.
        seed: of the first call; each call takes the next.
        settings: of `CamViGPipeline.__call__`: guidance_scale, temperature, output_size, ...
    """

    def __init__(
        self,
        pipeline: CamViGPipeline,
        scene_median_depth: float = 1.0,
        intrinsics: ArrayLike | None = None,
        seed: int = 0,
        **settings: Any,
    ):
        self.pipeline, self.scene_median_depth, self.intrinsics = pipeline, scene_median_depth, intrinsics
        self.seed, self.settings = seed, settings

    def generate_with_poses(self, image: PictureLike, poses: ArrayLike, n: int) -> np.ndarray:
        """A picture and camera-to-world poses [m, 4, 4] (OpenCV axes) -> n frames `[n, H, W, 3]` uint8, the picture first.

        The path is resampled to n poses by time. Longer videos than the model's are made in stretches of its own length, each
        starting at the last frame of the one before, which is not repeated: quality falls with every stretch, and the scale stays
        that of the first frame. A shorter video is the start of one in which the camera waits at the end. Raises ValueError for
        fewer than 2 frames or poses.
        """
        given = np.asarray(poses, np.float64)
        if n < 2 or len(given) < 2:
            raise ValueError(f"expected at least 2 frames and 2 poses, got {n} and {len(given)}")
        path = CameraPath.from_matrices(
            given, self.intrinsics, unit="scene", scene_median_depth=self.scene_median_depth
        ).resample(n, fps=8.0)
        length, frames = self.pipeline.num_frames, []
        for start in range(0, n - 1, length - 1):
            stretch = self._stretch(path, np.arange(start, start + length).clip(max=n - 1))
            generator = torch.Generator().manual_seed(self.seed)
            made = self.pipeline(image, stretch, generator=generator, **self.settings).frames[0]
            frames += [np.asarray(frame) for frame in made[min(start, 1) :]]
            image, self.seed = made[-1], self.seed + 1
        return np.stack(frames[:n])

    def _stretch(self, path: CameraPath, chosen: np.ndarray) -> CameraPath:
        return CameraPath(
            relative_to_first(path.camera_to_world[chosen]),
            path.intrinsics[chosen],
            path.fps,
            path.unit,
            path.scene_median_depth,
        )
