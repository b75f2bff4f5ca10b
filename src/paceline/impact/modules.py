"""The project's modules that Python has loaded, and what tells them apart."""

from __future__ import annotations

import sys
from collections.abc import Callable
from gc import get_referents
from types import ModuleType
from weakref import WeakValueDictionary

from paceline.impact.memory import Versions, identities
from paceline.impact.values import printed


class Modules:
    """Follows which modules there are; `counts` tells which files are the project's."""

    def __init__(self, counts: Callable[[str], bool]) -> None:
        self._counts = counts
        self._seen = b""
        #: The dict that has them, and whether it changes.
        self._table: object = None
        self._versions = Versions(())
        self._modules: dict[str, ModuleType] = {}
        #: The names under which Python finds them, and those that were taken away.
        self._names: set[str] = set()
        self._taken: set[str] = set()
        #: What stands in the place of modules, as tests put it there, by name.
        self._stand_ins: dict[str, object] = {}
        #: Some are in no list of Python's, as the conftest files of several folders.
        self._imported: WeakValueDictionary[str, ModuleType] = WeakValueDictionary()
        self._imported.update(self.present())
        self._taken.clear()

    def add(self, module: ModuleType) -> None:
        """Take in a module that was just imported."""
        self._imported[key_of(module)] = module
        # Whoever imported it may take it away again before anybody looks.
        self._names.add(module.__name__)
        self._seen = b""

    def present(self) -> dict[str, ModuleType]:
        """Return all modules of now by their keys; the same object as long as nothing changes."""
        if self._table is not sys.modules:
            self._table, self._versions, self._seen = sys.modules, Versions((sys.modules,)), b""
        if not self._versions.changed() and self._seen:
            return self._modules
        seen = identities(get_referents(sys.modules))
        if seen != self._seen:
            self._seen = seen
            self._modules = {}  # nothing is kept alive that only we know
            own: dict[str, ModuleType] = {}
            stand_ins: dict[str, object] = {}
            for name, module in list(sys.modules.items()):
                if self._is_of_project(module):
                    own[name] = module
                elif _is_stand_in(module):
                    stand_ins[name] = printed(module)
            self._taken |= self._names - own.keys()
            self._names = {*own}
            # Where there are others than before.
            self._taken |= {name for name, _ in self._stand_ins.items() ^ stand_ins.items()}
            self._stand_ins = stand_ins
            others = filter(self._is_of_project, self._imported.values())
            self._modules = {key_of(module): module for module in (*others, *own.values())}
        return self._modules

    def taken(self) -> set[str]:
        """Return the names in `sys.modules` under which modules were taken away or exchanged."""
        taken, self._taken = self._taken, set()
        return taken

    def _is_of_project(self, module: object) -> bool:
        if type(module) is not ModuleType:  # a stand-in may do anything when it is asked
            return False
        path = module.__dict__.get("__file__")
        return isinstance(path, str) and self._counts(path)


def _is_stand_in(module: object) -> bool:
    """Return whether something in `sys.modules` is no module that Python imported."""
    if not issubclass(type(module), ModuleType):
        return True
    own = object.__getattribute__(module, "__dict__")
    return "__file__" not in own and own.get("__spec__") is None


def key_of(module: ModuleType) -> str:
    """Return what tells a module apart from others of the same name."""
    return f"{module.__name__} {module.__dict__.get('__file__')}"


def name_in(key: str) -> str:
    """Return the name of the module that a key, or that of a part, is of."""
    return key.partition(" ")[0]


def file_in(key: str) -> str:
    """Return the file of the module that a key is of."""
    return key.partition(" ")[2]
