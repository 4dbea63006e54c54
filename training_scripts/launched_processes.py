"""How many processes were asked for, and whether they are there: Accelerate may start fewer without a word.

`accelerate launch --cpu --num_processes 2`, or a configuration of type MULTI_CPU, runs one process. What was asked for
stands in the launcher's command or in its configuration file, and is read by Accelerate's own parser.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import psutil

LAUNCHERS = ("accelerate-launch", "accelerate.commands.launch")
COMMANDS = ("accelerate", "accelerate.commands.accelerate_cli")
"""Those that `launch` follows."""


def check_processes(asked: int | None, there: int):
    """Raises ValueError unless as many processes take part as `training.num_processes` and the launcher's command say."""
    parent = psutil.Process().parent()
    launched = asked_of_launcher(parent.cmdline()) if parent else None
    for expected, where in ((asked, "training.num_processes"), (launched, "accelerate launch")):
        if expected not in (None, there):
            raise ValueError(
                f"expected {expected} processes ({where}), got {there}: on CPUs start them by "
                f"ACCELERATE_USE_CPU=true accelerate launch --multi_gpu --num_processes {expected} ..."
            )


def asked_of_launcher(words: Sequence[str]) -> int | None:
    """Processes of all machines that a command of `accelerate launch` asks for; None for other commands, or without a number."""
    arguments = _launch_arguments(words)
    if arguments is None:
        return None
    from accelerate.commands.config.config_args import default_config_file, load_config_from_file
    from accelerate.commands.launch import launch_command_parser

    options = launch_command_parser().parse_args(arguments)
    if options.num_processes is not None:
        return options.num_processes
    if options.config_file is None and (options.cpu or not os.path.isfile(default_config_file)):
        return None
    return getattr(load_config_from_file(options.config_file), "num_processes", None)  # SageMaker's has none


def _launch_arguments(words: Sequence[str]) -> list[str] | None:
    """What follows the launcher, which stands among the first words."""
    for number, word in enumerate(words[:4]):
        name = Path(word).name
        if name in LAUNCHERS or word.endswith(os.path.join("accelerate", "commands", "launch.py")):
            return list(words[number + 1 :])
        if name in COMMANDS and list(words[number + 1 : number + 2]) == ["launch"]:
            return list(words[number + 2 :])
    return None
