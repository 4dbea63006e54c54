"""A stage of a few numbers for tests of the training loop: a real transformers model that learns a linear map."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from camvig.training_scripts.training_arguments import TrainingArguments
from camvig.training_scripts.training_loop import Adversary, Trainer

MUON_PATTERN = r"hidden\.weight"


class TinyConfig(PreTrainedConfig):
    model_type = "camvig_test_tiny"


class TinyModel(PreTrainedModel):
    config_class = TinyConfig

    def __init__(self, config: TinyConfig):
        super().__init__(config)
        self.hidden, self.output = nn.Linear(4, 8), nn.Linear(8, 4)
        self.post_init()

    def forward(self, values: Tensor) -> Tensor:
        return self.output(torch.tanh(self.hidden(values)))


def batch_of(number: int, size: int = 4) -> dict:
    """Rows `number * size` to `(number + 1) * size` of an endless set; each row follows from its number alone."""
    rows = [torch.randn(4, generator=torch.Generator().manual_seed(number * size + row)) for row in range(size)]
    return {"values": torch.stack(rows), "clip_names": [f"clip-{number * size + row}" for row in range(size)]}


def losses_of(model, batch: dict, progress: float) -> dict[str, Tensor]:
    error = model(batch["values"]) - batch["values"].flip(1)
    noise = 0.01 * torch.rand(())  # the random state is a part of the state
    return {"loss": error.square().mean() * (1 + noise), "error": error.abs().mean()}


def arguments_for(folder: Path, **changes) -> TrainingArguments:
    arguments = TrainingArguments(
        output_dir=str(folder),
        steps=12,
        batch_size=4,
        warmup_steps=2,
        log_every=1,
        validate_every=4,
        save_every=2,
        mixed_precision="no",
    )
    return dataclasses.replace(arguments, **changes)


def make_trainer(
    arguments: TrainingArguments, batch_at=None, losses=losses_of, adversary=None, validate=None
) -> Trainer:
    torch.manual_seed(0)
    model = TinyModel(TinyConfig())
    if batch_at is None:

        def batch_at(number: int) -> dict:
            return batch_of(number, arguments.batch_size)

    return Trainer(model, MUON_PATTERN, batch_at, losses, validate, arguments, adversary=adversary)


def make_adversary() -> tuple[Adversary, object]:
    """A discriminator of rows that starts after a third of the run, and the model's losses against it."""
    torch.manual_seed(1)
    module = nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(), nn.Linear(8, 1))

    def model_losses(model, batch: dict, progress: float) -> dict[str, Tensor]:
        made = model(batch["values"])
        losses = {"reconstruction": (made - batch["values"]).square().mean(), "fooled": -module(made).mean()}
        return {"loss": losses["reconstruction"] + 0.1 * losses["fooled"], **losses, "made": made}

    def losses(discriminator, batch: dict, outputs: dict[str, Tensor], progress: float) -> dict[str, Tensor]:
        if progress < 1 / 3:
            return {}
        real, fake = discriminator(batch["values"]), discriminator(outputs["made"])
        return {"loss": torch.relu(1 - real).mean() + torch.relu(1 + fake).mean()}

    return Adversary(module, torch.optim.AdamW(module.parameters(), lr=1e-3), losses), model_losses


def weights_of(folder: Path) -> dict[str, Tensor]:
    return TinyModel.from_pretrained(folder).state_dict()
