"""The project's modules that Python has loaded, and what tells them apart."""

from __future__ import annotations

import sys
from collections.abc import Callable
from gc import get_referents
from types import ModuleType
from weakref import WeakValueDictionary

from paceline.impact.memory import identities


class Modules:
    """Follows which modules there are; `counts` tells which files are the project's."""

    def __init__(self, counts: Callable[[str], bool]) -> None:
        self._counts = counts
        self._seen = b""
        self._modules: dict[str, ModuleType] = {}
        #: The names under which Python finds them, and those that were taken away.
        self._names: set[str] = set()
        self._taken: set[str] = set()
        #: Some are in no list of Python's, as the conftest files of several folders.
        self._imported: WeakValueDictionary[str, ModuleType] = WeakValueDictionary()
        self._imported.update(self.present())

    def add(self, module: ModuleType) -> None:
        """Take in a module that was just imported."""
        self._imported[key_of(module)] = module
        # Whoever imported it may take it away again before anybody looks.
        self._names.add(module.__name__)
        self._seen = b""

    def present(self) -> dict[str, ModuleType]:
        """Return all modules of now by their keys; the same object as long as nothing changes."""
        seen = identities(get_referents(sys.modules))
        if seen != self._seen:
            self._seen = seen
            self._modules = {}  # nothing is kept alive that only we know
            own = {
                name: module
                for name, module in list(sys.modules.items())
                if self._is_of_project(module)
            }
            self._taken |= self._names - own.keys()
            self._names = {*own}
            others = filter(self._is_of_project, self._imported.values())
            self._modules = {key_of(module): module for module in (*others, *own.values())}
        return self._modules

    def taken(self) -> set[str]:
        """Return the names that were taken out of `sys.modules` since the last call."""
        taken, self._taken = self._taken, set()
        return taken

    def _is_of_project(self, module: object) -> bool:
        if type(module) is not ModuleType:  # a stand-in may do anything when it is asked
            return False
        path = module.__dict__.get("__file__")
        return isinstance(path, str) and self._counts(path)


def key_of(module: ModuleType) -> str:
    """Return what tells a module apart from others of the same name."""
    return f"{module.__name__} {module.__dict__.get('__file__')}"


def name_in(key: str) -> str:
    """Return the name of the module that a key, or that of a part, is of."""
    return key.partition(" ")[0]


def file_in(key: str) -> str:
    """Return the file of the module that a key is of."""
    return key.partition(" ")[2]
