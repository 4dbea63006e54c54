"""What the trainer promises beyond steps: accumulation, averages, bad batches, an adversary, whole states, a full disk."""

import json
import resource
import shutil

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from camvig.training_scripts.metrics_file import append, drop_after
from camvig.training_scripts.training_arguments import TrainingArguments, learning_rate_factor


def metrics(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def losses(folder) -> list[float]:
    return [row["loss"] for row in metrics(folder) if row["split"] == "train"]


def stop_at(step: int, losses_of):
    """The stage's losses until a step is reached; then the run ends as if by Control-C."""
    calls = iter(range(step))

    def compute(model, batch, progress):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return losses_of(model, batch, progress)

    return compute


def test_accumulated_batches_are_one_large_batch(tiny_stage, tmp_path):
    def noiseless(model, batch, progress):
        return {"loss": (model(batch["values"]) - batch["values"].flip(1)).square().mean()}

    for name, changes in {"large": {"batch_size": 8}, "small": {"batch_size": 2, "gradient_accumulation": 4}}.items():
        tiny_stage.make_trainer(tiny_stage.arguments_for(tmp_path / name, **changes), losses=noiseless).train()
    assert losses(tmp_path / "small") == pytest.approx(losses(tmp_path / "large"), rel=1e-5)
    assert len(set(losses(tmp_path / "small"))) == 12


def test_numbers_in_metrics_are_exact(tiny_stage, tmp_path):
    tiny_stage.make_trainer(tiny_stage.arguments_for(tmp_path), validate=lambda _: {"answer": 1 / 3}).train()
    seen = losses(tmp_path)
    assert len(seen) == 12 and all(torch.tensor(loss, dtype=torch.float32).item() == loss for loss in seen)
    assert len({f"{loss:.5g}" for loss in seen} & {repr(loss) for loss in seen}) == 0  # nothing rounded
    validations = [row for row in metrics(tmp_path) if row["split"] == "validation"]
    assert [(row["step"], row["answer"]) for row in validations] == [(4, 1 / 3), (8, 1 / 3), (12, 1 / 3)]
    assert {"step", "wall", "cpu"} <= set(json.loads((tmp_path / "times.jsonl").read_text().splitlines()[0]))


def test_the_average_is_what_is_saved_and_the_weights_stay_in_the_states(tiny_stage, tmp_path):
    trainer = tiny_stage.make_trainer(tiny_stage.arguments_for(tmp_path, ema_decay=0.9))
    history = []
    trainer.after_step = lambda model, step: history.append({k: v.clone() for k, v in model.state_dict().items()})
    trainer.train()
    expected = history[0]
    for step, weights in enumerate(history[1:], start=1):
        decay = min(0.9, (1 + step) / (10 + step))
        expected = {name: decay * value + (1 - decay) * weights[name] for name, value in expected.items()}
    saved = tiny_stage.weights_of(tmp_path / "model")
    for name, value in expected.items():
        torch.testing.assert_close(saved[name], value)
    last = load_file(tmp_path / "states/00000012/model.safetensors")
    assert all(torch.equal(last[name], value) for name, value in history[-1].items())
    assert any(not torch.equal(last[name], saved[name]) for name in saved)


@pytest.mark.parametrize("with_adversary", [False, True], ids=["average", "average and adversary"])
def test_a_stopped_run_goes_on_exactly(tiny_stage, tmp_path, with_adversary):
    def trainer(folder, stop=None):
        adversary, compute = tiny_stage.make_adversary() if with_adversary else (None, tiny_stage.losses_of)
        arguments = tiny_stage.arguments_for(folder, ema_decay=0.9, gradient_accumulation=2)
        compute = compute if stop is None else stop_at(stop, compute)
        return tiny_stage.make_trainer(arguments, losses=compute, adversary=adversary)

    trainer(tmp_path / "whole").train()
    for stop in (3, 9, 13):  # batches, two a step
        with pytest.raises(KeyboardInterrupt):
            trainer(tmp_path / "stopped", stop).train()
    before = json.loads(max((tmp_path / "stopped/states").glob("*/complete.json")).read_text())["progress"]
    trainer(tmp_path / "stopped").train()
    record = json.loads((tmp_path / "stopped/training.json").read_text())
    assert record["wall_seconds"] > before["wall_seconds"] > 0 and record["cpu_seconds"] > before["cpu_seconds"]
    files = [file.relative_to(tmp_path / "whole") for file in (tmp_path / "whole").rglob("*.safetensors")]
    assert len(files) == (7 if with_adversary else 5)  # the result; of two states model, average, perhaps adversary
    for file in [*files, "metrics.jsonl"]:
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "stopped" / file).read_bytes(), file


