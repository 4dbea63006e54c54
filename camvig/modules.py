"""Modules of the package, imported when a command needs them, so that `camvig --help` stays quick."""

from __future__ import annotations

import importlib
from types import ModuleType


def module(name: str) -> ModuleType:
    """`module("pipelines.demo")` is `camvig.pipelines.demo`."""
    return importlib.import_module(f"camvig.{name}")
