"""How ids are drawn and decoded: what the caller says, and for the rest what the checkpoint says. Settled here and nowhere else.

A checkpoint says it in `transformer/generation_config.json` (`transformers.GenerationConfig`); one without that file has the
numbers of `modeling_camvig.generation_defaults`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class SamplingSettings:
    """The names are those of `CamViGPipeline.__call__`.

    Args:
        guidance_scale: classifier-free guidance on the camera; 1 is none.
        temperature: 0 takes the likeliest id every time.
        top_k: sample among the k likeliest choices; 0 = all.
        top_p: sample among the likeliest choices that together have this probability.
        mean_of: draw so many videos and decode the mean of their codes; the later half of them are drawn mirrored left to right.
        rigid_scene: decode them as pictures of a scene at rest, seen by the cameras of the path.
    """

    guidance_scale: float
    temperature: float
    top_k: int
    top_p: float
    mean_of: int
    rigid_scene: bool

    @classmethod
    def of(cls, pipeline: Any, **given: Any) -> SamplingSettings:
        """What is given; for what is left out or None, what the checkpoint of a `CamViGPipeline` says.

        Its `mean_of` counts only at a temperature above 0: else all draws are the same.
        """
        stored = pipeline.transformer.generation_config
        chosen = {field.name: given.pop(field.name, None) for field in fields(cls)}
        if given:
            raise TypeError(f"expected settings of sampling, got {', '.join(given)}")
        settled = {name: getattr(stored, name) if value is None else value for name, value in chosen.items()}
        if chosen["mean_of"] is None and settled["temperature"] == 0:
            settled["mean_of"] = 1
        return cls(**settled)

    @property
    def of_a_draw(self) -> dict[str, Any]:
        """What `generate_video` takes; the others are of decoding."""
        return {name: getattr(self, name) for name in ("guidance_scale", "temperature", "top_k", "top_p")}


def first_mirrored(draws: int) -> int:
    """The number of the first of so many draws that is of the mirrored picture and path; half of them are, rounded down."""
    return draws - draws // 2


def settled_best_of(pipeline: Any, given: int | None, sampling: SamplingSettings, camera_paths: Sequence[Any]) -> int:
    """How many candidates a video has: what is given, else what the checkpoint says.

    The checkpoint's number counts only where there is something to choose among (a temperature above 0) and to choose by (a
    path for every video); else it is 1.
    """
    if given is not None:
        return given
    can_choose = sampling.temperature > 0 and all(path is not None for path in camera_paths)
    return pipeline.transformer.generation_config.best_of if can_choose else 1