def test_an_adversary_trains_against_the_model(tiny_stage, tmp_path):
    adversary, model_losses = tiny_stage.make_adversary()
    before = [weight.detach().clone() for weight in adversary.module.parameters()]
    trainer = tiny_stage.make_trainer(tiny_stage.arguments_for(tmp_path), losses=model_losses, adversary=adversary)
    frozen = []

    def spied(model, batch, progress):
        frozen.append(not any(weight.requires_grad for weight in adversary.module.parameters()))
        return model_losses(model, batch, progress)

    trainer.optimize.compute_losses = spied
    trainer.train()
    rows = [row for row in metrics(tmp_path) if row["split"] == "train"]
    assert all(frozen) and len(frozen) == 12
    assert [row["step"] for row in rows if "adversary_loss" in row] == list(range(5, 13))  # from a third of the run on
    assert all(not torch.equal(a, b) for a, b in zip(before, adversary.module.parameters(), strict=True))
    assert "made" not in rows[0] and rows[-1]["fooled"] != 0


def with_bad_row(tiny_stage, *numbers):
    def batch_at(number: int) -> dict:
        batch = tiny_stage.batch_of(number)
        if number in numbers:
            batch["values"][2, 1] = float("nan")
        return batch

    return batch_at


def test_bad_batches_are_named_skipped_and_counted(tiny_stage, tmp_path):
    arguments = tiny_stage.arguments_for(tmp_path / "skipping", skip_bad_batches=2)
    tiny_stage.make_trainer(arguments, with_bad_row(tiny_stage, 1, 6)).train()
    skipped = [row for row in metrics(tmp_path / "skipping") if row["split"] == "skipped"]
    assert [(row["step"], row["clips"], row["skipped_batches"]) for row in skipped] == [
        (2, ["clip-6"], 1),
        (7, ["clip-26"], 2),
    ]
    assert all(value.isfinite().all() for value in tiny_stage.weights_of(tmp_path / "skipping/model").values())
    assert not (tmp_path / "skipping/bad_batch.safetensors").exists()


def test_one_bad_batch_too_many_stops_with_the_batch_saved(tiny_stage, tmp_path):
    arguments = tiny_stage.arguments_for(tmp_path, skip_bad_batches=1)
    with pytest.raises(FloatingPointError, match=r"loss nan, error nan in step 7, clips clip-26 \(skip_bad_batches: 1"):
        tiny_stage.make_trainer(arguments, with_bad_row(tiny_stage, 1, 6)).train()
    with safe_open(tmp_path / "bad_batch.safetensors", "pt") as file:
        assert file.metadata()["step"] == "7" and json.loads(file.metadata()["clips"])[2] == "clip-26"
        saved = file.get_tensor("0.values")
    expected = with_bad_row(tiny_stage, 6)(6)["values"]
    assert torch.equal(saved.nan_to_num(), expected.nan_to_num()) and saved[2, 1].isnan()
    tiny_stage.make_trainer(arguments).train()  # with the data put right it goes on from the state before
    assert [row["step"] for row in metrics(tmp_path)] == list(range(1, 13))


def test_a_gradient_that_is_not_finite_changes_nothing(tiny_stage, tmp_path):
    def explodes(model, batch, progress):
        losses = tiny_stage.losses_of(model, batch, progress)
        hidden = model.hidden.weight.flatten()[0]
        return {**losses, "loss": losses["loss"] + 0 * torch.sqrt(hidden - hidden)}  # 0 with a slope of 0 * inf

    trainer = tiny_stage.make_trainer(tiny_stage.arguments_for(tmp_path), losses=explodes)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    with pytest.raises(FloatingPointError, match="gradient_norm nan in step 1"):
        trainer.train()
    assert all(torch.equal(value, before[name]) for name, value in trainer.model.state_dict().items())


