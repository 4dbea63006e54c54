"""How a run was started: one line of `starts.jsonl` a start, with the command, configuration, commit, versions and machine.

A run that is killed and goes on has a line for each start. Tokens of the Hub are not written.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

STARTS = "starts.jsonl"
PACKAGES = ("camvig", "torch", "transformers", "diffusers", "accelerate", "peft", "numpy")
LAUNCHERS = ("accelerate", "torchrun")
SET_FOR_LAUNCH = ("ACCELERATE_USE_CPU", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")


def start_record(step: int, config: dict[str, Any], processes: int) -> dict[str, Any]:
    """The line of a start that goes on from `step`; `config` has the sections `model`, `data` and `training`."""
    return {
        "step": step,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command_line(),
        "folder": os.getcwd(),
        "commit": commit(),
        "versions": {"python": platform.python_version(), **versions()},
        "machine": machine(),
        "processes": processes,
        "config": config,
    }


def command_line() -> str:
    """What was typed, as far as a process can know it: the launcher's command if there is one, else Python's."""
    parent = psutil.Process().parent()
    launched = _from_launcher(parent.cmdline()) if parent else None
    if launched is None or parent is None:
        return without_secrets(["python", *sys.orig_argv[1:]])
    settings = [f"{name}={value}" for name, value in parent.environ().items() if name in SET_FOR_LAUNCH]
    return without_secrets([*settings, *launched])


def _from_launcher(words: Sequence[str]) -> list[str] | None:
    for number, word in enumerate(words[:3]):
        if Path(word).name in LAUNCHERS:
            return [Path(word).name, *words[number + 1 :]]
    return None


def without_secrets(words: Sequence[str]) -> str:
    """Words as a shell takes them; what looks like a Hub token, or follows --...token, becomes three dots."""
    shown, hide_next = [], False
    for word in words:
        name, equals, _ = word.partition("=")
        is_token_option = word.startswith("-") and name.lower().endswith("token")
        if hide_next:
            word = "..."
        elif is_token_option and equals:
            word = f"{name}=..."
        hide_next = is_token_option and not equals
        shown.append(shlex.quote(re.sub(r"hf_\w{8,}", "...", word)))
    return " ".join(shown)


def commit() -> str | None:
    """Commit of the source that runs, "-dirty" where files are changed; None outside a checkout."""
    folder = Path(__file__).resolve().parent
    try:
        words = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def commits(starts: Sequence[dict[str, Any]], step: int) -> str | None:
    """The commits, each as it was at a start, of the starts whose steps are in a run that has come to `step`.

    One, or several in their order ("abc, def") where the source changed between starts; None where none is known.
    """
    first = max((number for number, start in enumerate(starts) if start["step"] == 0), default=0)
    lasting = list(starts[first:])
    ends = [*(start["step"] for start in lasting[1:]), step]
    kept = [start["commit"] for start, end in zip(lasting, ends, strict=True) if end > start["step"]]
    return ", ".join(dict.fromkeys(one for one in kept if one)) or None


def versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """Processor, cores that this process may use, memory, accelerators."""
    import torch

    accelerators = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return {
        "processor": _processor(),
        "cores": len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "accelerators": accelerators,
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    """Its name; Linux keeps it in a file, other systems tell Python."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = re.findall(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        if names:
            return names[0]
    return platform.processor() or platform.machine()


def flattened(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as `section.key`; lists become text, and so does what is no plain value."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= flattened(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value if isinstance(value, (bool, int, float, str)) else str(value)
    return flat
