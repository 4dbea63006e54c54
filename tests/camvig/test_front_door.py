"""`import camvig` and `camvig --help` must not pull in the libraries that take seconds."""

from __future__ import annotations

import subprocess
import sys

import pytest

import camvig

SLOW = ("torch", "transformers", "diffusers", "numpy", "matplotlib", "PIL", "scipy", "av")


def imported_by(code: str) -> set[str]:
    """Names of modules in a fresh interpreter after it ran this code."""
    script = f"import sys\n{code}\nprint(*(name for name in {SLOW!r} if name in sys.modules))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "code",
    ["import camvig", "import camvig.cli", "import camvig.cli; camvig.cli.main(['generate', '--help']); print()"],
)
def test_the_front_door_is_light(code):
    assert imported_by(code) == set()


def test_every_public_name_can_be_imported():
    for name in camvig.__all__:
        assert getattr(camvig, name) is not None
    assert set(dir(camvig)) == set(camvig.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        camvig.nothing  # noqa: B018