def test_the_newest_states_are_kept(tiny_stage, tmp_path):
    tiny_stage.make_trainer(tiny_stage.arguments_for(tmp_path, keep_states=3)).train()
    assert sorted(path.name for path in (tmp_path / "states").iterdir()) == ["00000008", "00000010", "00000012"]


def cut(file):
    file.write_bytes(file.read_bytes()[:-7])


def flip(file):
    content = bytearray(file.read_bytes())
    content[-9] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: cut(state / "model.safetensors"),
        lambda state: flip(state / "optimizer.bin"),
        lambda state: (state / "optimizer_1.bin").unlink(),
        lambda state: (state / "complete.json").unlink(),
        lambda state: cut(state / "complete.json"),
    ],
    ids=["cut weights", "a flipped bit", "a missing file", "no manifest", "a cut manifest"],
)
def test_a_damaged_state_is_skipped_for_the_one_before(tiny_stage, tmp_path, damage):
    tiny_stage.make_trainer(tiny_stage.arguments_for(tmp_path / "run")).train()
    whole = (tmp_path / "run/metrics.jsonl").read_bytes(), tiny_stage.weights_of(tmp_path / "run/model")
    damage(tmp_path / "run/states/00000012")
    with pytest.warns(UserWarning, match="skipped the damaged state .*00000012"):
        tiny_stage.make_trainer(tiny_stage.arguments_for(tmp_path / "run")).train()
    assert (tmp_path / "run/metrics.jsonl").read_bytes() == whole[0]
    again = tiny_stage.weights_of(tmp_path / "run/model")
    assert all(torch.equal(value, again[name]) for name, value in whole[1].items())


def test_with_every_state_damaged_nothing_is_overwritten(tiny_stage, tmp_path):
    tiny_stage.make_trainer(tiny_stage.arguments_for(tmp_path)).train()
    for state in (tmp_path / "states").iterdir():
        (state / "complete.json").unlink()
    refused = pytest.raises(ValueError, match=r"expected a whole state in .*, got 2 damaged ones")
    with pytest.warns(UserWarning, match="skipped the damaged state"), refused:
        tiny_stage.make_trainer(tiny_stage.arguments_for(tmp_path)).train()


def test_a_state_of_another_model_is_refused(tiny_stage, tmp_path):
    tiny_stage.make_trainer(tiny_stage.arguments_for(tmp_path)).train()
    trainer = tiny_stage.make_trainer(tiny_stage.arguments_for(tmp_path, optimizer="adamw"))
    with pytest.raises(ValueError, match=r"expected a state of this model in .*00000012"):
        trainer.train()


def test_a_full_disk_is_one_clear_error_and_loses_nothing(tiny_stage, tmp_path):
    """Files may grow to a few bytes only, which writers meet as they meet a full disk."""
    tiny_stage.make_trainer(tiny_stage.arguments_for(tmp_path / "whole", log_every=2)).train()
    arguments = tiny_stage.arguments_for(tmp_path / "full", save_every=4, log_every=2)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fills_up(model, batch, progress):
        if progress >= 6 / 12:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, unlimited[1]))
        return tiny_stage.losses_of(model, batch, progress)

    try:
        with pytest.raises(OSError, match=r"step 8 to .*GB free.*the last state is .*00000004: make room and start"):
            tiny_stage.make_trainer(arguments, losses=fills_up).train()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert [path.name for path in (tmp_path / "full/states").iterdir()] == ["00000004"]
    tiny_stage.make_trainer(arguments).train()
    assert (tmp_path / "full/metrics.jsonl").read_bytes() == (tmp_path / "whole/metrics.jsonl").read_bytes()


