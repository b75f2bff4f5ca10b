"""Where a look at state begins: at a module, a part of one, or the value of a fixture."""

from __future__ import annotations

from collections.abc import Collection
from types import ModuleType
from typing import Any

from paceline.impact.reach import DEPTH, ROOT, Entry, Label, Look


def of_module(module: ModuleType) -> Entry:
    """Return the entry whose members are the globals of `module`."""
    return Entry(module.__dict__, ROOT, DEPTH + 1, module.__dict__)


def of_part(module: ModuleType, names: Collection[str]) -> Entry:
    """Return the entry of those globals of `module` that are there."""
    globals_, kept = module.__dict__, ("__name__", *names)
    return _of_names({name: globals_[name] for name in kept if name in globals_})


def of_rest(module: ModuleType, names: Collection[str]) -> Entry:
    """Return the entry of all other globals of `module`."""
    return _of_names({name: one for name, one in module.__dict__.items() if name not in names})


def _of_names(names: dict[str, Any]) -> Entry:
    return Entry(list(names.values()), ROOT, DEPTH + 1, names)


def parts(look: Look, names: Collection[str], largest: int) -> list[list[str]]:
    """Divide the globals of a module so that each part leads to about `largest` objects."""
    sizes = dict.fromkeys(names, 0)
    for label, prints in look.prints.items():
        for name in label & sizes.keys():
            sizes[name] += len(prints)
    found: list[list[str]] = []
    left = 0
    for name, size in sizes.items():
        if not found or size > left:
            found.append([])
            left = largest
        found[-1].append(name)
        left -= size
    return found


def of_fixture(name: str, root: list[object]) -> Entry:
    """Return the entry of a fixture's value, which is the one item of `root`."""
    return Entry(root, frozenset((Label((name,)),)), DEPTH + 1)
