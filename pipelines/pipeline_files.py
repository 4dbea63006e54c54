"""A pipeline from files and to files: checkpoint folders and repositories of the Hub.

What always holds: weights are read strictly, code that comes with a checkpoint runs only where it is asked for, and what
cannot be loaded is one line of ValueError.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from huggingface_hub import CommitInfo, snapshot_download
from transformers import PreTrainedModel

from ..modeling_camvig.camera_tokenizer import CamViGCameraTokenizer
from ..modeling_camvig.modeling_camvig import CamViGForConditionalGeneration
from ..modeling_camvig.visual_tokenizer import CamViGVisualTokenizer
from .checkpoint_folder import find_checkpoint_folder, load_component, one_line, read_model_index, without_code

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


class PipelineFiles(DiffusionPipeline):
    """Loading, saving and pushing of `CamViGPipeline`."""

    transformer: Any

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike, **kwargs) -> Self:
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

    def save_pretrained(self, save_directory: str | os.PathLike, **kwargs) -> None:  # type: ignore[override]
        """See `DiffusionPipeline`. With an adapter that is not yet a part of the weights: ValueError."""
        if not isinstance(self.transformer, PreTrainedModel):
            raise ValueError(
                "expected a transformer without LoRA adapter, got one with: call unload_lora_weights() first, "
                "after fuse_lora() if the adapter is to be saved as a part of the weights"
            )
        super().save_pretrained(save_directory, **kwargs)

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


def _component_dtype(dtype: torch.dtype | dict[str, torch.dtype], name: str) -> torch.dtype:
    """One dtype for all, or diffusers' dictionary by component."""
    return dtype.get(name, dtype.get("default", torch.float32)) if isinstance(dtype, dict) else dtype
