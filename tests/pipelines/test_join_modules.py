"""Modules joined into one file: the file says what they say, or joining stops."""

from __future__ import annotations

import builtins
import symtable
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from camvig import CameraPath
from camvig.pipelines.join_modules import join_modules, libraries_of
from camvig.pipelines.standalone_files import COMPONENT_FILES, LEFT_OUT, PIPELINE_FILE, STAND_INS

MODULES = {
    "shapes/circle.py": '''"""Circles — π."""
from __future__ import annotations
import math as m
from typing import TYPE_CHECKING
from .. import units
from ..units import scale as to_unit
if TYPE_CHECKING:
    from .square import Square

def area(radius: float) -> float: return to_unit(m.pi * radius**2)  # ∅
def _number(): return 1
def same_area(square: Square):
    from .square import side_of
    return side_of(area(1.0)), _number(), units.scale(1)
def shadowed(area): return area + 1
class Circle:
    def area(self): return area(self.radius)
    radius = 2.0
''',
    "shapes/square.py": """import math as m
from .circle import area as circle_area, Circle
def area(side): return side**2
def _number(): return 2
def side_of(of): return m.sqrt(of), _number(), area(3), circle_area(0), Circle().area()
Square = float
def draw():
    from ..plots import plot, colours
    return plot(colours)
""",
    "units.py": """def scale(value): return 10 * value
def round(value): return "ours"
def rounded(value): return round(value)
""",
    "plots.py": "def plot(colours): return colours\ncolours = 1\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, source in MODULES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source, encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict]:
    """`run(text)`: what a module of this text holds, imported as dataclasses need it."""

    def names(text: str) -> dict:
        module = ModuleType("joined")
        monkeypatch.setitem(sys.modules, "joined", module)
        exec(compile(text, "joined.py", "exec"), module.__dict__)
        return module.__dict__

    return names


def test_names_of_two_modules_stay_apart(root, run):
    joined = run(join_modules("shapes.circle", "Circles", "1.2", left_out=("plots",), root=root))
    pi_10 = 31.41592653589793
    (side, number, nine, nothing, of_class), one, ten = joined["same_area"](4.0)
    assert side == pytest.approx(pi_10**0.5) and (number, nine, nothing) == (2, 9, 0)
    assert of_class == pytest.approx(4 * pi_10)
    assert (one, ten) == (1, 10)
    assert joined["shadowed"](1) == 2
    assert joined["rounded"](0.5) == "ours" and "round" not in joined


def test_what_is_left_out_says_what_to_install(root, run):
    joined = run(join_modules("shapes.circle", "Circles", "1.2", left_out=("plots",), root=root))
    with pytest.raises(ImportError, match=r"camvig\.plots.*pip install camvig"):
        joined["draw"]()


def test_a_stand_in_replaces_a_module(root, run):
    stand_ins = {"units": "def scale(value): return value\n"}
    joined = run(join_modules("shapes.circle", "Circles", "1.2", ("plots",), stand_ins, root))
    assert joined["Circle"]().area() == pytest.approx(4 * 3.141592653589793)


@pytest.mark.parametrize(
    ("name", "source", "reason"),
    [
        ("units.py", "from .missing import x\ndef scale(v): return v\n", "got missing"),
        ("units.py", "from .plots import plot\ndef scale(v): return v\n", "imported inside a function only"),
        ("units.py", "import cmath as m\ndef scale(v): return v\n", "expected one m in all modules"),
        (
            "units.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import os\ndef scale(v): return v\n",
            "under TYPE_CHECKING",
        ),
    ],
)
def test_what_cannot_be_joined_is_an_error(root, name, source, reason):
    (root / name).write_text(source)
    with pytest.raises(ValueError, match=reason):
        join_modules("shapes.circle", "Circles", "1.2", left_out=("plots",), root=root)


def globals_used(table: symtable.SymbolTable) -> set[str]:
    used = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global() and symbol.is_referenced()}
    return used.union(*(globals_used(child) for child in table.get_children()))


@pytest.mark.parametrize("file", [PIPELINE_FILE, *COMPONENT_FILES.values()], ids=lambda file: file[0])
def test_our_own_modules_leave_no_name_open(file):
    _, module, class_name = file
    text = join_modules(module, class_name, "1", LEFT_OUT, STAND_INS if file is PIPELINE_FILE else None)
    table = symtable.symtable(text, "joined.py", "exec")
    bound = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    bound |= {child.get_name() for child in table.get_children()}
    given = set(dir(builtins)) | {"__file__", "__name__"}
    assert globals_used(table) - bound - given == set()
    assert "from ." not in text and "camvig" not in libraries_of(text)
    assert class_name in bound


def test_joined_camera_paths_are_the_same(run):
    joined = run(join_modules("camera_paths.camera_path", "CameraPath", "1", LEFT_OUT))
    for text in (
        "dolly in 30%, pan right 10deg then orbit left 15deg",
        "motionctrl: pan left",
        "w-3,right-1",
        "handheld",
    ):
        ours, theirs = CameraPath.from_text(text), joined["CameraPath"].from_text(text)
        assert (ours.camera_to_world == theirs.camera_to_world).all() and ours.describe() == theirs.describe()
    with pytest.raises(ImportError, match="pip install camvig"):
        joined["CameraPath"].from_file("path.json")