def test_no_room_for_a_line_of_metrics_is_one_clear_error(tmp_path):
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    append(tmp_path / "metrics.jsonl", {"step": 1, "split": "train"})
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40, unlimited[1]))
        with pytest.raises(OSError, match=r"expected to write a line to .*metrics.jsonl, got: .*: make room and start"):
            append(tmp_path / "metrics.jsonl", {"step": 2, "split": "train"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    drop_after(tmp_path / "metrics.jsonl", 2)
    assert metrics(tmp_path) == [{"step": 1, "split": "train"}]


def test_a_number_of_processes_that_is_not_there_is_refused(tiny_stage, tmp_path):
    with pytest.raises(ValueError, match=r"expected 2 processes .*, got 1: on CPUs start them by ACCELERATE_USE_CPU"):
        tiny_stage.make_trainer(tiny_stage.arguments_for(tmp_path, num_processes=2))


def test_a_state_goes_on_with_as_many_samples_a_step_alone(tiny_stage, tmp_path):
    tiny_stage.make_trainer(tiny_stage.arguments_for(tmp_path, keep_states=20)).train()
    whole = losses(tmp_path)
    for state in sorted((tmp_path / "states").iterdir())[3:]:
        shutil.rmtree(state)  # goes on from step 6
    with pytest.raises(ValueError, match=r"expected 4 samples a step, as .*00000006 was .*, got 8 \(batch_size 8 x"):
        tiny_stage.make_trainer(tiny_stage.arguments_for(tmp_path, batch_size=8)).train()
    tiny_stage.make_trainer(tiny_stage.arguments_for(tmp_path, batch_size=2, gradient_accumulation=2)).train()
    assert losses(tmp_path) == pytest.approx(whole, rel=0.02) and len(whole) == 12


def test_adamw_alone_trains_too(tiny_stage, tmp_path):
    arguments = tiny_stage.arguments_for(tmp_path, optimizer="adamw", steps=60, learning_rate=0.02, weight_decay=0.01)
    trainer = tiny_stage.make_trainer(arguments)
    assert len(trainer.optimize.optimizers) == 1
    decays = {group["weight_decay"]: len(group["params"]) for group in trainer.optimize.optimizers[0].param_groups}
    assert decays == {0.0: 3, 0.01: 1}
    trainer.train()
    assert sum(losses(tmp_path)[-10:]) < 0.7 * sum(losses(tmp_path)[:10])


def test_compiled_steps_are_the_same_steps(tiny_stage, tmp_path):
    for name, compile_it in {"eager": False, "compiled": True}.items():
        tiny_stage.make_trainer(tiny_stage.arguments_for(tmp_path / name, compile=compile_it, steps=3)).train()
    assert losses(tmp_path / "compiled") == pytest.approx(losses(tmp_path / "eager"), rel=1e-5)
    shutil.rmtree(tmp_path / "eager")
    assert set(tiny_stage.weights_of(tmp_path / "compiled/model")) >= {"hidden.weight", "output.bias"}


@pytest.mark.parametrize("schedule, middle", [("linear", 0.5), ("cosine", 0.5), ("wsd", 1.0)])
def test_schedules_are_functions_of_the_step(schedule, middle):
    arguments = TrainingArguments("x", steps=110, batch_size=1, warmup_steps=10, decay_share=0.3, schedule=schedule)
    factors = [learning_rate_factor(step, arguments) for step in range(110)]
    assert factors[:10] == pytest.approx([0.1 * (step + 1) for step in range(10)])
    assert factors[59] == pytest.approx(middle, abs=0.01)
    assert factors[9:] == sorted(factors[9:], reverse=True)
    assert 0.02 <= factors[-1] <= 0.04


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"schedule": "sawtooth"}, "expected schedule 'wsd', 'cosine', 'linear', got 'sawtooth'"),
        ({"optimizer": "sgd"}, "expected optimizer 'muon', 'adamw', got 'sgd'"),
        ({"gradient_accumulation": 0}, "expected gradient_accumulation of at least 1, got 0"),
        ({"ema_decay": 1.0}, "expected ema_decay from 0 to below 1, got 1.0"),
    ],
)
def test_wrong_arguments_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        TrainingArguments("x", **{"steps": 1, "batch_size": 1, **changes})
