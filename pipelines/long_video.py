"""Videos longer than a model writes at once: stretch after stretch, each begun with the last frame of the one before.

What always holds: the frame where two stretches meet stands once in the video, so that k stretches of 17 frames make 16 k + 1;
each stretch is what the pipeline makes of that frame, as a picture of 8 bits, and of its part of the path. Errors of a stretch
are the next one's picture and stay: `camvig eval-long` measures how fast a video decays. Not in the paper, which makes 17 frames.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..camera_paths.camera_path import CameraPath
from ..camera_paths.path_stretches import cut_into_stretches
from .best_of import keep_best, load_score
from .camera_path_input import warn_outside_training
from .camera_round_trip import warn_misheard
from .picture_files import PictureLike
from .pipeline_inputs import check_settings
from .pipeline_output import CamViGPipelineOutput, postprocess_videos
from .sampling_settings import SamplingSettings, settled_best_of


class LongVideos:
    """`CamViGPipeline.generate_long`."""

    visual_tokenizer: Any
    camera_tokenizer: Any
    transformer: Any
    num_frames: Any
    prepare_picture: Any
    encode_path: Any
    encode_prompts: Any
    generate_candidates: Any
    decode_video: Any

    @torch.no_grad()
    def generate_long(
        self,
        image: PictureLike,
        camera_path: CameraPath,
        *,
        median_depths: Sequence[float] | None = None,
        guidance_scale: float | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        mean_of: int | None = None,
        rigid_scene: bool | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: str = "pil",
        output_size: int | None = None,
        callback: Callable[[int, int], None] | None = None,
        return_score: bool = False,
        best_of: int | None = None,
    ) -> CamViGPipelineOutput:
        """Make one video along a path of any length from 2 poses on.

        Args:
            image: a picture, as for a call of the pipeline.
            camera_path: as many poses as the video is to have frames. What is left over after whole stretches is filled up
                with a camera at rest, and the frames that this adds are cut off.
            median_depths: of the picture at which each stretch begins, in any one unit (`cut_into_stretches`). Without
                them every stretch is taken to begin as deep as the first picture is.
            generator: one for all stretches, which go on drawing from it, or one a stretch.
            callback: called with (ids written, ids in all) over all stretches.
            return_score: also score each stretch, as a video of its own.
            best_of: sample each stretch so many times and go on with the best.
            guidance_scale, temperature, top_k, top_p, mean_of, rigid_scene, output_type, output_size: as for a call of the
                pipeline.

        Returns:
            `CamViGPipelineOutput`: `frames[0]` is the video; all other fields have a row a stretch.

        Raises:
            ValueError: says what was expected and what came.
        """
        # 1. Check what can be checked before any work
        if not isinstance(camera_path, CameraPath):
            raise ValueError(
                f"expected a CameraPath for a long video, got {type(camera_path).__name__}: film grammar says no length, "
                "so use CameraPath.from_text(text, num_frames=65)"
            )
        stretches = cut_into_stretches(camera_path, self.num_frames, median_depths)
        sampling = SamplingSettings.of(
            self,
            guidance_scale=guidance_scale,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            mean_of=mean_of,
            rigid_scene=rigid_scene,
        )
        best_of = settled_best_of(self, best_of, sampling, stretches)
        check_settings(self.visual_tokenizer.config, stretches, sampling, generator, output_type, output_size, best_of)
        score = load_score(return_score or best_of > 1)

        # 2. The picture, and all stretches with its lens
        picture = self.prepare_picture(image, output_size)
        stretches = [stretch.for_picture(picture.shape[-1], picture.shape[-2]) for stretch in stretches]
        warn_outside_training(stretches, self.transformer.config, "stretch")
        camera_ids = [self.encode_path(stretch) for stretch in stretches]
        warn_misheard(stretches, camera_ids, self.camera_tokenizer, "stretch")

        # 3. Stretch after stretch
        generators = list(generator) if isinstance(generator, (list, tuple)) else [generator] * len(stretches)
        frames, seconds, rows = [], 0.0, []
        for number, stretch in enumerate(stretches):
            prompts = self.encode_prompts([picture], [stretch], sampling)
            started = time.perf_counter()
            on_id = callback and _part_of(callback, number, len(stretches))
            candidates = self.generate_candidates(prompts, best_of, generators[number], sampling, on_id)[:, 0]
            seconds += time.perf_counter() - started
            left = camera_path.num_frames - number * (self.num_frames - 1)  # poses of the path from here on
            seen_by = stretch if sampling.rigid_scene else None
            decoded = (self.decode_video(ids, picture, seen_by)[:left] for ids in candidates)
            video, scores, best = keep_best(decoded, _first(stretch, left), score)
            frames.append(video[1:] if frames else video)
            rows.append((candidates[best], scores, best))
            picture = as_picture(video[-1])
        video_ids, all_scores, chosen = zip(*rows, strict=True)
        output = CamViGPipelineOutput(
            postprocess_videos([torch.cat(frames)], output_type), torch.stack(video_ids), camera_ids, seconds
        )
        if score is not None:
            output.scores = [each[best] for each, best in zip(all_scores, chosen, strict=True)]
            output.candidate_scores, output.chosen = list(all_scores), list(chosen)
        return output


def as_picture(frame: Tensor) -> Tensor:
    """A frame `[3, H, W]` in [0, 1] of a video -> the picture of the next stretch, `[1, 3, H, W]` in [-1, 1], rounded to 8 bits."""
    return (frame * 255).round()[None] / 127.5 - 1


def _first(path: CameraPath, num_frames: int) -> CameraPath:
    kept = slice(min(num_frames, path.num_frames))
    return CameraPath(path.camera_to_world[kept], path.intrinsics[kept], path.fps, path.unit, path.scene_median_depth)


def _part_of(callback: Callable[[int, int], None], part: int, parts: int) -> Callable[[int, int], None]:
    return lambda done, total: callback(part * total + done, parts * total)
