"""What tests leave set in what is not the project's: `json.dumps = stand_in`, `config.mode = 1`.

There are many of them and they rarely change, so all are compared at once: whether anything in
them is another object. What has changed once is compared by itself. What modules keep in
containers, `impact.registries` compares.
"""

from __future__ import annotations

import builtins
import sys
from abc import ABCMeta
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from gc import get_referents
from types import FunctionType, ModuleType
from typing import Any, Final

from paceline.impact.memory import Versions, held, identities
from paceline.impact.mentions import names_of_functions
from paceline.impact.reached import Change, Label
from paceline.impact.registries import Registries
from paceline.impact.values import printed
from paceline.impact.ways import BOOKKEEPING

#: These change of themselves, and what matters of them is read elsewhere.
_RESTLESS: Final = frozenset(
    ("sys", "warnings", "tempfile", "_pytest", "pluggy", "hypothesis", "coverage", "paceline",
     "xdist", "testmon")
)  # fmt: skip
#: Packages that keep books of their own, or that are compared by what they keep.
_BUSY: Final = frozenset((*BOOKKEEPING, "builtins", "inspect", "os", "random"))
#: The kinds of classes that run no code when they are looked at.
_CLASSES: Final = (type, ABCMeta)
#: The flag of those in C whose attributes nobody can set (object.h, Py_TPFLAGS_IMMUTABLETYPE).
_IMMUTABLE: Final = 1 << 8
_NEVER_THERE: Final = object()


@dataclass(slots=True)
class _Compared:
    """A module with its namespace and those of its classes, and what was found there.

    `given` are attributes that do not count, `restless` tells whether anything was ever replaced.
    """

    name: str
    namespaces: list[tuple[str, Mapping[Any, Any]]]
    given: frozenset[tuple[str, object]] = frozenset()
    #: The module that it is, or is of, if what it keeps in containers is compared.
    module: ModuleType | None = None
    identities: bytes | None = None
    attributes: dict[tuple[str, object], object] = field(default_factory=dict)
    restless: bool = False

    def changed(self) -> set[tuple[str, object]]:
        """Return which attributes are others than at the last call, of whom; none at the first."""
        now = held(namespace for _, namespace in self.namespaces)
        if now == self.identities:
            return set()
        self.restless = self.identities is not None
        before, found = self.attributes, dict(self._told())
        self.identities, self.attributes = now, found
        return {
            one
            for one in before.keys() | found.keys()
            if self.restless and before.get(one, _NEVER_THERE) != found.get(one, _NEVER_THERE)
        }

    def _told(self) -> Iterable[tuple[tuple[str, object], object]]:
        for owner, namespace in self.namespaces:
            for name, value in list(namespace.items()):
                text = name if type(name) is str else ""
                if type(value) is ModuleType or (text.startswith("__") and text.endswith("__")):
                    continue  # submodules come with imports
                # What begins with an underscore a class keeps for itself.
                if not (owner and text.startswith("_")) and (owner, name) not in self.given:
                    yield (owner, name), printed(value)


