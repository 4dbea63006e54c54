"""`CamViGPipeline`: a picture and a camera path become a video that follows the path (CamViG, arXiv 2405.13195).

    picture -> visual ids --+
                            +-> transformer -> video ids -> visual tokenizer -> frames
    path -----> camera ids -+

What always holds: frame 0 of a video is the picture itself (motion tokenizer), a batch gives what single calls with the
same generators give, and nothing is random but what the generators draw. A picture is squashed to the model's square
for its ids, so the lens that the path carries has the picture's own aspect; the video has the picture's resolution.

Annotations are not postponed here: diffusers reads the components' types from `__init__`.
"""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from huggingface_hub import CommitInfo, snapshot_download
from PIL import Image
from torch import Tensor
from transformers import PreTrainedModel

from ..camera_paths.camera_path import CameraPath
from ..modeling_camvig.camera_tokenizer import CamViGCameraTokenizer
from ..modeling_camvig.modeling_camvig import CamViGForConditionalGeneration
from ..modeling_camvig.visual_tokenizer import CamViGVisualTokenizer
from .camera_path_input import prepare_camera_path, warn_outside_training
from .camera_round_trip import warn_misheard
from .checkpoint_folder import (
    check_components_fit,
    find_checkpoint_folder,
    load_component,
    one_line,
    read_model_index,
    without_code,
)
from .lora_weights import load_lora, without_lora
from .picture_files import PictureLike, load_picture
from .pipeline_output import CamViGPipelineOutput, postprocess_videos
from .sampling_settings import DEFAULT_SAMPLING

LARGEST_SHORTER_SIDE = 512
"""Pictures are scaled down to this shorter side, pixels, unless `output_size` says otherwise."""

COMPONENTS = {
    "visual_tokenizer": CamViGVisualTokenizer,
    "camera_tokenizer": CamViGCameraTokenizer,
    "transformer": CamViGForConditionalGeneration,
}
HUB_FILES = [
    "model_index.json",
    "*/config.json",
    "*/generation_config.json",
    "*/*.safetensors",
    "*/*.index.json",
    "*.md",
]
LOADED_BY_DIFFUSERS = ("device_map", "quantization_config", "variant", "trust_remote_code")


