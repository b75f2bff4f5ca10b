"""Functions and classes that a test leaves changed in themselves: their code, defaults, names.

No comparison of what can be reached sees that, but Python tells of it before it does it
(https://docs.python.org/3/library/audit_events.html, object.__setattr__ and object.__delattr__).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any, Final, NamedTuple

from paceline.impact.askers import TOOLS
from paceline.impact.reached import Change, Label

#: The events, which come with the object and the name of the attribute.
EVENTS: Final = ("object.__setattr__", "object.__delattr__")

_OF_FUNCTIONS: Final = ("__code__", "__defaults__", "__kwdefaults__")
_OF_CLASSES: Final = ("__name__", "__qualname__", "__doc__", "__bases__")


class _Touched(NamedTuple):
    """A function or class, the names that get at it, and what its attributes were."""

    owner: Any
    label: Label
    attributes: tuple[str, ...]
    before: list[object]


class Rebinding:
    """Keeps what was touched; `counts` tells which files are the project's."""

    def __init__(self, counts: Callable[[str], bool]) -> None:
        self._counts = counts
        #: By the identity of the function or class, which is kept until it was compared.
        self._touched: dict[int, _Touched] = {}

    def note(self, arguments: tuple[Any, ...]) -> None:
        """Take note that an attribute is about to be set or removed."""
        owner, name = arguments[0], arguments[1]
        attributes = _OF_FUNCTIONS if type(owner) is FunctionType else _OF_CLASSES
        if name not in attributes or id(owner) in self._touched:
            return
        if not issubclass(type(owner), (type, FunctionType)):
            return
        label = self._label(owner)
        if label:
            before = _values(owner, attributes)
            self._touched[id(owner)] = _Touched(owner, label, attributes, before)

    def changed(self) -> dict[Label, Change]:
        """Return what is not as it was at the last call, by the names that get at it."""
        touched, self._touched = self._touched, {}
        return {
            one.label: Change()
            for one in touched.values()
            if any(
                now is not before
                for now, before in zip(_values(one.owner, one.attributes), one.before, strict=True)
            )
        }

    def _label(self, owner: Any) -> Label:
        """Return by which names code gets at `owner`; nothing if it is not to be had as a global.

        So it is with what is just being made.
        """
        get = type.__getattribute__ if isinstance(owner, type) else object.__getattribute__
        module = sys.modules.get(str(get(owner, "__module__")))
        if type(module) is not ModuleType or module.__name__.partition(".")[0] in TOOLS:
            return Label()
        globals_ = module.__dict__
        parts = str(get(owner, "__qualname__")).split(".")
        if not _leads_to(owner, globals_, parts):
            # A decorator or a factory made it.
            parts = [name for name, value in list(globals_.items()) if value is owner]
        if not parts:
            return Label()
        own = self._counts(str(globals_.get("__file__")))
        return Label(parts if own else (*parts, module.__name__.rpartition(".")[2]))


def _leads_to(owner: object, namespace: Any, parts: list[str]) -> bool:
    found: object = None
    for place, part in enumerate(parts):
        found = namespace.get(part)
        if isinstance(found, (staticmethod, classmethod)):
            found = found.__func__
        if place < len(parts) - 1:
            if not issubclass(type(found), type):
                return False
            namespace = type.__getattribute__(found, "__dict__")
    return found is owner


def _values(owner: Any, attributes: tuple[str, ...]) -> list[object]:
    get = type.__getattribute__ if isinstance(owner, type) else object.__getattribute__
    return [get(owner, name) for name in attributes]
