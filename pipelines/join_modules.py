"""Several of our modules joined into one file that needs none of them.

Modules follow one another in the order in which they need each other, imports of our own modules fall away, those of
libraries move to the head, a name that two modules define gets its module's name in front, and a module that is imported
as a whole becomes a namespace. What always holds: the joined file says the same as the modules, or joining stops with a
`ValueError`; no source is guessed at.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .module_sources import Module, OwnImport, Sources, in_order, library_names

SOURCES = Path(__file__).parents[1]
"""The folder of our modules, in a checkout and in an installation."""

HEAD = '''\
"""{title}, from camvig {version}: all of it in one file, so that it loads without camvig being installed.

This file is made of camvig's modules by camvig itself (`camvig push`); change them, not it. Licence: Apache-2.0.
"""

from __future__ import annotations

'''

NOT_IN_THIS_FILE = """

def _not_in_this_file(module):
    raise ImportError(f"this file holds the model alone; for camvig.{module} install the package: pip install camvig")
"""


def join_modules(
    start: str,
    title: str,
    version: str,
    left_out: Sequence[str] = (),
    stand_ins: Mapping[str, str] | None = None,
    root: Path = SOURCES,
) -> str:
    """The module `start` ("pipelines.pipeline_camvig") and all of ours that it needs, as the text of one file.

    Args:
        start: a module below `root`.
        title: what the file holds, for its head.
        version: of camvig, for its head.
        left_out: modules and packages that are not joined; functions that import them raise `ImportError` instead.
        stand_ins: module -> the source to take instead of its own.
        root: the folder of the modules.

    Raises:
        ValueError: what is asked for does not exist, or the modules cannot be joined.
    """
    modules = list(in_order(start, Sources(root, tuple(left_out), stand_ins or {})))
    names = _Names(modules)
    sections = [
        f"\n\n# {'-' * 20} {module.path}\n\n{_section(module, names)}\n{names.namespaces(module)}" for module in modules
    ]
    body = _left_out(modules) + "".join(sections)
    text = HEAD.format(title=title, version=version) + _library_imports(modules, body) + body
    compile(text, start, "exec")
    return text


class _Names:
    """What each module's top-level names are called in the joined file."""

    def __init__(self, modules: list[Module]):
        self.modules = modules
        libraries = {bound for module in modules for bound, _, _ in library_names(module)}
        counted = Counter(name for module in modules for name in module.defined)
        self.as_namespace: dict[str, str] = {}  # alias -> module, where a module itself is imported
        for module in modules:
            for one in module.own_imports:
                if one.name is None and not one.is_left_out:
                    self._add_namespace(one)
        twice = {name for name, count in counted.items() if count > 1}
        self.taken = twice | libraries | set(self.as_namespace) | set(dir(builtins))
        everything = Counter(
            [
                *libraries,
                *self.as_namespace,
                *(self.final(module.name, name) for module in modules for name in module.defined),
            ]
        )
        for name, count in everything.items():
            if count > 1:
                raise ValueError(f"expected names that can be joined, got {name} for two things in {modules[-1].path}")

    def _add_namespace(self, one: OwnImport) -> None:
        if self.as_namespace.setdefault(one.bound, one.module) != one.module:
            raise ValueError(f"expected one module as {one.bound}, got {self.as_namespace[one.bound]} and {one.module}")

    def final(self, module: str, name: str) -> str:
        """The name in the joined file of what a module calls `name`."""
        if name not in self.taken:
            return name
        private = "_" if name.startswith("_") else ""
        return f"{private}{module.split('.')[-1]}_{name.lstrip('_')}"

    def changed_in(self, module: Module) -> dict[str, str]:
        """Name in the module's source -> name in the joined file, where they differ."""
        own = {name: self.final(module.name, name) for name in module.defined}
        imported = {
            one.bound: self.final(one.module, one.name)
            for one in module.own_imports
            if one.name is not None and not one.is_left_out
        }
        return {name: final for name, final in {**own, **imported}.items() if name != final}

    def namespaces(self, module: Module) -> str:
        """`moves = SimpleNamespace(...)` after a module that others import as a whole."""
        members = "".join(f"    {name}={self.final(module.name, name)},\n" for name in module.defined)
        aliases = sorted(alias for alias, name in self.as_namespace.items() if name == module.name)
        return "".join(f"\n\n{alias} = _SimpleNamespace(\n{members})\n" for alias in aliases)


