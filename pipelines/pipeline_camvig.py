"""`CamViGPipeline`: a picture and a camera path become a video that follows the path (CamViG, arXiv 2405.13195).

    picture -> visual ids --+
                            +-> transformer -> video ids -> visual tokenizer -> frames
    path -----> camera ids -+

What always holds: frame 0 of a video is the picture itself (motion tokenizer), a batch gives what single calls with the
same generators give, and nothing is random but what the generators draw. A picture is squashed to the model's square
for its ids, so the lens that the path carries has the picture's own aspect; the video has the picture's resolution.

Annotations are not postponed here: diffusers reads the components' types from `__init__`.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedModel

from ..camera_paths.camera_path import CameraPath
from ..modeling_camvig.camera_tokenizer import CamViGCameraTokenizer
from ..modeling_camvig.modeling_camvig import CamViGForConditionalGeneration
from ..modeling_camvig.visual_tokenizer import CamViGVisualTokenizer
from .best_of import LARGEST_BATCH, keep_best, load_score, write_candidates
from .camera_path_input import prepare_camera_path, warn_outside_training
from .camera_round_trip import warn_misheard
from .checkpoint_folder import check_components_fit
from .long_video import LongVideos
from .lora_weights import LoraAdapters
from .picture_files import PictureLike
from .pipeline_files import PipelineFiles
from .pipeline_inputs import check_settings, pair_inputs, to_reference
from .pipeline_output import CamViGPipelineOutput, postprocess_videos
from .sampling_settings import SamplingSettings, first_mirrored, settled_best_of


class Prompts(NamedTuple):
    """What the transformer is given, one row a video; with `mean_of` above 1, after all of them, those of their mirror images."""

    image_ids: Tensor  # [B, h * w], or [2 B, h * w]
    camera_ids: list[Tensor | None]  # [n] each


class CamViGPipeline(LongVideos, LoraAdapters, PipelineFiles):
    """Image + camera path -> video. `CamViGPipeline.from_pretrained(folder)(image, "dolly in 30%").frames[0]`.

    Longer videos than the model writes at once: `generate_long`.
    """

    visual_tokenizer: CamViGVisualTokenizer
    camera_tokenizer: CamViGCameraTokenizer
    transformer: CamViGForConditionalGeneration

    def __init__(
        self,
        visual_tokenizer: CamViGVisualTokenizer,
        camera_tokenizer: CamViGCameraTokenizer,
        transformer: CamViGForConditionalGeneration,
    ):
        super().__init__()
        check_components_fit(visual_tokenizer, camera_tokenizer, transformer)
        self.register_modules(
            visual_tokenizer=visual_tokenizer, camera_tokenizer=camera_tokenizer, transformer=transformer
        )

    @property
    def num_frames(self) -> int:
        """T, frames of a video and poses of a path."""
        return self.visual_tokenizer.config.num_frames

    @torch.no_grad()
    def __call__(
        self,
        image: PictureLike | Sequence[PictureLike],
        camera_path: str | CameraPath | Sequence[str | CameraPath | None] | None,
        *,
        guidance_scale: float | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        mean_of: int | None = None,
        rigid_scene: bool | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: str = "pil",
        output_size: int | None = None,
        return_dict: bool = True,
        callback: Callable[[int, int], None] | None = None,
        return_score: bool = False,
        best_of: int | None = None,
    ) -> CamViGPipelineOutput:
        """Make videos.

        What is None of guidance_scale, temperature, top_k, top_p, mean_of, rigid_scene and best_of is what the checkpoint
        says (`transformer.generation_config`).

        Args:
            image: a picture (PIL image, `[H, W, 3]` uint8 array, or file), or a list of them, of any sizes.
            camera_path: film grammar, a `CameraPath`, or None for a missing camera; or a list of them. One picture goes
                with many paths, and one path with many pictures.
            guidance_scale: classifier-free guidance on the camera; 1 is none, more follows the path more strictly.
            temperature: of sampling; 0 takes the likeliest id every time.
            top_k: sample among the k likeliest choices of each factor of an id; 0 = all.
            top_p: sample among the likeliest choices of each factor that together have this probability.
            mean_of: draw so many videos and decode the mean of their codes: nearer to the path and the truth, less distinct
                where it had to invent. The later half of the draws (rounded down) is of the mirrored picture and path, so that
                no side is preferred. Motion kind only. The first draw is the one that the same generators give alone.
            rigid_scene: decode as a scene at rest seen by the cameras of the path (`rigid_flow`): nearer to the path, and exact
                where the camera only turns or zooms, but nothing moves by itself. Motion kind only, and where there is a path.
            generator: one for the batch, or one a video; without it the global generator of torch draws.
            output_type: "pil", "np" or "pt".
            output_size: shorter side of the video, pixels; by default the picture's own, at most 512. Motion kind only:
                a plain tokenizer writes frames of its own size.
            return_dict: False gives a tuple of the frames alone.
            callback: called with (ids written, ids in all) after each id of a video.
            return_score: also say how well each video follows its path (`clip_score`); needs camvig to be installed.
            best_of: sample each video so many times and keep the one with the best score; all scores are in the output. The
                first of them is the video that the same generators give without `best_of`, the seeds of the others are
                drawn from the generators too.

        Returns:
            `CamViGPipelineOutput`; `frames[0]` is the first video.

        Raises:
            ValueError: says what was expected and what came.
        """
        # 1. Check what can be checked before any work
        images, paths = pair_inputs(image, camera_path)
        sampling = SamplingSettings.of(
            self,
            guidance_scale=guidance_scale,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            mean_of=mean_of,
            rigid_scene=rigid_scene,
        )
        best_of = settled_best_of(self, best_of, sampling, paths)
        config: Any = self.visual_tokenizer.config
        check_settings(config, paths, sampling, generator, output_type, output_size, best_of)
        score = load_score(return_score or best_of > 1)

        # 2. Pictures and paths as the model takes them
        pictures = [self.prepare_picture(picture, output_size) for picture in images]
        pictures = pictures * len(paths) if len(pictures) == 1 else pictures
        prepared = [
            None if path is None else prepare_camera_path(path, self.num_frames, picture.shape[-1], picture.shape[-2])
            for path, picture in zip(paths, pictures, strict=True)
        ]
        warn_outside_training(prepared, self.transformer.config)  # type: ignore[arg-type]

        # 3. Ids of both
        prompts = self.encode_prompts(pictures, prepared, sampling)
        camera_ids = prompts.camera_ids[: len(prepared)]
        warn_misheard(prepared, camera_ids, self.camera_tokenizer)

        # 4. Write the ids of all candidates
        started = time.perf_counter()
        candidates = self.generate_candidates(prompts, best_of, generator, sampling, callback)
        seconds = time.perf_counter() - started

        # 5. Frames, one video at a time: full-resolution frames of a whole batch would not fit in memory
        videos, best_ids, all_scores, chosen = [], [], [], []
        for number, (picture, path) in enumerate(zip(pictures, prepared, strict=True)):
            seen_by = path if sampling.rigid_scene else None
            decoded = (self.decode_video(ids, picture, seen_by) for ids in candidates[:, number])
            video, scores, best = keep_best(decoded, path, score)
            videos.append(video)
            best_ids.append(candidates[best, number])
            all_scores.append(scores)
            chosen.append(best)
        frames, video_ids = postprocess_videos(videos, output_type), torch.stack(best_ids)
        if not return_dict:
            return (frames,)  # type: ignore[return-value]
        if score is None:
            return CamViGPipelineOutput(frames, video_ids, camera_ids, seconds)
        scores = [each[best] if each else None for each, best in zip(all_scores, chosen, strict=True)]
        return CamViGPipelineOutput(frames, video_ids, camera_ids, seconds, scores, all_scores, chosen)

    def prepare_picture(self, picture: PictureLike, output_size: int | None = None) -> Tensor:
        """A picture -> the reference that the video moves, `[1, 3, H, W]` in [-1, 1], H and W even; see `to_reference`."""
        return to_reference(picture, output_size).to(self._execution_device)

    def encode_pictures(self, pictures: list[Tensor]) -> Tensor:
        """Reference pictures `[1, 3, H, W]`, squashed to the model's square -> image ids `[B, h * w]`.

        One at a time, as a video of one frame, so that rounding does not depend on the batch. Where the tokenizer is not
        strictly causal (Open-MAGVIT2's weights), these are not the first ids of a video that starts with the picture;
        cached training ids are made in this way too (`CamViGVisualTokenizer.encode_clip`).
        """
        size = self.visual_tokenizer.config.image_size
        ids: dict[int, Tensor] = {}  # a picture that goes with many paths is encoded once
        for picture in pictures:
            if id(picture) not in ids:
                square = F.interpolate(picture, (size, size), mode="bilinear", antialias=True, align_corners=False)
                with autocast_to(self.visual_tokenizer):
                    ids[id(picture)] = self.visual_tokenizer.encode(square[:, :, None]).flatten(1)
        return torch.cat([ids[id(picture)] for picture in pictures])

    def encode_path(self, path: CameraPath) -> Tensor:
        """A prepared path -> camera ids `[n]`."""
        poses, intrinsics = self._cameras(path)
        with autocast_to(self.camera_tokenizer):
            return self.camera_tokenizer.encode(poses, intrinsics)[0]

    def encode_prompts(
        self, pictures: list[Tensor], paths: Sequence[CameraPath | None], sampling: SamplingSettings
    ) -> Prompts:
        """What the transformer is given for reference pictures `[1, 3, H, W]` and prepared paths, one each."""
        if sampling.mean_of > 1:
            mirrored = {id(picture): picture.flip(-1) for picture in pictures}
            pictures = [*pictures, *(mirrored[id(picture)] for picture in pictures)]
            paths = [*paths, *(path and path.mirrored() for path in paths)]
        camera_ids = [None if path is None else self.encode_path(path) for path in paths]
        return Prompts(self.encode_pictures(pictures), camera_ids)

    def generate_candidates(
        self,
        prompts: Prompts,
        best_of: int,
        generator: torch.Generator | Sequence[torch.Generator] | None,
        sampling: SamplingSettings,
        callback: Callable[[int, int], None] | None = None,
        largest_batch: int = LARGEST_BATCH,
    ) -> Tensor:
        """The ids of `best_of` candidates of each video, `[best_of, B, t, h, w]`, or `[best_of, B, mean_of, t, h, w]`.

        A candidate is one draw, or the mean of `sampling.mean_of` draws, the later ones of the mirrored prompts; see
        `write_candidates`.
        """
        settings, mean_of = sampling.of_a_draw, sampling.mean_of
        videos = len(prompts.camera_ids) if mean_of == 1 else len(prompts.camera_ids) // 2

        def write(rows: Sequence[int], generators: Any, on_id: Callable[[int, int], None] | None) -> Tensor:
            is_mirrored = [row // videos % mean_of >= first_mirrored(mean_of) for row in rows]
            numbers = [row % videos + videos * mirrored for row, mirrored in zip(rows, is_mirrored, strict=True)]
            of_these = [prompts.camera_ids[number] for number in numbers]
            return self.generate_ids(prompts.image_ids[numbers], of_these, generators, settings, on_id)

        draws = write_candidates(write, videos, best_of * mean_of, generator, callback, largest_batch)
        return draws if mean_of == 1 else draws.unflatten(0, (best_of, mean_of)).transpose(1, 2)

    def generate_ids(
        self,
        image_ids: Tensor,
        camera_ids: Sequence[Tensor | None],
        generator: torch.Generator | Sequence[torch.Generator] | None,
        settings: dict[str, Any],
        callback: Callable[[int, int], None] | None = None,
    ) -> Tensor:
        """image ids `[B, h * w]`, camera ids `[n]` or None a video -> video ids `[B, t, h, w]`, with a progress bar.

        One draw each; `settings` are guidance_scale, temperature, top_k and top_p.
        """
        given = [ids for ids in camera_ids if ids is not None]
        is_missing = torch.tensor([ids is None for ids in camera_ids], device=image_ids.device)
        filled = torch.stack([given[0] if ids is None else ids for ids in camera_ids]) if given else None
        with self.progress_bar(total=self.transformer.config.num_video_tokens) as progress:  # type: ignore

            def on_token(done: int, total: int) -> None:
                progress.update(1)
                if callback is not None:
                    callback(done, total)

            return self.transformer.generate_video(
                image_ids,
                filled,
                camera_is_missing=is_missing,
                generator=generator if isinstance(generator, torch.Generator) or generator is None else list(generator),
                callback=on_token,
                **settings,
            )

    def decode_video(self, ids: Tensor, picture: Tensor, path: CameraPath | None = None) -> Tensor:
        """ids `[t, h, w]`, or those of K draws `[K, t, h, w]`, the reference `[1, 3, H, W]` -> frames `[T, 3, H, W]` in [0, 1].

        Of several draws the later half, rounded down, is of the mirrored picture. With a prepared path: as a scene at rest that
        these cameras see.
        """
        mirrored_ids = None
        if ids.ndim == 4 and len(ids) > 1:
            ids, mirrored_ids = ids[: first_mirrored(len(ids))], ids[None, first_mirrored(len(ids)) :]
        reference = None if self.visual_tokenizer.config.kind == "plain" else picture
        cameras = None if path is None else self._cameras(path)
        with autocast_to(self.visual_tokenizer):
            video: Tensor = self.visual_tokenizer.decode(ids[None], reference, cameras, mirrored_ids).video  # type: ignore[assignment]
        return ((video[0].transpose(0, 1).float() + 1) / 2).clamp(0, 1)

    def _cameras(self, path: CameraPath) -> tuple[Tensor, Tensor]:
        """Poses `[1, T, 4, 4]` and intrinsics `[1, T, 4]` as the tokenizers take them."""
        device = self._execution_device
        poses = torch.tensor(path.camera_to_world, dtype=torch.float32, device=device)[None]
        return poses, torch.tensor(path.intrinsics, dtype=torch.float32, device=device)[None]


def autocast_to(model: PreTrainedModel) -> torch.autocast:
    """The dtype of a model's weights for what it computes; in float32 nothing changes.

    The tokenizers mix their weights with pictures, codes and flow in float32.
    """
    return torch.autocast(model.device.type, dtype=model.dtype, enabled=model.dtype != torch.float32)
