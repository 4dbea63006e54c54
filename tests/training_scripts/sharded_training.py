"""What `test_accelerate_configs` starts: a few steps of a tiny transformer, in one process or sharded over several by FSDP2.

    ACCELERATE_USE_CPU=true accelerate launch --config_file two_cpus.yaml sharded_training.py OUTPUT

How to shard stands in the variables FSDP_*, where the launcher of a shipped configuration puts it. Accelerate reaches FSDP2
on accelerators alone; here the type is set on a state of CPU processes joined by gloo, and all that follows
(`Accelerator.prepare`, clipping, collecting the weights) is Accelerate's.
Process 0 writes OUTPUT: for float32 and bfloat16 the losses, the weights, and a video.
"""

from __future__ import annotations

import sys

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from torch.distributed.fsdp import FSDPModule, register_fsdp_forward_method
from torch.distributed.tensor import DTensor

from camvig import CamViGConfig, CamViGForConditionalGeneration
from camvig.training_scripts.finetune import MUON_PATTERN
from camvig.training_scripts.optimizers import build_optimizers
from camvig.training_scripts.training_arguments import TrainingArguments

TEXT_CONFIG = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
}
GEOMETRY = {
    "visual_levels": [2] * 6,
    "visual_factors": [8, 8],
    "latent_frames": 3,
    "latent_size": 2,
    "camera_levels": 2,
    "camera_codebook_size": 5,
    "camera_frames": 9,
    "camera_feature_size": 3,
    "align_camera": True,
}
BATCH_SIZE, STEPS = 4, 5
PRECISIONS = ("no", "bf16")


def main():
    results = {precision: train(precision) for precision in PRECISIONS}
    if PartialState().is_main_process:
        torch.save({"processes": PartialState().num_processes, **results}, sys.argv[1])


def train(mixed_precision: str) -> dict:
    """Losses of `STEPS` steps, the weights after them, and a video by these weights: sharded where processes are several."""
    AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = Accelerator(cpu=True, mixed_precision=mixed_precision)
    torch.manual_seed(0)
    model = CamViGForConditionalGeneration(CamViGConfig(text_config=TEXT_CONFIG, **GEOMETRY)).train()
    model.set_camera_features(torch.randn(10, 3))
    if accelerator.num_processes > 1:
        shard_on_cpu(accelerator)
    arguments = TrainingArguments("", STEPS, 1, learning_rate=1e-2, muon_learning_rate=2e-2, weight_decay=0.01)
    optimizers = build_optimizers(model, MUON_PATTERN, arguments)
    model, *optimizers = accelerator.prepare(model, *optimizers)
    if accelerator.num_processes > 1:
        check_shards(model)
        register_fsdp_forward_method(model, "generate_video")
    losses = [train_step(accelerator, model, optimizers, step) for step in range(STEPS)]
    video = model.generate_video(batch_of(0)["image_ids"], batch_of(0)["camera_ids"], temperature=0)
    return {"losses": losses, "weights": accelerator.get_state_dict(model), "video": video}


def shard_on_cpu(accelerator: Accelerator):
    plugin = FullyShardedDataParallelPlugin()
    if accelerator.mixed_precision != "no":
        plugin.set_mixed_precision(accelerator.mixed_precision)
    accelerator.state.fsdp_plugin = plugin
    accelerator.state.distributed_type = DistributedType.FSDP
    PartialState._shared_state["distributed_type"] = DistributedType.FSDP


def check_shards(model):
    layers = model.decoder.layers
    assert all(isinstance(layer, FSDPModule) for layer in layers), [type(layer) for layer in layers]
    assert all(isinstance(parameter, DTensor) for parameter in model.parameters())


def batch_of(step: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    codes = torch.randint(5, (BATCH_SIZE, 2, 9), generator=generator)
    return {
        "image_ids": torch.randint(64, (BATCH_SIZE, 4), generator=generator),
        "video_ids": torch.randint(64, (BATCH_SIZE, 8), generator=generator),
        "camera_ids": (codes + torch.tensor([[0], [5]])).flatten(1),
        "camera_is_missing": torch.arange(BATCH_SIZE) % 3 == 1,
    }


def train_step(accelerator: Accelerator, model, optimizers, step: int) -> float:
    """Each process takes its share of the batch; the loss of the whole batch is given back."""
    mine = slice(accelerator.process_index, None, accelerator.num_processes)
    batch = {name: values[mine] for name, values in batch_of(step % 2).items()}
    loss = model(**batch, return_logits=False).loss
    accelerator.backward(loss)
    accelerator.clip_grad_norm_(model.parameters(), 0.5)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()
    model.zero_grad()
    return accelerator.reduce(loss.detach().float(), "mean").item()


if __name__ == "__main__":
    main()