class CamViGPipeline(DiffusionPipeline):
    """Image + camera path -> video. `CamViGPipeline.from_pretrained(folder)(image, "dolly in 30%").frames[0]`."""

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

    # Loading

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike, **kwargs) -> "CamViGPipeline":
        """Load a checkpoint folder, a Hub repository ("user/name") or the embedded checkpoint ("camvig-tiny").

        Weights are read strictly (`checkpoint_folder`) and computed with in float32, whatever they are stored in,
        unless `dtype=` says otherwise. With `device_map`, `quantization_config`, `variant` or `trust_remote_code`,
        diffusers itself loads the components, by its own rules. Code that a checkpoint carries for those who have not
        installed camvig is not fetched and never run, unless `trust_remote_code=True` asks for it.

        Args:
            pretrained_model_name_or_path: see above.
            kwargs: those of `DiffusionPipeline.from_pretrained`.

        Raises:
            ValueError: one line, for a missing folder or file, a damaged file, weights that do not fit their
                configuration, or components that do not fit each other.
        """
        hub_arguments = ("cache_dir", "force_download", "local_files_only", "token", "revision", "trust_remote_code")
        folder = find_checkpoint_folder(pretrained_model_name_or_path)
        if folder is None:
            wanted = {name: kwargs[name] for name in hub_arguments if name in kwargs}
            folder = Path(cls.download(str(pretrained_model_name_or_path), **wanted))
        given = {name: kwargs.pop(name) for name in COMPONENTS if name in kwargs}
        dtype = kwargs.pop("dtype", None) or kwargs.pop("torch_dtype", None) or torch.float32
        if not any(kwargs.get(argument) for argument in LOADED_BY_DIFFUSERS):
            read_model_index(folder, COMPONENTS)
            for name, component_class in COMPONENTS.items():
                if name not in given:
                    given[name] = load_component(component_class, folder / name, _component_dtype(dtype, name))
        if kwargs.get("trust_remote_code"):
            return super().from_pretrained(folder, dtype=dtype, **given, **kwargs)
        with without_code(folder, cls, COMPONENTS) as bare_folder:
            pipeline = super().from_pretrained(bare_folder, dtype=dtype, **given, **kwargs)
        pipeline.register_to_config(_name_or_path=str(folder))
        return pipeline

    @classmethod
    def download(cls, pretrained_model_name: str, **kwargs) -> str:
        """Fetch a Hub repository's checkpoint into the cache: configurations and safetensors, never pickles.

        Code in the repository is fetched only with `trust_remote_code=True`.
        """
        trust_remote_code = kwargs.pop("trust_remote_code", False)
        known = ("cache_dir", "force_download", "local_files_only", "token", "revision")
        arguments = {name: kwargs[name] for name in known if kwargs.get(name) is not None}
        patterns = HUB_FILES + (["*.py"] if trust_remote_code else [])
        try:
            return snapshot_download(pretrained_model_name, allow_patterns=patterns, **arguments)
        except (OSError, ValueError) as error:
            raise ValueError(
                f"expected a checkpoint folder or a Hub repository, got {pretrained_model_name}: no such folder, "
                f"and from the Hub: {one_line(error)}"
            ) from error

    # LoRA

    def load_lora_weights(
        self, pretrained_model_name_or_path: str | os.PathLike, adapter_name: str = "default"
    ) -> None:
        """Put a LoRA adapter on the transformer, from a folder (or Hub repository) that `finetune.py --lora` or peft wrote.

        Raises ValueError where there is none, or it does not fit the transformer.
        """
        self.transformer = load_lora(self.transformer, pretrained_model_name_or_path, adapter_name)

    def fuse_lora(self) -> None:
        """Add the adapter to the transformer's weights: the same videos, without the time that adapters take."""
        self._with_lora().merge_adapter()

    def unfuse_lora(self) -> None:
        """Take it out again, to within rounding."""
        self._with_lora().unmerge_adapter()

    def unload_lora_weights(self) -> None:
        """The transformer without adapters: as it was, or, after `fuse_lora`, with them in its weights for good."""
        self.transformer = without_lora(self._with_lora())  # type: ignore[assignment]

    def save_pretrained(self, save_directory: str | os.PathLike, **kwargs) -> None:  # type: ignore[override]
        """See `DiffusionPipeline`. With an adapter that is not yet a part of the weights: ValueError."""
        if not isinstance(self.transformer, PreTrainedModel):
            raise ValueError(
                "expected a transformer without LoRA adapter, got one with: call unload_lora_weights() first, "
                "after fuse_lora() if the adapter is to be saved as a part of the weights"
            )
        super().save_pretrained(save_directory, **kwargs)

    def _with_lora(self) -> Any:
        if isinstance(self.transformer, PreTrainedModel):
            raise ValueError("expected a transformer with a LoRA adapter, got none: call load_lora_weights first")
        return self.transformer

    def push_to_hub(  # type: ignore[override]
        self,
        repo_id: str,
        commit_message: str | None = None,
        private: bool | None = None,
        token: str | None = None,
        create_pr: bool = False,
        revision: str | None = None,
        licence: str | None = None,
    ) -> CommitInfo:
        """Save the pipeline and send it to the Hub as `camvig push` does: with a card, an example, and code for others.

        Nothing is known of what was measured and how it was trained; push a folder (`push_checkpoint`) to say it.

        Args:
            repo_id: "user/name", or "name" for one's own; a missing repository is made.
            commit_message: of the one commit.
            private: for a new repository; None is the Hub's default.
            token: None is the one of `hf auth login` or HF_TOKEN.
            create_pr: as a pull request instead.
            revision: a branch, made where it is missing; None is the main one.
            licence: in the Hub's words, such as "apache-2.0".

        Raises:
            ValueError: one line; nothing is pushed then.
        """
        from .push_checkpoint import push_checkpoint

        with TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return push_checkpoint(
                Path(folder),
                repo_id,
                commit_message=commit_message,
                private=private,
                token=token,
                create_pr=create_pr,
                revision=revision,
                licence=licence,
            )

    # Generating

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
        guidance_scale: float = DEFAULT_SAMPLING.guidance_scale,
        temperature: float = DEFAULT_SAMPLING.temperature,
        top_k: int = DEFAULT_SAMPLING.top_k,
        top_p: float = DEFAULT_SAMPLING.top_p,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: str = "pil",
        output_size: int | None = None,
        return_dict: bool = True,
        callback: Callable[[int, int], None] | None = None,
    ) -> CamViGPipelineOutput:
        """Make videos.

        Args:
            image: a picture (PIL image, `[H, W, 3]` uint8 array, or file), or a list of them, of any sizes.
            camera_path: film grammar, a `CameraPath`, or None for a missing camera; or a list of them. One picture goes
                with many paths, and one path with many pictures.
            guidance_scale: classifier-free guidance on the camera; 1 is none, more follows the path more strictly.
            temperature: of sampling; 0 takes the likeliest id every time.
            top_k: sample among the k likeliest choices of each factor of an id; 0 = all.
            top_p: sample among the likeliest choices of each factor that together have this probability.
            generator: one for the batch, or one a video; without it the global generator of torch draws.
            output_type: "pil", "np" or "pt".
            output_size: shorter side of the video, pixels; by default the picture's own, at most 512. Motion kind only:
                a plain tokenizer writes frames of its own size.
            return_dict: False gives a tuple of the frames alone.
            callback: called with (ids written, ids in all) after each id of a video.

        Returns:
            `CamViGPipelineOutput`; `frames[0]` is the first video.

        Raises:
            ValueError: says what was expected and what came.
        """
        # 1. Check what can be checked before any work
        images, paths = self.pair_inputs(image, camera_path)
        self.check_inputs(len(paths), temperature, top_k, top_p, guidance_scale, generator, output_type, output_size)

        # 2. Pictures and paths as the model takes them
        pictures = [self.prepare_picture(picture, output_size) for picture in images]
        pictures = pictures * len(paths) if len(pictures) == 1 else pictures
        prepared = [
            None if path is None else prepare_camera_path(path, self.num_frames, picture.shape[-1], picture.shape[-2])
            for path, picture in zip(paths, pictures, strict=True)
        ]
        warn_outside_training(prepared, self.transformer.config)  # type: ignore[arg-type]

        # 3. Ids of both
        image_ids = self.encode_pictures(pictures)
        camera_ids = [None if path is None else self.encode_path(path) for path in prepared]
        warn_misheard(prepared, camera_ids, self.camera_tokenizer)

        # 4. Write the video's ids
        started = time.perf_counter()
        settings = {"guidance_scale": guidance_scale, "temperature": temperature, "top_k": top_k, "top_p": top_p}
        video_ids = self.generate_ids(image_ids, camera_ids, generator, settings, callback)
        seconds = time.perf_counter() - started

        # 5. Frames, one video at a time: full-resolution frames of a whole batch would not fit in memory
        videos = [self.decode_video(ids, picture) for ids, picture in zip(video_ids, pictures, strict=True)]
        frames = postprocess_videos(videos, output_type)
        if not return_dict:
            return (frames,)  # type: ignore[return-value]
        return CamViGPipelineOutput(frames, video_ids, camera_ids, seconds)

    def pair_inputs(self, image: Any, camera_path: Any) -> tuple[list, list]:
        """Inputs as lists: as many paths as videos, and as many pictures, or one for all."""
        images = list(image) if isinstance(image, (list, tuple)) else [image]
        paths = list(camera_path) if isinstance(camera_path, (list, tuple)) else [camera_path]
        if not images or not paths:
            raise ValueError(f"expected at least one picture and one path, got {len(images)} and {len(paths)}")
        if len(paths) == 1:
            paths = paths * len(images)
        if len(images) not in (1, len(paths)):
            raise ValueError(
                f"expected as many pictures as paths, or one of either, "
                f"got {len(images)} pictures and {len(paths)} paths"
            )
        return images, paths

    def check_inputs(
        self,
        batch_size: int,
        temperature: float,
        top_k: int,
        top_p: float,
        guidance_scale: float,
        generator: Any,
        output_type: str,
        output_size: int | None,
    ) -> None:
        """Raise `ValueError` for settings that are out of range or do not fit the batch or the tokenizer."""
        for name, value, fits, expected in (
            ("temperature", temperature, 0 <= temperature < float("inf"), "a finite number >= 0"),
            ("top_k", top_k, top_k >= 0 and top_k == int(top_k), "a whole number >= 0 (0 = all)"),
            ("top_p", top_p, 0 < top_p <= 1, "a number above 0, at most 1"),
            ("guidance_scale", guidance_scale, 0 <= guidance_scale < float("inf"), "a finite number >= 0"),
        ):
            if not fits:
                raise ValueError(f"expected {name} to be {expected}, got {value}")
        if isinstance(generator, (list, tuple)) and len(generator) != batch_size:
            raise ValueError(f"expected one generator, or one a video ({batch_size}), got {len(generator)}")
        if output_type not in ("pil", "np", "pt"):
            raise ValueError(f"expected output_type 'pil', 'np' or 'pt', got {output_type!r}")
        if output_size is None:
            return
        if self.visual_tokenizer.config.kind == "plain":
            raise ValueError(
                f"expected no output_size with a plain visual tokenizer, whose frames are "
                f"{self.visual_tokenizer.config.image_size} pixels, got {output_size}"
            )
        if not 16 <= output_size <= 4096:
            raise ValueError(f"expected output_size from 16 to 4096 pixels, got {output_size}")

    def prepare_picture(self, picture: PictureLike, output_size: int | None = None) -> Tensor:
        """A picture -> the reference that the video moves, `[1, 3, H, W]` in [-1, 1], H and W even.

        It is scaled only where its shorter side is over 512 pixels, or not `output_size` if that is given; otherwise an
        odd side loses its last row or column, so that no pixel is interpolated.
        """
        image = load_picture(picture)
        width, height = image.size
        shorter = output_size or min(width, height, LARGEST_SHORTER_SIDE)
        if shorter != min(width, height):
            scale = shorter / min(width, height)
            size = (2 * round(width * scale / 2), 2 * round(height * scale / 2))
            image = image.resize(size, Image.Resampling.LANCZOS)
        array = np.asarray(image)[: image.height // 2 * 2, : image.width // 2 * 2]
        pixels = torch.from_numpy(array.copy()).permute(2, 0, 1)[None]
        return pixels.to(self._execution_device, torch.float32) / 127.5 - 1

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
        device = self._execution_device
        poses = torch.tensor(path.camera_to_world, dtype=torch.float32, device=device)[None]
        intrinsics = torch.tensor(path.intrinsics, dtype=torch.float32, device=device)[None]
        with autocast_to(self.camera_tokenizer):
            return self.camera_tokenizer.encode(poses, intrinsics)[0]

    def generate_ids(
        self,
        image_ids: Tensor,
        camera_ids: Sequence[Tensor | None],
        generator: torch.Generator | Sequence[torch.Generator] | None,
        settings: dict[str, Any],
        callback: Callable[[int, int], None] | None = None,
    ) -> Tensor:
        """image ids `[B, h * w]`, camera ids `[n]` or None a video -> video ids `[B, t, h, w]`, with a progress bar.

        `settings` are guidance_scale, temperature, top_k and top_p.
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

    def decode_video(self, ids: Tensor, picture: Tensor) -> Tensor:
        """ids `[t, h, w]`, the reference `[1, 3, H, W]` -> frames `[T, 3, H, W]` float32 in [0, 1]."""
        reference = None if self.visual_tokenizer.config.kind == "plain" else picture
        with autocast_to(self.visual_tokenizer):
            video: Tensor = self.visual_tokenizer.decode(ids[None], reference).video  # type: ignore[assignment]
        return ((video[0].transpose(0, 1).float() + 1) / 2).clamp(0, 1)


def _component_dtype(dtype: torch.dtype | dict[str, torch.dtype], name: str) -> torch.dtype:
    """One dtype for all, or diffusers' dictionary by component."""
    return dtype.get(name, dtype.get("default", torch.float32)) if isinstance(dtype, dict) else dtype


def autocast_to(model: PreTrainedModel) -> torch.autocast:
    """The dtype of a model's weights for what it computes; in float32 nothing changes.

    The tokenizers mix their weights with pictures, codes and flow in float32.
    """
    return torch.autocast(model.device.type, dtype=model.dtype, enabled=model.dtype != torch.float32)