def _section(module: Module, names: _Names) -> str:
    """A module's text without its imports, with the names of the joined file."""
    lines = module.source.encode().splitlines(keepends=True)
    edits: list[tuple[ast.AST, str]] = [(node, "") for node in (*module.typing_blocks, *module.library_imports)]
    inside = {id(node) for block in module.typing_blocks for node in block.body}
    for one in module.own_imports:
        if id(one.statement) not in inside and (one.statement, "") not in edits:
            edits.append((one.statement, _instead(one)))
    edits += list(_renamed(module, names.changed_in(module)))
    for node, text in sorted({_span(node): (node, text) for node, text in edits}.values(), key=_place, reverse=True):
        _replace(lines, _span(node), text)
    return "\n".join(line.rstrip() for line in b"".join(lines).decode().strip().splitlines())


def _instead(one: OwnImport) -> str:
    if not one.is_left_out:
        return ""
    if not one.is_deferred:
        raise ValueError(f"expected {one.module} to be imported inside a function only, as it is left out")
    names = ", ".join(alias.asname or alias.name for alias in one.statement.names)
    return f'{names} = _not_in_this_file("{one.module}")'


def _renamed(module: Module, changed: dict[str, str]) -> Iterator[tuple[ast.AST, str]]:
    """Every use of a changed name at its place; a function to which the name is a local one keeps it."""

    def visit(node: ast.AST, changed: dict[str, str]) -> Iterator[tuple[ast.AST, str]]:
        if isinstance(node, ast.Name) and node.id in changed:
            yield node, changed[node.id]
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in changed and node in module.tree.body:
            yield _name_of_definition(node), changed[node.name]
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            changed = {name: final for name, final in changed.items() if name not in _locals(node)}
        for child in ast.iter_child_nodes(node):
            yield from visit(child, changed)

    return visit(module.tree, changed)


def _locals(function: ast.AST) -> set[str]:
    arguments = {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
    return arguments | {
        node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _name_of_definition(node: ast.FunctionDef | ast.ClassDef) -> ast.Name:
    """The place of the name after "def " or "class "."""
    skipped = len("class " if isinstance(node, ast.ClassDef) else "def ")
    start = node.col_offset + skipped
    return ast.Name(
        node.name, lineno=node.lineno, end_lineno=node.lineno, col_offset=start, end_col_offset=start + len(node.name)
    )


def _span(node: ast.AST) -> tuple[int, int, int, int]:
    return node.lineno - 1, node.col_offset, node.end_lineno - 1, node.end_col_offset  # type: ignore[attr-defined]


def _place(edit: tuple[ast.AST, str]) -> tuple[int, int, int, int]:
    return _span(edit[0])


def _replace(lines: list[bytes], span: tuple[int, int, int, int], text: str) -> None:
    """Offsets of Python's parser count bytes, so lines are bytes."""
    first, start, last, end = span
    lines[first : last + 1] = [lines[first][:start] + text.encode() + lines[last][end:]]


def _library_imports(modules: list[Module], body: str) -> str:
    """The head of the joined file: each name once, those alone that the body uses."""
    origins: dict[str, tuple[str, str]] = {"_SimpleNamespace": ("types", "SimpleNamespace")}
    for module in modules:
        for bound, source, name in library_names(module):
            if origins.setdefault(bound, (source, name)) != (source, name):
                raise ValueError(f"expected one {bound} in all modules, got another in {module.path}")
    used = set(re.findall(r"\w+", body))
    plain, names_of = [], defaultdict(list)
    for bound, (source, name) in origins.items():
        if bound.split(".")[0] not in used:
            continue
        renamed = "" if bound == (name or source) else f" as {bound}"
        if name:
            names_of[source].append(f"{name}{renamed}")
        else:
            plain.append(f"import {source}{renamed}")
    joined = [f"from {source} import {', '.join(sorted(names))}" for source, names in names_of.items()]
    return "\n".join([*sorted(plain), *sorted(joined)]) + "\n"


def _left_out(modules: list[Module]) -> str:
    """What stands for the modules that are left out, if any is asked for."""
    left_out = [(module, one) for module in modules for one in module.own_imports if one.is_left_out]
    in_types = {
        one.bound for module, one in left_out if any(one.statement in block.body for block in module.typing_blocks)
    }
    lines = "".join(
        f"\n\n{name} = object  # a type of a module that is not in this file\n" for name in sorted(in_types)
    )
    return (NOT_IN_THIS_FILE if left_out else "") + lines


def libraries_of(text: str) -> set[str]:
    """Top-level names of what a file imports beyond the standard library."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(str(node.module).split(".")[0])
    return {name for name in names if name not in sys.stdlib_module_names}
