"""What tests leave set in what is not the project's: `json.dumps = stand_in`, `config.mode = 1`.

There are many of them and they rarely change, so all are compared at once: whether anything in
them is another object. What has changed once is compared by itself.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from gc import get_referents
from types import ModuleType
from typing import Any, Final

from paceline.impact.memory import identities
from paceline.impact.reached import Label
from paceline.impact.values import printed

#: These change of themselves, and what matters of them is read elsewhere.
_RESTLESS: Final = frozenset(
    ("sys", "warnings", "tempfile", "_pytest", "pluggy", "hypothesis", "coverage", "paceline",
     "xdist", "testmon")
)  # fmt: skip
_NEVER_THERE: Final = object()


@dataclass(slots=True)
class _Compared:
    """A module with its namespace and those of its classes, and what was found there.

    `given` are attributes that do not count, `restless` tells whether anything was ever replaced.
    """

    name: str
    namespaces: list[tuple[str, Mapping[Any, Any]]]
    given: frozenset[tuple[str, object]] = frozenset()
    identities: bytes | None = None
    attributes: dict[tuple[str, object], object] = field(default_factory=dict)
    restless: bool = False

    def changed(self) -> set[tuple[str, object]]:
        """Return which attributes are others than at the last call, of whom; none at the first."""
        now = identities(get_referents(*(namespace for _, namespace in self.namespaces)))
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
    """Compares the attributes of modules and classes that the project's modules have as globals."""

    def __init__(self) -> None:
        self._own: Mapping[str, ModuleType] = {}
        self._compared = {"builtins": _of_module(builtins)}
        #: The namespaces of all that is quiet, and what was in them; nothing if that is not known.
        self._quiet: list[Mapping[Any, Any]] = []
        self._identities = b""

    def changed(self, own: Mapping[str, ModuleType]) -> set[Label]:
        """Return which attributes are others than at the last call; `own` are the project's."""
        if own is not self._own:
            self._own = own
            self._take_in(own.values())
        if self._identities and identities(get_referents(*self._quiet)) == self._identities:
            return _changed([one for one in self._compared.values() if one.restless])
        found = _changed(self._compared.values())
        quiet = [one for one in self._compared.values() if not one.restless]
        self._quiet = [namespace for one in quiet for _, namespace in one.namespaces]
        self._identities = identities(get_referents(*self._quiet))
        return found

    def add(self, name: str, namespaces: Mapping[str, Mapping[Any, Any]]) -> None:
        """Compare what comes into these namespaces, by owner: by its name go keys that are none.

        What is there changes as pytest works, such as how many tests have failed.
        """
        given = {(owner, key) for owner, found in namespaces.items() for key in found}
        self._compared[name] = _Compared(name, list(namespaces.items()), frozenset(given))
        self._compared[name].changed()
        self._identities = b""

    def _take_in(self, own: Iterable[ModuleType]) -> None:
        left_out = {module.__name__ for module in own} | _RESTLESS
        for value in [value for module in own for value in list(module.__dict__.values())]:
            name = _name(value)
            if name is None or name in self._compared:
                continue
            if left_out.isdisjoint((name, name.partition(".")[0], name.rpartition(".")[0])):
                made = _of_module(value) if type(value) is ModuleType else _of_class(name, value)
                self._compared[name] = made
                self._identities = b""


def _changed(compared: Iterable[_Compared]) -> set[Label]:
    return {_label(one.name, owner, name) for one in compared for owner, name in one.changed()}


def _name(value: Any) -> str | None:
    """Return the full name of a module, or of a class that does not change as Python runs."""
    if type(value) is ModuleType:
        name = value.__dict__.get("__name__")
        return name if sys.modules.get(str(name)) is value else None
    if type(value) is type and type(value.__module__) is str:
        return f"{value.__module__}.{value.__name__}"
    return None


def _of_module(module: ModuleType) -> _Compared:
    """Return the module with its package's classes in it."""
    package = module.__name__.partition(".")[0]
    namespaces: list[tuple[str, Mapping[str, Any]]] = [("", module.__dict__)]
    for name, value in list(module.__dict__.items()):
        if (_name(value) or "").partition(".")[0] == package and type(value) is type:
            namespaces.append((name, get_referents(value.__dict__)[0]))
    return _Compared(module.__name__, namespaces)


def _of_class(name: str, value: type) -> _Compared:
    return _Compared(name, [(value.__name__, get_referents(value.__dict__)[0])])


def _label(module: str, owner: str, attribute: object) -> Label:
    """Return the names that get at it: any function of the module may use what is set there."""
    names = {module.rpartition(".")[2], owner, attribute if type(attribute) is str else ""}
    return Label(names - {""})
