"""Modules of the project that were imported before the recording began.

pytest imports plugins that -p or PYTEST_PLUGINS name, and those of entry points, before it asks
anybody. What their code looked at meanwhile cannot be seen any more; what it mentions can.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from paceline.impact import source
from paceline.impact.scope import PACKAGE, Scope

#: By which code asks for variables, and for files or folders.
_ASKS_VARIABLES: Final = frozenset(
    ("environ", "environb", "getenv", "getenvb", "expandvars", "expanduser", "home")
)
_ASKS_FILES: Final = frozenset(
    (
        "open", "read_text", "read_bytes", "glob", "rglob", "iglob", "iterdir", "listdir", "walk",
        "scandir", "exists", "lexists", "is_file", "is_dir", "isfile", "isdir", "getmtime",
        "getsize", "stat", "lstat", "access", "connect", "get_data", "joinpath", "read",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Mentioned:
    """What modules may have asked for while they were imported."""

    variables: bool
    files: bool
    modules: frozenset[str]


def early_modules(scope: Scope) -> list[tuple[ModuleType, str]]:
    """Return the project's modules that are there now, with their files."""
    found: list[tuple[ModuleType, str]] = []
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if path and type(module) is ModuleType and scope.counts(os.path.abspath(path)):
            found.append((module, os.path.abspath(path)))
    return found


def mentioned_early(paths: Iterable[str]) -> Mentioned:
    """Return what the import-time code of the files mentions, and the functions that it names."""
    trees = [tree for path in paths if (tree := _tree(path)) is not None]
    walks = [(walk, text) for tree, text in trees if (walk := source.walk_through(tree, text))]
    sources = [source.read(walk, text) for walk, text in walks]
    names = set[str]().union(*(one.blocks[0].names for one in sources))
    functions = [block for one in sources for block in one.blocks[1:]]
    before = -1
    while before != len(names):
        before = len(names)
        for block in functions:
            if block.name.rpartition(".")[2] in names:
                names |= block.names
    return Mentioned(
        not names.isdisjoint(_ASKS_VARIABLES),
        not names.isdisjoint(_ASKS_FILES),
        frozenset(name for tree, _ in trees for name in _imported(tree)),
    )


def rebind(modules: Iterable[ModuleType], replaced: Mapping[Any, Any]) -> Callable[[], None]:
    """Let globals that are functions which were `replaced` be the others; return what undoes it."""
    known = {id(original): (original, other) for original, other in replaced.items()}
    changed: list[tuple[ModuleType, str, Any]] = []
    for module in modules:
        if str(module.__file__).startswith(PACKAGE):
            continue
        for name, value in list(vars(module).items()):
            if id(value) in known:
                changed.append((module, name, value))
                setattr(module, name, known[id(value)][1])

    def undo() -> None:
        for module, name, value in changed:
            setattr(module, name, value)

    return undo


def _tree(path: str) -> tuple[ast.Module, bytes] | None:
    if path.startswith(PACKAGE) or not path.endswith(source.SUFFIXES):
        return None
    try:
        text = Path(path).read_bytes()
    except OSError:
        return None
    tree = source.tree_of(text)
    return None if tree is None else (tree, text)


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield the modules that a file imports by their whole names, wherever it does so."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
