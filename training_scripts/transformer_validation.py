"""Validation of the transformer on clips that training never sees: does it use the path, and does the video follow it?

Losses are nats a token with the right path, with another clip's and with none, and their parts (`transformer_losses`); the
gaps tell how much the path is used. Some clips are also generated, as `camvig eval` does it (its code, its settings), and
scored by flow MSE beside the same controls. Everything is drawn from fixed seeds, so two validations of one model agree.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..metrics.flow_mse import dis_flow
from ..modeling_camvig.modeling_camvig import CamViGForConditionalGeneration
from ..pipelines.evaluation.controls import static_video
from ..pipelines.evaluation.flow_scores import flow_errors, mean
from ..pipelines.evaluation.generation import generate_with_controls, to_frames, to_picture
from ..pipelines.pipeline_camvig import CamViGPipeline
from .held_out_clips import HeldOutClips
from .sample_sheet import sample_sheet
from .tokenize_clips import Tokenizers
from .transformer_losses import loss_parts

_CHUNK = 16
SHEET_CLIPS = 6


class TransformerValidation:
    """`validation(model)` -> named numbers, and the sample sheet as a picture called `sheet`.

    Args:
        clips: all of them count for the losses.
        tokenizers: those that made the clips' ids.
        generated: how many clips are generated and scored, at least 2; 0 = none, and no sheet.
    """

    def __init__(self, clips: HeldOutClips, tokenizers: Tokenizers, generated: int):
        if generated == 1 or generated > len(clips):
            raise ValueError(f"expected 0 or 2 to {len(clips)} held-out clips to generate, got {generated}")
        self.clips, self.tokenizers, self.generated = clips, tokenizers, generated
        self.true_flows = [dis_flow(frames) for frames in clips.frames[:generated]]
        still = [static_video(frames) for frames in clips.frames[:generated]]
        self.errors = {"static": flow_errors(still, self.true_flows)}  # of what does not depend on the model
        self.reconstructed: list[np.ndarray] = []

    @torch.no_grad()
    def __call__(self, model: Any) -> dict[str, Any]:
        model = without_wrapper(model)
        results: dict[str, Any] = self.losses(model)
        if not self.generated:
            return results
        pipeline = self._pipeline(model)
        pictures = [to_picture(frames[0]) for frames in self.clips.frames[: self.generated]]
        paths, seeds = self.clips.paths[: self.generated], list(range(self.generated))
        videos = generate_with_controls(pipeline, pictures, paths, seeds)
        if not self.reconstructed:
            self.reconstructed = self._reconstruct(pipeline, pictures)
            self.errors["reconstruction"] = flow_errors(self.reconstructed, self.true_flows)
        errors = {**self.errors, **{name: flow_errors(made, self.true_flows) for name, made in videos.items()}}
        results |= flow_numbers(errors)
        results["sheet"] = self._sheet(videos, errors)
        return results

    @torch.no_grad()
    def losses(self, model: CamViGForConditionalGeneration) -> dict[str, float]:
        """Nats a token, teacher-forced, with the right path (and its parts), a wrong one, and none."""
        camera_ids = self.clips.ids["camera_ids"]
        nats = self._nats(model, camera_ids, missing=False)
        parts = loss_parts(nats, model.config.latent_frames)
        wrong = self._nats(model, camera_ids.roll(-1, 0), missing=False)
        without = self._nats(model, camera_ids, missing=True)
        return {
            "loss": float(nats.sum(-1).mean()),
            "loss_wrong_path": float(wrong.sum(-1).mean()),
            "loss_no_camera": float(without.sum(-1).mean()),
            **{name: float(value) for name, value in parts.items()},
        }

    def _nats(self, model: CamViGForConditionalGeneration, camera_ids: Tensor, missing: bool) -> Tensor:
        """`[B, (t-1)*h*w, F]` on the CPU."""
        ids, losses = {**self.clips.ids, "camera_ids": camera_ids}, []
        for start in range(0, len(camera_ids), _CHUNK):
            part = {name: values[start : start + _CHUNK].to(model.device) for name, values in ids.items()}
            is_missing = torch.full([len(part["image_ids"])], missing, device=model.device)
            output = model(**part, camera_is_missing=is_missing, return_logits=False)
            losses.append(output.per_factor_loss.float().cpu())
        return torch.cat(losses)

    def _pipeline(self, model: CamViGForConditionalGeneration) -> CamViGPipeline:
        pipeline = CamViGPipeline(self.tokenizers.visual, self.tokenizers.camera, model)
        pipeline.to(model.device)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def _reconstruct(self, pipeline: CamViGPipeline, pictures: list[Tensor]) -> list[np.ndarray]:
        """The true ids, decoded: what a transformer that is always right would show."""
        config = self.tokenizers.visual.config
        ids = torch.cat([self.clips.ids["image_ids"], self.clips.ids["video_ids"]], dim=1)[: self.generated]
        ids = ids.view(self.generated, config.latent_frames, config.latent_size, config.latent_size)
        device = pipeline.transformer.device
        return [
            to_frames(pipeline.decode_video(one.to(device), picture.to(device)))
            for one, picture in zip(ids, pictures, strict=True)
        ]

    def _sheet(self, videos: dict[str, list[np.ndarray]], errors: dict[str, np.ndarray]) -> Image.Image:
        rows = {
            "true": (self.clips.frames, None),
            "tokenizer alone": (self.reconstructed, errors["reconstruction"]),
            "generated": (videos["model"], errors["model"]),
            "wrong path": (videos["wrong_path"], errors["wrong_path"]),
            "no camera": (videos["no_camera"], errors["no_camera"]),
        }
        return sample_sheet(self.clips.moves[: min(SHEET_CLIPS, self.generated)], rows, errors["static"])


def without_wrapper(model: Any) -> CamViGForConditionalGeneration:
    """The transformer, with its adapters if it has any: peft's wrapper around it is no component of a pipeline."""
    return model if isinstance(model, CamViGForConditionalGeneration) else model.get_base_model()


def flow_numbers(errors: dict[str, np.ndarray]) -> dict[str, float]:
    """Flow MSE of each clip, px^2, under `model` and the controls -> means, and the model's over static's."""
    numbers = {"flow_mse" if name == "model" else f"flow_mse_{name}": mean(values) for name, values in errors.items()}
    return {**numbers, "flow_mse_ratio": numbers["flow_mse"] / numbers["flow_mse_static"]}
