"""The training loop: a run that is killed and started again gives exactly the weights of a run that is not."""

import dataclasses
import json

import pytest
import torch
from PIL import Image

from camvig import CamViGVisualTokenizer, CamViGVisualTokenizerConfig
from camvig.training_scripts.optimizers import Muon, orthogonalised
from camvig.training_scripts.run_folder import read_run
from camvig.training_scripts.train_visual_tokenizer import MUON_PATTERN
from camvig.training_scripts.training_arguments import TrainingArguments, learning_rate_factor
from camvig.training_scripts.training_loop import Trainer
from camvig.training_scripts.visual_losses import motion_losses

CONFIG = CamViGVisualTokenizerConfig(
    kind="motion", quantizer="fsq", num_frames=5, image_size=16, hidden_sizes=[8, 32], blocks_per_level=1
)


def batch_at(number: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(number)
    video = torch.rand(2, 3, 5, 16, 16, generator=generator) * 2 - 1
    return {
        "video": video,
        "flow": torch.randn(2, 4, 2, 16, 16, generator=generator) * 0.1,
        "visibility": torch.ones(2, 4, 1, 16, 16),
        "in_front": torch.ones(2, 4, 1, 16, 16),
        "moving": torch.zeros(2, 4, 1, 16, 16),
        "pictures": video[:, :, 0],
        "picture_depth": torch.zeros(2, 1, 4, 4),
        "picture_depth_is_known": torch.ones(2),
    }


def make_trainer(arguments: TrainingArguments, losses=motion_losses) -> Trainer:
    torch.manual_seed(0)
    model = CamViGVisualTokenizer(CONFIG)
    return Trainer(model, MUON_PATTERN, batch_at, losses, lambda model: {"answer": 42.0}, arguments)


def arguments_for(folder, **changes) -> TrainingArguments:
    arguments = TrainingArguments(
        output_dir=str(folder), steps=6, batch_size=2, warmup_steps=2, validate_every=3, save_every=2
    )
    return dataclasses.replace(arguments, **changes)


def weights(folder) -> dict[str, torch.Tensor]:
    return CamViGVisualTokenizer.from_pretrained(folder / "model").state_dict()


def test_killed_run_resumes_exactly(tmp_path):
    make_trainer(arguments_for(tmp_path / "whole")).train()

    def dies_at_step_5(model, batch, progress):
        if progress >= 5 / 6 - 1e-9:
            raise KeyboardInterrupt
        return motion_losses(model, batch, progress)

    with pytest.raises(KeyboardInterrupt):
        make_trainer(arguments_for(tmp_path / "killed"), dies_at_step_5).train()
    resumed = make_trainer(arguments_for(tmp_path / "killed"))
    resumed.train()
    whole, killed = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert all(torch.equal(whole[name], killed[name]) for name in whole)
    lines = [json.loads(line) for line in (tmp_path / "killed/metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["split"] == "validation"] == [3, 6]
    run = read_run(tmp_path / "killed")
    assert run.is_finished and [start["step"] for start in run.starts] == [0, 4]
    assert "Started 2 times; went on from step 4." in (tmp_path / "killed/report.html").read_text()


def test_rates_and_pictures_are_kept_beside_the_metrics(tmp_path):
    trainer = make_trainer(arguments_for(tmp_path, log_every=2))
    trainer.validate = lambda model: {"answer": 42.0, "sheet": Image.new("RGB", (8, 4), "teal")}
    trainer.train()
    run = read_run(tmp_path)
    assert [(step, file.name) for step, file in run.sheets] == [(3, "00000003.png"), (6, "00000006.png")]
    assert run.points("validation", "answer") == [(3, 42.0), (6, 42.0)] and run.names("validation") == ["answer"]
    rates = [(row["step"], row["samples_per_second"] > 0) for row in run.times]
    assert rates == [(step, True) for step in (2, 3, 4, 6, 6)] and run.times[-1]["seconds_left"] == 0
    arguments = trainer.arguments
    rate = [arguments.learning_rate * learning_rate_factor(step - 1, arguments) for step in (2, 4, 6)]
    assert [value for _, value in run.points("train", "learning_rate")] == rate
    metrics = (tmp_path / "metrics.jsonl").read_text()
    assert "second" not in metrics and "wall" not in metrics  # nothing that the clock decides


def test_init_from_starts_from_the_weights_of_another_run(tmp_path):
    make_trainer(arguments_for(tmp_path / "first")).train()
    folder = str(tmp_path / "first/model")
    second = make_trainer(arguments_for(tmp_path / "second", init_from=folder))
    start, expected = second.model.state_dict(), weights(tmp_path / "first")
    assert all(torch.equal(start[name], expected[name]) for name in expected)
    second.train()
    assert any(not torch.equal(weights(tmp_path / "second")[name], expected[name]) for name in expected)


@pytest.mark.parametrize("change, problem", [({"hidden_sizes": [8, 64]}, "size mismatch"), (None, "No such file")])
def test_init_from_refuses_weights_that_do_not_fit(tmp_path, change, problem):
    if change:
        CamViGVisualTokenizer(CamViGVisualTokenizerConfig(**{**CONFIG.to_dict(), **change})).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=f"expected weights of CamViGVisualTokenizer in .* {problem}"):
        make_trainer(arguments_for(tmp_path / "run", init_from=str(tmp_path)))


def test_training_lowers_the_loss(tmp_path):
    same = batch_at(0)
    trainer = make_trainer(arguments_for(tmp_path, steps=40, validate_every=1000, save_every=1000))
    trainer.optimize.batch_at = lambda number: same
    before = motion_losses(trainer.model, same, 0.0)["flow"].item()
    trainer.train()
    assert motion_losses(trainer.model, same, 0.0)["flow"].item() < 0.7 * before


def test_no_number_is_trained_into_nan(tmp_path):
    trainer = make_trainer(arguments_for(tmp_path), lambda model, batch, progress: {"loss": torch.tensor(float("nan"))})
    with pytest.raises(FloatingPointError, match="loss nan in step 1"):
        trainer.train()


def test_learning_rate_is_a_function_of_the_step():
    arguments = arguments_for("unused", steps=100, warmup_steps=10, decay_share=0.5)
    factors = [learning_rate_factor(step, arguments) for step in range(100)]
    assert factors[0] == 0.1 and factors[9] == factors[49] == 1.0
    assert factors[50:] == sorted(factors[50:], reverse=True) and factors[99] == 0.02


@pytest.mark.parametrize("shape", [(4, 2, 3, 3), (24, 2, 3, 1)])
def test_muon_moves_a_kernel_as_torch_moves_the_matrix_it_is(shape):
    """torch's rounds to bfloat16 on the way, ours not: one move differs by less than 2% of its length."""
    kernel = torch.nn.Parameter(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
    matrix = torch.nn.Parameter(kernel.detach().clone().flatten(1))
    start = matrix.detach().clone()
    ours = Muon([kernel], learning_rate=0.1, weight_decay=0.1)
    torchs = torch.optim.Muon([matrix], lr=0.1, weight_decay=0.1, momentum=0.95)
    for seed in (1, 2, 3):
        gradient = torch.randn(matrix.shape, generator=torch.Generator().manual_seed(seed))
        kernel.grad, matrix.grad = gradient.view_as(kernel), gradient
        ours.step()
        torchs.step()
    assert (kernel.flatten(1) - matrix).norm() < 0.02 * (matrix - start).norm()


@pytest.mark.parametrize("shape", [(8, 8), (5, 40), (40, 5)])
def test_orthogonalised_matrices_have_singular_values_near_1(shape):
    singular = torch.linalg.svdvals(orthogonalised(torch.randn(shape, generator=torch.Generator().manual_seed(0))))
    assert singular.min() > 0.6 and singular.max() < 1.25
