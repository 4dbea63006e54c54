"""The card of a checkpoint on the Hub: `model_card.md`, filled from the checkpoint and from what came with it.

What always holds: every number was read from the checkpoint or from a record in its folder; what was not measured, recorded
or stated is said to be so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from string import Template

from huggingface_hub import ModelCard, ModelCardData

from .measured_results import measured_results, read_results
from .pipeline_camvig import CamViGPipeline
from .training_record import training_record

TAGS = ["image-to-video", "camera-control", "camvig"]
NOT_MEASURED = "Not measured: no results of `camvig eval` came with this checkpoint."


@dataclass(frozen=True)
class CardFacts:
    """What a card says beyond its folder.

    Args:
        repo_id: "user/name".
        licence: in the Hub's words ("apache-2.0"); None if it was not stated.
        example: one sentence on how `example.gif` was made; None if there is none.
        libraries: what the code in the repository imports; empty if it carries none.
        base_model: of an adapter.
    """

    repo_id: str
    licence: str | None = None
    example: str | None = None
    libraries: Iterable[str] = ()
    base_model: str | None = None


def pipeline_card(folder: Path, pipeline: CamViGPipeline, facts: CardFacts) -> ModelCard:
    """The card of a pipeline folder (`eval.json`, `LIMITS.md`, `TRAINING.md` and `training/*.json` are read, if there)."""
    return _card(
        folder,
        facts,
        library_name="diffusers",
        what=f"{_parts(pipeline)}\n\n{_departures(pipeline)}",
        use=_pipeline_use(facts),
        image_size=pipeline.visual_tokenizer.config.image_size,
    )


def adapter_card(folder: Path, facts: CardFacts) -> ModelCard:
    """The card of a folder with a peft adapter alone; the same records are read."""
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    what = (
        f"This is an adapter alone ({config.get('peft_type', 'peft')}, rank {config.get('r', 'not stated')}, alpha "
        f"{config.get('lora_alpha', 'not stated')}): it changes the transformer of "
        f"{f'`{facts.base_model}`' if facts.base_model else 'a base model that it does not name'}."
    )
    base = facts.base_model or "BASE MODEL"
    use = (
        "    from camvig import CamViGPipeline\n"
        "    from peft import PeftModel\n\n"
        f'    pipe = CamViGPipeline.from_pretrained("{base}")\n'
        f'    adapted = PeftModel.from_pretrained(pipe.transformer, "{facts.repo_id}").merge_and_unload()\n'
        f'    pipe = CamViGPipeline.from_pretrained("{base}", transformer=adapted)'
    )
    return _card(folder, facts, library_name="peft", what=what, use=use, image_size=64)


def _card(folder: Path, facts: CardFacts, library_name: str, what: str, use: str, image_size: int) -> ModelCard:
    data = ModelCardData(
        license=facts.licence,
        library_name=library_name,
        pipeline_tag="image-to-video",
        tags=TAGS,
        base_model=facts.base_model if "/" in (facts.base_model or "") else None,  # the Hub takes repositories alone
    )
    text = _template().substitute(
        title=facts.repo_id.split("/")[-1],
        what=what,
        use=use,
        example=f"![{facts.example}](example.gif)\n\n{facts.example}" if facts.example else "Not made.",
        measured=_measured(folder, image_size),
        limits=_own_words(folder / "LIMITS.md"),
        training=training_record(folder),
        licence=facts.licence or "Not stated.",
    )
    return ModelCard(f"---\n{data.to_yaml()}\n---\n\n{text}")


def _template() -> Template:
    """Beside this file in an installed package, at the root in a checkout."""
    for folder in (Path(__file__).parent, Path(__file__).parents[1]):
        if (folder / "model_card.md").is_file():
            return Template((folder / "model_card.md").read_text(encoding="utf-8"))
    raise ValueError("expected model_card.md in the installation of camvig, got none")


CAMERA_PARTS = {
    "codec": "DAC codec over a 1-D signal",
    "dct": "cosine transform and byte pairs",
    "uniform": "even bins",
}


def _parts(pipeline: CamViGPipeline) -> str:
    visual, camera = pipeline.visual_tokenizer.config, pipeline.camera_tokenizer.config
    text = pipeline.transformer.config.text_config
    latent = f"{visual.latent_frames}x{visual.latent_size}x{visual.latent_size}"
    frames = f"{visual.num_frames}x{visual.image_size}x{visual.image_size}"
    descriptions = {
        "visual_tokenizer": f"{visual.kind} kind, {frames} -> {latent} ids",
        "camera_tokenizer": (
            f"{CAMERA_PARTS[camera.kind]}, {camera.num_poses} poses -> {camera.num_levels} x {camera.tokens_per_level} ids "
            f"of {camera.codebook_size}"
        ),
        "transformer": f"{text.model_type}, {text.num_hidden_layers} layers, width {text.hidden_size}, prefix LM",
    }
    rows = [
        f"| {name.replace('_', ' ')} | {words} | {_millions(pipeline.components[name].num_parameters())} |"
        for name, words in descriptions.items()
    ]
    return "\n".join(["| part | what | parameters |", "| --- | --- | --- |", *rows])


def _departures(pipeline: CamViGPipeline) -> str:
    if pipeline.visual_tokenizer.config.kind != "motion":
        return "Frames are decoded from tokens alone, as in the paper."
    return (
        "A departure from the paper: the ids of later frames code motion relative to the picture, and the decoder moves the "
        "picture's own pixels, at its own resolution; the paper's decoder sees tokens alone."
    )


def _pipeline_use(facts: CardFacts) -> str:
    installed = (
        "With [camvig](https://arxiv.org/abs/2405.13195) installed:\n\n"
        "    from camvig import CamViGPipeline\n"
        f'    pipe = CamViGPipeline.from_pretrained("{facts.repo_id}")\n'
        '    video = pipe(image, "dolly in 30%, pan right 10deg").frames[0]\n\n'
        f'    camvig generate --checkpoint {facts.repo_id} --image photo.jpg --camera-path "dolly in 30%" --output out.mp4'
    )
    libraries = sorted(facts.libraries)
    if not libraries:
        return installed
    packages = " ".join("pillow" if name == "PIL" else name for name in libraries)
    return (
        f"{installed}\n\nWithout it, by the Python files in this repository, which are camvig's own modules joined into one "
        "file a part; read them before you trust them:\n\n"
        f"    pip install {packages}\n\n"
        "    from diffusers import DiffusionPipeline\n"
        f'    pipe = DiffusionPipeline.from_pretrained("{facts.repo_id}", trust_remote_code=True)'
    )


def _measured(folder: Path, image_size: int) -> str:
    file = folder / "eval.json"
    return measured_results(read_results(file), file.name, image_size).strip() if file.is_file() else NOT_MEASURED


def _own_words(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip() if file.is_file() else "Not stated by its makers."


def _millions(count: int) -> str:
    return f"{count / 1e6:.3g} M" if count >= 10_000 else f"{count:,}"
