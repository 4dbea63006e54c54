"""Stages that experiments share: clips, ids, trainings of the small transformer, and its evaluation.

The transformer is that of `transformer_compare_*.yaml` (4 layers of 192); an arm is one training of it. All arms of an
experiment have the same visual tokenizer, steps, batches, schedule and seed. The tokenizer is camvig-tiny's, but for the
arms of the mixture, where things move by themselves: theirs was trained further on such rooms.
"""

from __future__ import annotations

from collections.abc import Sequence

from .experiments import Scale
from .stages import CHECKPOINTS, CONFIGS, WORK, Stage

ROOMS = "clips/rooms-train-64"
PLAIN = "clips/moving-rooms-plain"
ARMS_OF_MIXTURE = {"paths": "100/0", "mixed": "70/30", "video": "0/100"}
"""Arm -> clips with paths / plain video, in percent of the samples."""
VISUAL_TOKENIZER = f"{CHECKPOINTS}/camvig-tiny/visual_tokenizer"
MOVING_TOKENIZER = f"{WORK}/visual_tokenizer_moving/model"
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


def moving_tokenizer_stage(scale: Scale) -> Stage:
    """camvig-tiny's visual tokenizer, trained further on rooms with moving objects; the same at scales "full" and "third"."""
    words = (*SCRIPT, f"{SCRIPTS}.train_visual_tokenizer", "--config", f"{CONFIGS}/visual_tokenizer_moving.yaml")
    words += ("--num-threads", "1", "--output_dir", f"{WORK}/visual_tokenizer_moving")
    changes = (f"data.cache_dir={WORK}/clips", f"training.init_from={VISUAL_TOKENIZER}", *scale.tokenizer_changes)
    return Stage("visual-tokenizer-moving", (*words, *_set(changes)), "visual_tokenizer_moving/model", 90)


def ids_stage(
    name: str, clips: str, scale: Scale, minutes: float, tokenizer: tuple[str, ...] = ("--checkpoint", "camvig-tiny")
) -> Stage:
    """Ids of clips with even bins as camera tokens; `tokenizer`: the options that say which visual tokenizer."""
    words = ("camvig", "data", "tokenize", f"{WORK}/{clips}", *tokenizer)
    words += ("--camera-tokenizer", fitted("uniform"), "--out", f"{WORK}/ids_{name}")
    return Stage(f"ids-{name}", (*words, *(["--augment"] if scale.augment else [])), f"ids_{name}", minutes)


def train_stage(
    arm: str,
    kind: str,
    camera_tokenizer: str,
    changes: Sequence[str],
    scale: Scale,
    visual_tokenizer: str = VISUAL_TOKENIZER,
) -> Stage:
    """An arm on the configuration of a kind of camera tokens; its result is a pipeline folder."""
    words = (*SCRIPT, f"{SCRIPTS}.finetune", "--config", f"{CONFIGS}/transformer_compare_{kind}.yaml")
    words += ("--num-threads", "1", "--output_dir", f"{WORK}/transformer_{arm}")
    parts = (f"data.visual_tokenizer={visual_tokenizer}", f"data.camera_tokenizer={camera_tokenizer}")
    words += _set((*parts, *changes, *scale.train_changes))
    return Stage(f"train-{arm}", words, f"transformer_{arm}/pipeline", 30)


def uniform_arm(scale: Scale) -> list[Stage]:
    """The arm "uniform": rooms alone, even bins, from clips to a pipeline, with its kept models."""
    kept = ",".join(map(str, scale.kept_steps))
    changes = (f"data.token_cache={WORK}/ids_uniform", f"training.keep_steps=[{kept}]", "training.validate_every=50")
    tokenizer = fitted("uniform")
    return [
        rooms_stage(scale),
        fit_stage("uniform", scale),
        ids_stage("uniform", ROOMS, scale, 8),
        train_stage("uniform", "uniform", tokenizer, changes, scale),
    ]


def mixture_arms(scale: Scale) -> list[Stage]:
    """The arms "paths" (clips with paths alone), "mixed" (70% of them, 30% plain video) and "video" (plain video alone)."""
    clips = ("camvig", "data", "render-rooms", f"{WORK}/{PLAIN}", "--clips", str(scale.room_clips), "--start", "8192")
    rooms, plain = f"data.token_cache={WORK}/ids_paths", f"{WORK}/ids_plain"
    tokenizer = ("--visual-tokenizer", MOVING_TOKENIZER)
    changes_of = {
        "paths": (rooms,),
        "mixed": (rooms, f"data.video_token_cache={plain}", "data.path_share=0.7"),
        "video": (f"data.token_cache={plain}",),
    }
    return [
        rooms_stage(scale),
        fit_stage("uniform", scale),
        moving_tokenizer_stage(scale),
        ids_stage("paths", ROOMS, scale, 8, tokenizer),
        Stage("plain", (*clips, "--moving-objects", "2", "--plain", "--num-proc", "2"), PLAIN, 10),
        ids_stage("plain", PLAIN, scale, 8, tokenizer),
        *(
            train_stage(arm, "uniform", fitted("uniform"), changes, scale, MOVING_TOKENIZER)
            for arm, changes in changes_of.items()
        ),
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


def moving_eval(
    name: str, checkpoint: str, scale: Scale, guidance: str | None = None, options: tuple[str, ...] = ()
) -> Stage:
    """A checkpoint on rooms with moving objects; `guidance` None is what it says itself."""
    more = ("--data", "moving-rooms", *(("--guidance-scale", guidance) if guidance else ()), *options)
    return eval_stage(f"{name}-moving" + (f"-guidance-{guidance}" if guidance else ""), checkpoint, scale, more, 5)


def _set(changes: Sequence[str]) -> tuple[str, ...]:
    return ("--set", *changes) if changes else ()
