"""Where a look at state begins: at a module, a part of one, or the value of a fixture."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from operator import itemgetter
from types import ModuleType

from paceline.impact.reached import Label, Look
from paceline.impact.ways import DEPTH, ROOT, Entry


def of_module(module: ModuleType) -> Entry:
    """Return the entry whose members are the globals of `module`."""
    return Entry(module.__dict__, ROOT, DEPTH + 1, module.__dict__)


class Parts:
    """The globals of a large module in parts, each with its name, and what is new in a last one."""

    def __init__(self, parts: Sequence[Sequence[str]]) -> None:
        self._parts = [tuple(dict.fromkeys(("__name__", *names))) for names in parts]
        self._known = {name for names in self._parts for name in names}
        self._pick = [itemgetter(*names) for names in self._parts]

    def names(self, key: str) -> list[str]:
        """Return a name for each part, and for the rest, of the module that `key` names."""
        return [f"{key}\0{number}" for number in range(len(self._parts) + 1)]

    def entries(self, module: ModuleType) -> list[Entry]:
        """Return the entries of the parts, and of the rest."""
        return [self.entry(module, number) for number in range(len(self._parts) + 1)]

    def entry(self, module: ModuleType, number: int) -> Entry:
        """Return the entry of one part; the rest comes last."""
        globals_ = module.__dict__
        if number < len(self._parts):
            part = {name: globals_[name] for name in self._parts[number] if name in globals_}
        else:
            part = {name: value for name, value in globals_.items() if name not in self._known}
        return Entry(list(part.values()), ROOT, DEPTH + 1, part)

    def values(self, module: ModuleType) -> list[object]:
        """Return the values of the same entries."""
        globals_ = module.__dict__
        if len(globals_) == len(self._known):
            with contextlib.suppress(KeyError):  # one is gone, and another is there
                return [*(pick(globals_) for pick in self._pick), ()]
        return [entry.value for entry in self.entries(module)]


def parts(look: Look, names: Collection[str], largest: int) -> Parts:
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
    return Parts(found)


def of_fixture(name: str, root: list[object]) -> Entry:
    """Return the entry of a fixture's value, which is the one item of `root`."""
    return Entry(root, frozenset((Label((name,)),)), DEPTH + 1)
