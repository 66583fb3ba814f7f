"""Mutants of one module: its source with one small thing wrong.

Called by `mutation_runs` and by tests/kernel. The operators are cosmic-ray's and those of
`mutant_operators`. Left out, because nothing that runs depends on them:

- annotations, and the text of messages (f-strings),
- arguments of decorators (`frozen=True` is for the type checker and the reader),
- protocols, which nothing runs,
- `assert_never`, which the type checker proves unreachable,
- `==` turned into `is`, which asks the same of singletons and of nothing else here.

A mutant is named by the function it is in and by its line before and after, so a list of reviewed
mutants survives edits elsewhere in the module.
"""

import ast
import functools
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cosmic_ray import mutating, plugins
from cosmic_ray.ast import ast_nodes, get_ast

import sentienguard
from tests.support import mutant_operators

_UNUSED = {"VariableReplacer", "VariableInserter"}  # they need to be told a variable
_IDENTITY = {"Is", "IsNot"}


@dataclass(frozen=True, slots=True)
class Site:
    """Where an operator applies."""

    module: str
    operator: str
    occurrence: int  # as cosmic-ray counts them
    line: int
    place: str  # the function or class it is in; "" for the module itself


@dataclass(frozen=True, slots=True)
class Mutant:
    """One wrong version of a module."""

    site: Site
    before: str  # the changed lines, stripped
    after: str
    source: str  # of the whole module

    @property
    def name(self) -> tuple[str, str, str]:
        """What it is called in a list of reviewed mutants."""
        return self.site.place, self.before, self.after


def file_of(module: str) -> pathlib.Path:
    """Return a module's file."""
    root = pathlib.Path(sentienguard.__path__[0]).parent
    return root.joinpath(*module.split(".")).with_suffix(".py")


@functools.cache
def source_of(module: str) -> str:
    """Return a module's text."""
    return file_of(module).read_text(encoding="utf-8")


def sites(module: str) -> list[Site]:
    """List where a module can be mutated, in the order of its lines."""
    source = source_of(module)
    map_ = _Map(source)
    nodes = list(ast_nodes(get_ast(source)))
    found = []
    for name, operator in _operators().items():
        starts = [start for node in nodes for start, _ in operator.mutation_positions(node)]
        for occurrence, start in enumerate(starts):
            if not map_.is_inert(start) and not _marks_keywords(source, start):
                found.append(Site(module, name, occurrence, start[0], map_.place(start[0])))
    return sorted(found, key=lambda one: (one.line, one.operator, one.occurrence))


def made(found: Iterable[Site]) -> Iterator[Mutant]:
    """Make the mutants of these sites, each source once; a site that changes nothing gives none."""
    seen: dict[str, set[str]] = {}
    operators = _operators()
    for site in found:
        source = source_of(site.module)
        try:
            changed = mutating.mutate_code(source, operators[site.operator], site.occurrence)
        except AttributeError:  # cosmic-ray's ExceptionReplacer knows no `except module.Error`
            continue
        if changed is None or changed in seen.setdefault(site.module, {source}):
            continue
        seen[site.module].add(changed)
        yield Mutant(site, *_difference(source, changed), changed)


@functools.cache
def _operators() -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for name in plugins.operator_names():
        short = name.removeprefix("core/")
        parts = short.split("_")
        if short in _UNUSED:
            continue
        if len(_IDENTITY & set(parts[1:])) == 1:  # from identity, or to it, not among the two
            continue
        found[short] = plugins.get_operator(name)()
    return found | {name: operator() for name, operator in mutant_operators.OWN.items()}


def _difference(source: str, changed: str) -> tuple[str, str]:
    old, new = source.splitlines(), changed.splitlines()
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return _joined(old[head : len(old) - tail]), _joined(new[head : len(new) - tail])


def _joined(lines: list[str]) -> str:
    return " ".join(" ".join(line.split()) for line in lines)


def _marks_keywords(source: str, start: tuple[int, int]) -> bool:
    """Tell whether here stands the `*` before arguments that have names; it multiplies nothing."""
    return source.splitlines()[start[0] - 1][start[1] :].startswith("*,")


def _never_runs(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "assert_never"
    )


def _is_protocol(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and any(
        isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases
    )


class _Map:
    """Where in a module is what."""

    def __init__(self, source: str) -> None:
        self._inert: list[tuple[tuple[int, int], tuple[int, int]]] = []
        self._places: list[tuple[int, int, str]] = []
        self._walk(ast.parse(source), "")

    def is_inert(self, start: tuple[int, int]) -> bool:
        return any(low <= start < high for low, high in self._inert)

    def place(self, line: int) -> str:
        inside = [found for found in self._places if found[0] <= line <= found[1]]
        return max(inside)[2] if inside else ""

    def _walk(self, node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            name = prefix
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                name = f"{prefix}.{child.name}".lstrip(".")
                self._places.append((child.lineno, child.end_lineno or child.lineno, name))
                for decorator in child.decorator_list:
                    if isinstance(decorator, ast.Call):
                        self._leave_out(*decorator.args, *decorator.keywords)
            if isinstance(child, ast.FunctionDef):
                self._leave_out(child.returns)
            elif isinstance(child, ast.arg):
                self._leave_out(child.annotation)
            elif isinstance(child, ast.AnnAssign):
                alias = (
                    isinstance(child.annotation, ast.Name) and child.annotation.id == "TypeAlias"
                )
                self._leave_out(child.annotation, child.value if alias else None)
            elif isinstance(child, ast.JoinedStr) or _never_runs(child) or _is_protocol(child):
                self._leave_out(child)
            self._walk(child, name)

    def _leave_out(self, *nodes: ast.AST | None) -> None:
        for node in nodes:
            if node is not None:
                start, end = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
                self._inert.append((start, end))
