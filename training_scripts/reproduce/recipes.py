"""Stages that experiments share: clips, ids, trainings of the small transformer, and its evaluation.

The transformer is that of `transformer_compare_*.yaml` (4 layers of 192) on camvig-tiny's visual tokenizer; an arm is one
training of it. All arms have the same steps, batches, schedule and seed.
"""

from __future__ import annotations

from collections.abc import Sequence

from .experiments import Scale
from .stages import CHECKPOINTS, CONFIGS, WORK, Stage

ROOMS = "clips/rooms-train-64"
PLAIN = "clips/moving-rooms-plain"
ARMS_OF_MIXTURE = {"uniform": "100/0", "mixed": "70/30", "video": "0/100"}
"""Arm -> clips with paths / plain video, in percent of the samples."""
VISUAL_TOKENIZER = f"{CHECKPOINTS}/camvig-tiny/visual_tokenizer"
SCRIPT = ("python", "-m")
SCRIPTS = "camvig.training_scripts"


def fitted(kind: str) -> str:
    """Where `fit_stage` leaves its tokenizer."""
    return f"{WORK}/camera_tokenizer_{kind}/model"


def rooms_stage(scale: Scale) -> Stage:
    """Clips of rooms at rest with exact paths."""
    words = ("camvig", "data", "render-rooms", f"{WORK}/{ROOMS}", "--clips", str(scale.room_clips), "--num-proc", "2")
    return Stage("rooms", words, ROOMS, 4)


def fit_stage(kind: str, scale: Scale) -> Stage:
    """A camera tokenizer of kind "uniform" or "dct", fitted to sampled paths."""
    folder = f"camera_tokenizer_{kind}"
    words = (*SCRIPT, f"{SCRIPTS}.train_camera_tokenizer", "--config", f"{CONFIGS}/{folder}.yaml")
    words += ("--output_dir", f"{WORK}/{folder}", *_set(scale.fit_changes))
    return Stage(f"fit-{kind}", words, f"{folder}/model", 0.5)


def ids_stage(name: str, clips: str, camera_tokenizer: str, scale: Scale, minutes: float) -> Stage:
    words = ("camvig", "data", "tokenize", f"{WORK}/{clips}", "--checkpoint", "camvig-tiny")
    words += ("--camera-tokenizer", camera_tokenizer, "--out", f"{WORK}/ids_{name}")
    return Stage(f"ids-{name}", (*words, *(["--augment"] if scale.augment else [])), f"ids_{name}", minutes)


def train_stage(
    arm: str, kind: str, camera_tokenizer: str, changes: Sequence[str], scale: Scale, minutes: float = 30
) -> Stage:
    """An arm on the configuration of a kind of camera tokens; its result is a pipeline folder."""
    words = (*SCRIPT, f"{SCRIPTS}.finetune", "--config", f"{CONFIGS}/transformer_compare_{kind}.yaml")
    words += ("--num-threads", "1", "--output_dir", f"{WORK}/transformer_{arm}")
    parts = (f"data.visual_tokenizer={VISUAL_TOKENIZER}", f"data.camera_tokenizer={camera_tokenizer}")
    return Stage(
        f"train-{arm}",
        (*words, *_set((*parts, *changes, *scale.train_changes))),
        f"transformer_{arm}/pipeline",
        minutes,
    )


def uniform_arm(scale: Scale) -> list[Stage]:
    """The arm "uniform": rooms alone, even bins, from clips to a pipeline, with its kept models."""
    kept = ",".join(map(str, scale.kept_steps))
    changes = (f"data.token_cache={WORK}/ids_uniform", f"training.keep_steps=[{kept}]", "training.validate_every=50")
    tokenizer = fitted("uniform")
    return [
        rooms_stage(scale),
        fit_stage("uniform", scale),
        ids_stage("uniform", ROOMS, tokenizer, scale, 8),
        train_stage("uniform", "uniform", tokenizer, changes, scale),
    ]


def mixture_arms(scale: Scale) -> list[Stage]:
    """The arms "uniform" (clips with paths alone), "mixed" (70% of them, 30% plain video) and "video" (plain video alone)."""
    tokenizer = fitted("uniform")
    clips = ("camvig", "data", "render-rooms", f"{WORK}/{PLAIN}", "--clips", str(scale.room_clips), "--start", "8192")
    both = (f"data.token_cache={WORK}/ids_uniform", f"data.video_token_cache={WORK}/ids_plain", "data.path_share=0.7")
    return [
        *uniform_arm(scale),
        Stage("plain", (*clips, "--moving-objects", "2", "--plain", "--num-proc", "2"), PLAIN, 10),
        ids_stage("plain", PLAIN, tokenizer, scale, 8),
        train_stage("mixed", "uniform", tokenizer, both, scale),
        train_stage("video", "uniform", tokenizer, (f"data.token_cache={WORK}/ids_plain",), scale),
    ]


def assemble_stage(arm: str, step: int, camera_tokenizer: str) -> Stage:
    """A kept model of an arm as a pipeline folder."""
    words = (*SCRIPT, f"{SCRIPTS}.assemble_checkpoint", "--visual-tokenizer", VISUAL_TOKENIZER)
    words += ("--camera-tokenizer", camera_tokenizer, "--transformer", f"{WORK}/transformer_{arm}/model-{step}")
    output = f"pipelines/{arm}-{step}"
    return Stage(f"assemble-{arm}-{step}", (*words, "--output-dir", f"{WORK}/{output}"), output, 0.3)


def eval_stage(
    name: str,
    checkpoint: str,
    scale: Scale,
    more: Sequence[str] = (),
    minutes: float = 4,
    split: str | None = "validation",
) -> Stage:
    """Flow MSE with its controls; without poses and bias, which are slow.

    On the validation split, because such results are what choices are made by; None: as `camvig eval` has it.
    """
    result = f"eval/{name}.json"
    words = ("camvig", "eval", checkpoint, *(("--split", split) if split else ()), "--clips", str(scale.eval_clips))
    words += ("--pose-clips", "0", "--no-bias", *more, "--json", f"{WORK}/{result}")
    return Stage(f"eval-{name}", words, result, minutes)


def arm_pipeline(arm: str) -> str:
    """Where `train_stage` leaves its pipeline."""
    return f"{WORK}/transformer_{arm}/pipeline"


def eval_of_arm(arm: str, scale: Scale) -> Stage:
    """The end of an arm on rooms at rest."""
    return eval_stage(f"{arm}-rooms", arm_pipeline(arm), scale)


def moving_eval(name: str, checkpoint: str, scale: Scale, guidance: str | None = None) -> Stage:
    """A checkpoint on rooms with moving objects; `guidance` None is the default of sampling."""
    more = ("--data", "moving-rooms", *(("--guidance-scale", guidance) if guidance else ()))
    return eval_stage(f"{name}-moving" + (f"-guidance-{guidance}" if guidance else ""), checkpoint, scale, more, 5)


def _set(changes: Sequence[str]) -> tuple[str, ...]:
    return ("--set", *changes) if changes else ()
