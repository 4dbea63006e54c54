"""Our own modules as source text: what each binds at its top level, what it imports, and the order in which they need each other.

`join_modules` makes one file of them. What always holds: nothing is imported or run; a module that cannot be understood is a
`ValueError`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True)
class Sources:
    """Where modules are read from, and which are not."""

    root: Path
    left_out: tuple[str, ...] = ()
    stand_ins: Mapping[str, str] = field(default_factory=dict)

    def is_left_out(self, module: str) -> bool:
        return any(module == one or module.startswith(one + ".") for one in self.left_out)


@dataclass(frozen=True)
class OwnImport:
    """One name of an import of ours: `from .moves import dolly as move` or `from . import moves`."""

    statement: ast.ImportFrom
    module: str  # the module that it reads
    name: str | None  # of what is taken from it; None for the module itself
    bound: str  # the name it gets
    is_deferred: bool  # inside a function, or for type checkers alone
    is_left_out: bool


class Module:
    """The source of one of our modules, and what it binds and imports."""

    def __init__(self, name: str, sources: Sources):
        self.name, self.sources = name, sources
        self.path = name.replace(".", "/") + ".py"
        file = sources.root / self.path
        if name not in sources.stand_ins and not file.is_file():
            raise ValueError(f"expected a module of camvig, got {name}")
        self.source = sources.stand_ins.get(name) or file.read_text(encoding="utf-8")
        self.tree = ast.parse(self.source)

    @cached_property
    def typing_blocks(self) -> list[ast.If]:
        """`if TYPE_CHECKING:` with nothing but imports of ours."""
        blocks = [node for node in self.tree.body if isinstance(node, ast.If) and _is_type_checking(node.test)]
        for block in blocks:
            if block.orelse or not all(isinstance(node, ast.ImportFrom) and node.level for node in block.body):
                raise ValueError(f"expected only imports of ours under TYPE_CHECKING in {self.path}, got others")
        return blocks

    @cached_property
    def own_imports(self) -> list[OwnImport]:
        at_once = {id(node) for node in self.tree.body}
        found = []
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.ImportFrom) or not node.level:
                continue
            base = ".".join([*self.name.split(".")[: -node.level], *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}".removeprefix(".")
                is_module = (self.sources.root / f"{inner.replace('.', '/')}.py").is_file()
                module, name = (inner, None) if is_module else (base, alias.name)
                is_deferred, is_left_out = id(node) not in at_once, self.sources.is_left_out(module)
                found.append(OwnImport(node, module, name, alias.asname or alias.name, is_deferred, is_left_out))
        return found

    @cached_property
    def library_imports(self) -> list[ast.Import | ast.ImportFrom]:
        """Of the head of the module; those inside functions stay there."""
        return [
            node
            for node in self.tree.body
            if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and not node.level)
        ]

    @cached_property
    def defined(self) -> list[str]:
        """Names that the module itself binds at its top level."""
        return sorted(set(_bound_at_top(self.tree.body)))


def in_order(start: str, sources: Sources) -> Iterator[Module]:
    """A module after those that it needs while it is imported; what functions import comes last."""
    done, later = set(), [start]

    def visit(name: str) -> Iterator[Module]:
        if name in done:
            return
        done.add(name)
        module = Module(name, sources)
        needed = [one for one in module.own_imports if not one.is_left_out]
        for one in needed:
            if not one.is_deferred:
                yield from visit(one.module)
        later.extend(one.module for one in needed if one.is_deferred)
        yield module

    while later:
        yield from visit(later.pop(0))


def _bound_at_top(body: Iterable[ast.stmt]) -> Iterator[str]:
    def visit(node: ast.AST) -> Iterator[str]:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif not isinstance(node, _SCOPES):
            for child in ast.iter_child_nodes(node):
                yield from visit(child)

    for node in body:
        yield from visit(node)


def _is_type_checking(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def library_names(module: Module) -> Iterator[tuple[str, str, str]]:
    """(bound name, module it is from, name there) of imports at the head; ("np", "numpy", "") is the module numpy itself."""
    for node in module.library_imports:
        for alias in node.names:
            if isinstance(node, ast.ImportFrom):
                if node.module != "__future__":
                    yield alias.asname or alias.name, str(node.module), alias.name
            elif alias.asname and "." in alias.name:
                package, _, name = alias.name.rpartition(".")
                yield alias.asname, package, name  # import a.b as c is from a import b as c
            else:
                yield alias.asname or alias.name, alias.name, ""
