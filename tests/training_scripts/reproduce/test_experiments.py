"""Every experiment is made of commands that exist, with options and configurations that they take."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
import typer

from camvig.cli import app
from camvig.modeling_camvig.configuration_camera_tokenizer import CamViGCameraTokenizerConfig
from camvig.modeling_camvig.configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from camvig.training_scripts.finetune_config import load_finetune
from camvig.training_scripts.reproduce import registry
from camvig.training_scripts.reproduce.experiments import SCALES, Choices, Experiment, Scale
from camvig.training_scripts.reproduce.stages import Stage
from camvig.training_scripts.stage_config import load_stage
from camvig.training_scripts.train_camera_tokenizer import CameraDataArguments
from camvig.training_scripts.train_visual_tokenizer import VisualDataArguments

TOKENIZER_STAGES = {
    "train_camera_tokenizer": (CamViGCameraTokenizerConfig, CameraDataArguments),
    "train_visual_tokenizer": (CamViGVisualTokenizerConfig, VisualDataArguments),
}
EVERY = [(experiment, scale) for experiment in registry.EXPERIMENTS.values() for scale in SCALES.values()]


def stages_of(experiment: Experiment, scale: Scale) -> list[Stage]:
    return experiment.stages_of(scale, Choices.anything())


@pytest.mark.parametrize(("experiment", "scale"), EVERY, ids=[f"{one.name}-{scale.name}" for one, scale in EVERY])
def test_its_commands_can_be_read(experiment, scale, tmp_path):
    for stage in stages_of(experiment, scale):
        _, *words = stage.command(tmp_path)
        assert words[0] == "-m"
        if words[1] == "camvig.cli":
            parse(words[2:])
        elif "--config" in words:
            load_configuration(words, scale)
        else:
            assert words[1].startswith("camvig.training_scripts.")


def parse(words: list[str]) -> None:
    """Reads a command line as `camvig` does, without running it."""
    command = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    command.make_context("camvig", list(words))


def load_configuration(words: list[str], scale: Scale) -> None:
    changes = words[words.index("--set") + 1 :] if "--set" in words else []
    file, script = Path(words[words.index("--config") + 1]), words[1].removeprefix("camvig.training_scripts.")
    if script == "finetune":
        assert load_finetune(file, changes).training.steps == scale.steps
    else:
        load_stage(file, changes, *TOKENIZER_STAGES[script])


@pytest.mark.parametrize("scale", SCALES.values(), ids=list(SCALES))
def test_stages_of_one_name_are_one_stage(scale):
    by_name, results = defaultdict(set), defaultdict(set)
    for experiment in registry.EXPERIMENTS.values():
        stages = stages_of(experiment, scale)
        assert len({stage.name for stage in stages}) == len(stages)
        for stage in stages:
            by_name[stage.name].add(stage)
            results[stage.result].add(stage.name)
    assert all(len(stages) == 1 for stages in by_name.values())
    assert all(len(names) == 1 for names in results.values())


@pytest.mark.parametrize(("experiment", "scale"), EVERY, ids=[f"{one.name}-{scale.name}" for one, scale in EVERY])
def test_what_a_command_reads_was_made_before(experiment, scale):
    made: list[str] = []
    for stage in stages_of(experiment, scale):
        assert any(f"{{work}}/{stage.result}".startswith(word) for word in stage.words if word.startswith("{work}"))
        read = [word.partition("=")[2] or word for word in stage.words if "{work}" in word]
        for word in read:
            path = word.removeprefix("{work}/")
            assert stage.result.startswith(path) or any(path.startswith(one.split("/")[0]) for one in made), (
                stage.name,
                path,
            )
        made.append(stage.result)


def test_the_three_arms_of_the_mixture_differ_in_their_data_alone():
    stages = {stage.name: stage for stage in stages_of(registry.EXPERIMENTS["mixture"], SCALES["full"])}
    arms = {}
    for name in ("paths", "mixed", "video"):
        words = stages[f"train-{name}"].command(Path("work"))
        changes = words[words.index("--set") + 1 :]
        stage = load_finetune(Path(words[words.index("--config") + 1]), changes)
        arms[name] = (stage.config, stage.training, stage.data)
    assert arms["paths"][1] == arms["mixed"][1] == arms["video"][1]
    configs = [config.to_dict() for config, _, _ in arms.values()]
    assert configs[0] == configs[1] == configs[2]
    data = {name: (one.token_cache, one.video_token_cache, one.path_share) for name, (_, _, one) in arms.items()}
    assert data["paths"][:2] == ("work/ids_paths", None) and data["video"][:2] == ("work/ids_plain", None)
    assert data["mixed"] == ("work/ids_paths", "work/ids_plain", 0.7)
    assert {one.visual_tokenizer for _, _, one in arms.values()} == {"work/visual_tokenizer_moving/model"}
