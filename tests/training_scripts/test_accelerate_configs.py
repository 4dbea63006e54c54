"""The shipped configurations of Accelerate mean what they say, by Accelerate's own loader, launcher and FSDP2."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import FullyShardedDataParallelPlugin, patch_environment
from accelerate.utils.fsdp_utils import fsdp2_prepare_auto_wrap_policy
from accelerate.utils.launch import prepare_multi_gpu_env, prepare_simple_launcher_cmd_env

from camvig import CamViGConfig, CamViGForConditionalGeneration
from camvig.training_scripts import stage_config
from camvig.training_scripts.finetune_config import load_finetune

CONFIGS = Path(stage_config.__file__).with_name("configs")
FILES = {
    "one_cpu": ("NO", 1, 1),
    "two_cpus": ("MULTI_GPU", 2, 1),
    "gpus_ddp": ("MULTI_GPU", 8, 1),
    "gpus_fsdp2": ("FSDP", 8, 1),
    "machines_fsdp2": ("FSDP", 16, 2),
}
"""Name -> type, processes of all machines, machines."""


def file_of(name: str) -> Path:
    return CONFIGS / "accelerate" / f"{name}.yaml"


def launch_arguments(name: str, *more: str) -> argparse.Namespace:
    """What `accelerate launch --config_file ... script.py` makes of the file."""
    command = ["--config_file", str(file_of(name)), *more, "script.py"]
    return _validate_launch_command(launch_command_parser().parse_args(command))[0]


def launcher_environment(name: str, *more: str) -> dict[str, str]:
    """The variables that the launcher sets for the processes that it starts."""
    arguments = launch_arguments(name, *more)
    if arguments.multi_gpu or arguments.use_fsdp:
        return prepare_multi_gpu_env(arguments)
    return prepare_simple_launcher_cmd_env(arguments)[1]


def test_all_of_them_are_known():
    assert {file.stem for file in (CONFIGS / "accelerate").iterdir()} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_each_starts_the_processes_that_it_names(name):
    kind, processes, machines = FILES[name]
    config = load_config_from_file(str(file_of(name)))
    assert (config.distributed_type.value, config.num_processes, config.num_machines) == (kind, processes, machines)
    assert config.mixed_precision == "bf16" and config.use_cpu == (name == "one_cpu")
    arguments = launch_arguments(name)
    assert arguments.num_processes == processes
    assert (arguments.multi_gpu, arguments.use_fsdp) == (kind == "MULTI_GPU", kind == "FSDP")
    assert launcher_environment(name, "--machine_rank", "1")["ACCELERATE_MIXED_PRECISION"] == "bf16"


def test_several_machines_share_the_processes_out():
    arguments = launch_arguments("machines_fsdp2", "--machine_rank", "1", "--main_process_ip", "10.1.2.3")
    prepare_multi_gpu_env(arguments)
    assert (arguments.nnodes, arguments.nproc_per_node, arguments.node_rank) == ("2", "8", 1)
    assert arguments.rdzv_endpoint == "10.1.2.3:29500"


@pytest.mark.parametrize("stage", ["transformer_tiny", "transformer_100m", "transformer_paper"])
@pytest.mark.parametrize("name", [name for name, (kind, *_) in FILES.items() if kind == "FSDP"])
def test_fsdp2_shards_the_layers_of_every_shipped_transformer(name, stage):
    config = load_finetune(CONFIGS / f"{stage}.yaml", []).config
    with torch.device("meta"):
        model = CamViGForConditionalGeneration(config)
    plugin = fsdp_plugin(name)
    assert plugin.fsdp_version == 2 and plugin.reshard_after_forward is True and plugin.activation_checkpointing
    assert wrapped_modules(plugin, model) == [f"decoder.layers.{number}" for number in range(len(model.decoder.layers))]


def test_fsdp2_shards_the_layers_of_any_decoder():
    text_config = {"model_type": "llama", "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 2}
    model = CamViGForConditionalGeneration(CamViGConfig(text_config=text_config))
    assert wrapped_modules(fsdp_plugin("gpus_fsdp2"), model) == ["decoder.layers.0", "decoder.layers.1"]


def fsdp_plugin(name: str) -> FullyShardedDataParallelPlugin:
    """As Accelerate reads it in a process that its launcher started."""
    with patch_environment(**launcher_environment(name, "--machine_rank", "1")):
        return FullyShardedDataParallelPlugin()


def wrapped_modules(plugin: FullyShardedDataParallelPlugin, model) -> list[str]:
    plugin.set_auto_wrap_policy(model)
    is_wrapped = fsdp2_prepare_auto_wrap_policy(plugin, model)
    assert is_wrapped is not None
    return [name for name, module in model.named_modules() if is_wrapped(module)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> dict[str, dict]:
    """What `sharded_training.py` gives, started by `accelerate launch` with the configurations for processors."""
    folder = tmp_path_factory.mktemp("sharded")
    sharding = {name: value for name, value in launcher_environment("gpus_fsdp2").items() if name.startswith("FSDP_")}
    environment = {**os.environ, **sharding, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    results = {}
    for name in ("one_cpu", "two_cpus"):
        launcher = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(file_of(name))]
        command = [*launcher, str(Path(__file__).with_name("sharded_training.py")), str(folder / name)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        results[name] = torch.load(folder / name)
    return results


def test_the_launcher_starts_as_many_processes_as_asked(trained):
    assert trained["one_cpu"]["processes"] == 1 and trained["two_cpus"]["processes"] == 2


def test_two_processes_that_shard_the_model_train_it_as_one_does(trained):
    """Losses to rounding; weights to what Muon's bfloat16 products make of it (0.02 a step is its rate)."""
    alone, sharded = trained["one_cpu"]["no"], trained["two_cpus"]["no"]
    assert alone["losses"][-1] < alone["losses"][0] - 0.5
    assert sharded["losses"] == pytest.approx(alone["losses"], rel=1e-5)
    assert sharded["weights"].keys() == alone["weights"].keys()
    for name, weight in alone["weights"].items():
        torch.testing.assert_close(sharded["weights"][name], weight, rtol=0, atol=5e-3)
    assert torch.equal(sharded["video"], alone["video"])


def test_sharded_training_in_bfloat16_stays_near(trained):
    """Accelerate's FSDP2 gives the loss itself in bfloat16, so two or three digits of it."""
    assert trained["two_cpus"]["bf16"]["losses"] == pytest.approx(trained["one_cpu"]["no"]["losses"], rel=5e-3)