class Foreign:
    """Compares what the project's modules have as globals: modules, classes, functions of others.

    Submodules that their code names are compared as well.
    """

    def __init__(self) -> None:
        self._own: Mapping[str, ModuleType] = {}
        #: The globals of each of the project's modules when they were looked through; what their
        #: functions name, and the names of the modules among the globals.
        self._globals: dict[str, bytes] = {}
        self._named: set[str] = set()
        self._packages: set[object] = set()
        self._compared = {"builtins": _of_module(builtins)}
        #: Those of which the registries were not taken in yet.
        self._new: set[str] = set()
        self._restless: list[_Compared] = []
        #: The namespaces of all that is quiet, and what was in them; None if that is not known.
        self._quiet: list[Mapping[Any, Any]] = []
        self._identities = b""
        self._versions: Versions | None = None
        self._registries = Registries()

    def changed(self, own: Mapping[str, ModuleType]) -> dict[Label, Change]:
        """Return what is not as at the last call, and how; `own` are the project's modules."""
        if own is not self._own:
            self._own = own
            self._take_in()
        changes = self._registries.changed()
        if self._is_quiet():
            found = _changed(self._restless)
        else:
            found = _changed(self._compared.values())
            quiet = [one for one in self._compared.values() if not one.restless]
            self._restless = [one for one in self._compared.values() if one.restless]
            self._quiet = [namespace for one in quiet for _, namespace in one.namespaces]
            self._identities = held(self._quiet)
            self._versions = Versions(self._quiet)
        self._take_in_registries(self._new | found.keys())
        labels = {_label(name, *one) for name, some in found.items() for one in some}
        return {label: Change() for label in labels} | changes

    def _is_quiet(self) -> bool:
        """Return whether nothing in what was quiet is another object than before."""
        if self._versions is None:
            return False
        # What was set and put back is another version.
        return not self._versions.changed() or held(self._quiet) == self._identities

    def _take_in_registries(self, names: Set[str]) -> None:
        for name in names:
            one = self._compared[name]
            if one.module is not None and one.module.__name__.partition(".")[0] not in _BUSY:
                self._registries.take_in(name, one.module, one.namespaces)
        if names:
            self._registries.arrange()
            self._new.clear()

    def add(self, name: str, namespaces: Mapping[str, Mapping[Any, Any]]) -> None:
        """Compare what comes into these namespaces, by owner: by its name go keys that are none.

        What is there changes as pytest works, such as how many tests have failed.
        """
        given = {(owner, key) for owner, found in namespaces.items() for key in found}
        self._compared[name] = _Compared(name, list(namespaces.items()), frozenset(given))
        self._compared[name].changed()
        self._versions = None

    def _take_in(self) -> None:
        left_out = {module.__name__ for module in self._own.values()} | _RESTLESS
        for value in self._found():
            name = _name(value)
            if name is None or name in self._compared:
                continue
            if left_out.isdisjoint((name, name.partition(".")[0], name.rpartition(".")[0])):
                made = _of_module(value) if type(value) is ModuleType else _of_class(name, value)
                self._compared[name] = made
                self._new.add(name)
                self._versions = None

    def _found(self) -> Iterator[Any]:
        """Yield the globals of the project's modules, functions' modules, and named submodules."""
        for key, module in self._own.items():
            if key not in self._globals:
                self._named.update(*names_of_functions(module).values())
            values = list(module.__dict__.values())
            seen = identities(values)
            if self._globals.get(key) == seen:
                continue
            self._globals[key] = seen
            for value in values:
                if type(value) is FunctionType:
                    yield sys.modules.get(str(value.__module__))
                elif type(value) is ModuleType:
                    self._packages.add(value.__dict__.get("__name__"))
                yield value
        for name, module in list(sys.modules.items()):
            package, _, last = name.rpartition(".")
            if last in self._named and not self._packages.isdisjoint(
                (package, package.partition(".")[0])
            ):
                yield module


def _changed(compared: Iterable[_Compared]) -> dict[str, set[tuple[str, object]]]:
    return {one.name: found for one in compared if (found := one.changed())}


def _name(value: Any) -> str | None:
    """Return the full name of a module, or of a class that changes by nothing but what sets it."""
    if type(value) is ModuleType:
        name = value.__dict__.get("__name__")
        return name if sys.modules.get(str(name)) is value else None
    if type(value) not in _CLASSES or value.__flags__ & _IMMUTABLE:
        return None
    if type(value.__module__) is str:
        return f"{value.__module__}.{value.__name__}"
    return None


def _of_module(module: ModuleType) -> _Compared:
    """Return the module with its package's classes in it."""
    package = module.__name__.partition(".")[0]
    namespaces: list[tuple[str, Mapping[str, Any]]] = [("", module.__dict__)]
    for name, value in list(module.__dict__.items()):
        if (_name(value) or "").partition(".")[0] == package and type(value) in _CLASSES:
            namespaces.append((name, get_referents(value.__dict__)[0]))
    return _Compared(module.__name__, namespaces, module=module)


def _of_class(name: str, value: type) -> _Compared:
    module = sys.modules.get(value.__module__)
    namespace = get_referents(value.__dict__)[0]
    kept = module if type(module) is ModuleType else None
    return _Compared(name, [(value.__name__, namespace)], module=kept)


def _label(module: str, owner: str, attribute: object) -> Label:
    """Return the names that get at it: any function of the module may use what is set there."""
    names = {module.rpartition(".")[2], owner, attribute if type(attribute) is str else ""}
    return Label(names - {""})
