"""Sampling settings belong to the checkpoint: read, written and carried along with it; what a caller gives wins."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import GenerationConfig

from camvig import CamViGForConditionalGeneration, CamViGPipeline
from camvig.modeling_camvig.generation_defaults import GENERATION_DEFAULTS
from camvig.pipelines.evaluation.generation import generate, to_picture
from camvig.pipelines.preflight import run_cost
from camvig.pipelines.sampling_settings import SamplingSettings
from camvig.pipelines.video_job import VideoSettings, make_long_video, make_video
from camvig.training_scripts.assemble_checkpoint import assemble
from camvig.training_scripts.finetune_start import Parts, initialize, write_pipeline

PATH = "dolly in 20%, pan right 5deg"
FILE = "transformer/generation_config.json"
OURS = {"guidance_scale": 1.5, "temperature": 0.5, "top_k": 0, "top_p": 1.0, "mean_of": 1, "rigid_scene": False}


def stored(folder: Path) -> dict:
    return json.loads((folder / FILE).read_text())


def load(folder: Path) -> CamViGPipeline:
    pipeline = CamViGPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def ids(pipeline, picture, seed: int = 0, **settings) -> torch.Tensor:
    return pipeline(picture, PATH, generator=torch.Generator().manual_seed(seed), **settings).video_ids


@pytest.fixture
def folder(tiny_checkpoint, tmp_path) -> Path:
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "checkpoint"))


@pytest.fixture
def say(folder):
    """`say(temperature=0)` makes these all that the checkpoint says."""
    return lambda **settings: (folder / FILE).write_text(json.dumps(settings))


def test_a_new_model_has_our_defaults_and_the_shipped_one_says_its_own(build_tiny_pipeline, tiny_checkpoint):
    new = build_tiny_pipeline().transformer.generation_config
    shipped = Path(__file__).parents[2] / "checkpoints" / "camvig-tiny"
    for found in (vars(new), stored(tiny_checkpoint)):
        assert OURS.items() <= found.items() and found["do_sample"] is True and found["best_of"] == 1
    assert {*OURS, "best_of"} <= set(stored(shipped)), "chosen for it, whatever they are"
    assert GenerationConfig.from_pretrained(tiny_checkpoint / "transformer").top_k == 0


@pytest.mark.parametrize("said", [None, {}, {"max_new_tokens": 3}], ids=["no file", "nothing", "something else"])
def test_what_a_checkpoint_does_not_say_is_our_default(folder, said, say, tiny_pipeline, make_picture):
    (folder / FILE).unlink() if said is None else say(**said)
    pipeline = load(folder)
    assert SamplingSettings.of(pipeline) == SamplingSettings(**OURS)
    assert pipeline.transformer.generation_config.best_of == 1
    assert torch.equal(ids(pipeline, make_picture()), ids(tiny_pipeline, make_picture(), **OURS))
    pipeline.save_pretrained(folder / "again")
    assert GENERATION_DEFAULTS.items() <= stored(folder / "again").items()


def test_the_checkpoint_is_followed_and_the_caller_wins(folder, say, tiny_pipeline, make_picture):
    say(temperature=1.3, guidance_scale=3.0, top_k=7, top_p=0.9)
    pipeline, picture = load(folder), make_picture()
    said = SamplingSettings(3.0, 1.3, 7, 0.9, 1, False)
    assert SamplingSettings.of(pipeline) == said
    assert SamplingSettings.of(pipeline, temperature=0.0, top_k=None) == SamplingSettings(3.0, 0.0, 7, 0.9, 1, False)
    assert torch.equal(ids(pipeline, picture), ids(tiny_pipeline, picture, **vars(said)))
    assert torch.equal(ids(pipeline, picture, **OURS), ids(tiny_pipeline, picture))
    assert not torch.equal(ids(pipeline, picture), ids(tiny_pipeline, picture))
    model = pipeline.transformer
    image_ids = torch.zeros(1, model.config.tokens_per_latent_frame, dtype=torch.long)
    generators = [torch.Generator().manual_seed(1) for _ in range(2)]
    by_itself = model.generate(image_ids, generator=generators[0])
    assert torch.equal(by_itself, model.generate_video(image_ids, generator=generators[1], **said.of_a_draw))


def test_commands_evaluation_and_preflight_follow_the_checkpoint(folder, say, tiny_pipeline, make_picture):
    say(guidance_scale=1.0, temperature=0.0)
    pipeline, picture = load(folder), make_picture()
    origin = dict.fromkeys(("checkpoint", "image", "camera_path"), "")
    short = make_video(pipeline, picture, PATH, 0, VideoSettings(), origin).record["settings"]
    path = make_video(tiny_pipeline, picture, PATH, 0, VideoSettings(top_p=0.5), origin)
    assert path.record["settings"] == {**OURS, "top_p": 0.5, "output_size": None, "best_of": 1}
    long = make_long_video(pipeline, picture, path.path, 0, VideoSettings(temperature=0.8), origin).record["settings"]
    assert (short["guidance_scale"], short["temperature"]) == (1.0, 0.0)
    assert (long["guidance_scale"], long["temperature"], long["best_of"]) == (1.0, 0.8, 1)
    frame = to_picture(torch.zeros(32, 32, 3, dtype=torch.uint8).numpy())
    one, other = (generate(pipeline, [frame], [path.path], [seed])[0] for seed in (0, 1))
    assert (one == other).all()  # greedy, whatever the seed
    assert run_cost(path.path, pipeline).passes_per_id == 1


def test_best_of_is_the_checkpoint_s_where_there_is_something_to_choose_by(folder, say, make_picture):
    say(best_of=2)
    pipeline, picture = load(folder), make_picture()
    assert [len(scores) for scores in pipeline(picture, PATH).candidate_scores] == [2]
    assert pipeline(picture, PATH, best_of=1).candidate_scores is None
    assert pipeline(picture, PATH, temperature=0).candidate_scores is None
    assert pipeline(picture, None).candidate_scores is None
    with pytest.raises(ValueError, match="expected a camera path for every video with best_of 2"):
        pipeline(picture, None, best_of=2)


def test_settings_that_no_video_can_have_are_refused(folder, say, make_picture):
    say(top_p=0.0)
    with pytest.raises(ValueError, match="expected top_p to be a number above 0"):
        ids(load(folder), make_picture())


def test_a_damaged_file_is_refused(folder):
    (folder / FILE).write_text('{"temperature": 0.7')
    with pytest.raises(ValueError, match=f"expected JSON in .*{FILE}"):
        load(folder)


def test_they_are_carried_along_where_parts_are_assembled_and_trained_further(
    folder, say, tmp_path, build_tiny_pipeline
):
    say(temperature=0.7, best_of=3)
    assemble(folder / "visual_tokenizer", folder / "camera_tokenizer", folder / "transformer", tmp_path / "assembled")
    assert (stored(tmp_path / "assembled")["temperature"], stored(tmp_path / "assembled")["best_of"]) == (0.7, 3)
    further = build_tiny_pipeline(seed=1).transformer
    assert isinstance(further, CamViGForConditionalGeneration)
    initialize(further, folder / "transformer")
    assert further.generation_config.temperature == 0.7


def test_an_adapter_keeps_them(folder, say, tmp_path):
    say(temperature=0.7)
    adapted = get_peft_model(load(folder).transformer, LoraConfig(target_modules=["q_proj"]))
    adapted.save_pretrained(str(tmp_path / "adapter"))
    pipeline = load(folder)
    pipeline.load_lora_weights(tmp_path / "adapter")
    assert SamplingSettings.of(pipeline).temperature == 0.7
    parts = Parts(folder / "visual_tokenizer", folder / "camera_tokenizer", folder / "transformer")
    write_pipeline(parts, tmp_path / "adapter", tmp_path / "merged", is_adapter=True)
    assert stored(tmp_path / "merged")["temperature"] == 0.7


def test_the_best_on_validation_clips_is_stored(folder, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    import choose_sampling

    options = ["--clips", "2", "--temperatures", "0", "1.5", "--guidance-scales", "1", "--top-ps", "0.8", "--store"]
    monkeypatch.setattr(sys, "argv", ["choose_sampling.py", "--checkpoint", str(folder), *options])
    choose_sampling.main()
    *tried, last = (json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{"))
    best = min(tried, key=lambda one: one["flow_mse_over_static"])
    assert len(tried) == 2 and last["stored"] == str(folder / FILE)
    wanted = {name: best[name] for name in OURS}
    assert wanted.items() <= last.items() and wanted.items() <= stored(folder).items()
    assert vars(SamplingSettings.of(load(folder))) == wanted
