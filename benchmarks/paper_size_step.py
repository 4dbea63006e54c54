"""Can the paper's size be trained on this machine? One LoRA step and one full-parameter step; one JSON line.

    python benchmarks/paper_size_step.py [--mode lora full] [--threads 1] [--config ...]

Each mode runs in a process of its own, whose peak resident memory the operating system reports. Random weights, one random
sample, bfloat16 autocast, activation checkpointing, and what a user would take:

- "lora": the base in bfloat16 and frozen, adapters of rank 16 on all linear maps in float32, AdamW on the adapters.
- "full": float32 weights and gradients; Muon (one moment) for the decoder's matrices, AdamW for the rest, as the trainer has it.

Utilisation = the model's own FLOPs of forward and backward (`model.cost()`) over the time of the whole step, optimizer and
recomputation included, and over the rate of a 2048 x 2048 product in the same process (`transformer_step.py`).
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformer_step import TrainingStep

from camvig import CamViGForConditionalGeneration
from camvig.training_scripts.finetune_config import load_finetune

DEFAULT_CONFIG = Path(__file__).parents[1] / "training_scripts/configs/transformer_paper.yaml"
LORA_RANK = 16


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG)
    parser.add_argument("--mode", nargs="+", choices=["lora", "full"], default=["lora", "full"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--in-this-process", action="store_true", help="measure one mode, without its peak memory")
    options = parser.parse_args()
    if options.in_this_process:
        print(json.dumps(one_step(options.config, options.mode[0], options.threads)))
        return
    results = {mode: in_own_process(options.config, mode, options.threads) for mode in options.mode}
    print(json.dumps({"benchmark": "paper_size_step", "config": options.config.stem, **results}))


def in_own_process(config: Path, mode: str, threads: int) -> dict:
    """`one_step` in a new process, and the most memory that it ever had resident."""
    arguments = ["--config", str(config), "--mode", mode, "--threads", str(threads), "--in-this-process"]
    process = subprocess.Popen([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the {mode} step ended with exit status {process.returncode} (-9: out of memory)")
    return json.loads(output) | {"peak_gb": round(usage.ru_maxrss * 1024 / 1e9, 2)}  # ru_maxrss: KiB on Linux


def one_step(config_file: Path, mode: str, threads: int) -> dict:
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    stage = load_finetune(config_file, [])
    config, training = stage.config, replace(stage.training, mixed_precision="bf16")
    started = time.perf_counter()
    base = CamViGForConditionalGeneration(config).train()
    base.set_attn_implementation("camvig_matmul")
    base.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    adapters = LoraConfig(r=LORA_RANK, lora_alpha=2 * LORA_RANK, target_modules="all-linear")
    adapted = get_peft_model(base.to(torch.bfloat16), adapters) if mode == "lora" else None  # type: ignore[arg-type]
    built = time.perf_counter() - started
    cost, step = base.cost(), TrainingStep(base, training, 1, threads=threads, adapted=adapted)
    measured = step.measure(1)
    step.compute_gradients()  # now beside the optimizer's moments: the peak is that of any later step
    return {
        "parameters": cost.parameters,
        "trainable_parameters": cost.trainable_parameters,
        "sequence_tokens": cost.sequence_tokens,
        "adamw_state_gb": round(cost.training_state_bytes / 1e9, 2),
        "build_seconds": round(built, 1),
        "threads": threads,
        **measured,
    }


if __name__ == "__main__":
    main()
