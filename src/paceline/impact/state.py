"""State that outlives a test: what a test leaves behind in modules, classes and fixtures.

A later test that uses it did not run the code that made it. After each test the visible state
of the project's modules is compared with what it was. Only identities, sizes and hashes of
plain values are kept, so nothing is kept alive. State is followed `DEPTH` steps from a global;
what lies deeper, or inside objects of C extensions, is not seen.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any, Final

#: Steps from a global: its attribute, that one's items ...
DEPTH: Final = 4

#: Members of one container that are followed; its size always counts.
BREADTH: Final = 100

_PLAIN: Final = frozenset((int, float, str, bytes, bool, type(None), complex))
_OPAQUE: Final = frozenset(
    (ModuleType, BuiltinFunctionType, MethodType, property, classmethod, staticmethod)
)

#: Packages whose objects keep books of their own that no test result depends on.
_BOOKKEEPING: Final = ("logging", "_pytest", "pytest", "re", "typing", "warnings", "threading")


class State:
    """Compares what is reachable from the project's modules and from wide fixtures."""

    def __init__(self, counts: Callable[[str], bool]) -> None:
        self._counts = counts
        self._prints: dict[str, int] = {}
        self._own_types: dict[type, bool] = {}
        #: Values of fixtures that outlive a test, by the fixture's name.
        self.fixtures: dict[str, Any] = {}

    def add(self, module: ModuleType) -> None:
        """Take the state of `module`, just imported, as its first."""
        self._prints.update(self._module(module))

    def changed(self) -> set[str]:
        """Return the names of globals, attributes and fixtures that changed since the last call."""
        prints: dict[str, int] = {}
        for module in self._modules():
            prints.update(self._module(module))
        for name, value in self.fixtures.items():
            prints[f"\0{name}"] = self._print(value, DEPTH, set())
            prints.update(self._members(f"\0{name}", value))
        before, self._prints = self._prints, prints
        if before == prints:
            return set()
        known = {key.partition("\0")[0] for key in before}
        return {
            key.rpartition("\0")[2]
            for key in before.keys() | prints.keys()
            if before.get(key) != prints.get(key) and key.partition("\0")[0] in known
        }

    def _modules(self) -> Iterator[ModuleType]:
        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None)
            if isinstance(path, str) and isinstance(module, ModuleType) and self._counts(path):
                yield module

    def _module(self, module: ModuleType) -> dict[str, int]:
        prints: dict[str, int] = {}
        for name, value in list(vars(module).items()):
            kind = type(value)
            if kind in _OPAQUE or name.startswith("__"):
                continue
            key = f"{module.__name__}\0{name}"
            if kind in _PLAIN:
                prints[key] = hash(value)
                continue
            prints[key] = self._print(value, DEPTH, set())
            if getattr(value, "__module__", "") == module.__name__:
                prints.update(self._members(key, value))
        return prints

    def _members(self, key: str, value: Any) -> dict[str, int]:
        """Return a print for each attribute, since code may reach it without the global's name."""
        if isinstance(value, FunctionType) or not self._is_own(value):
            return {}
        return {
            f"{key}\0{name}": self._print(member, DEPTH - 1, set())
            for name, member in list(vars(value).items())
            if not name.startswith("__") and not isinstance(member, FunctionType)
        }

    def _is_own(self, value: Any) -> bool:
        kind = value if isinstance(value, type) else type(value)
        known = self._own_types.get(kind)
        if known is None:
            module = sys.modules.get(getattr(kind, "__module__", ""))
            path = getattr(module, "__file__", None)
            known = isinstance(path, str) and self._counts(path) and hasattr(value, "__dict__")
            self._own_types[kind] = known
        return known

    def _print(self, value: Any, depth: int, seen: set[int]) -> int:
        """Return a number that changes with what is visible of `value`."""
        kind = type(value)
        if kind in _PLAIN:
            return hash(value)
        identity = id(value)
        if kind in _OPAQUE or depth == 0 or identity in seen:
            return identity
        seen.add(identity)
        parts: list[int] = [identity]
        if isinstance(value, (list, tuple, set, frozenset)) or kind.__name__ == "deque":
            parts.append(len(value))
            parts += [self._print(item, depth - 1, seen) for item in _some(value)]
        elif isinstance(value, (dict, MappingProxyType)):
            parts.append(len(value))
            parts += [self._print(item, depth - 1, seen) for item in _some(value.values())]
        elif hasattr(kind, "cache_info"):  # functools.lru_cache: a miss stored a value
            parts.append(value.cache_info().misses)
        if isinstance(value, FunctionType):
            parts += [self._print(item, depth - 1, seen) for item in _function_state(value)]
        elif self._is_own(value) or not getattr(kind, "__module__", "").startswith(_BOOKKEEPING):
            parts += self._attributes(value, depth, seen)
        return hash(tuple(parts))

    def _attributes(self, value: Any, depth: int, seen: set[int]) -> list[int]:
        try:
            members: Mapping[str, Any] = vars(value)
        except TypeError:
            return []
        if isinstance(value, type) and not self._is_own(value):
            return []
        below = depth - 1 if self._is_own(value) else min(depth - 1, 2)
        return [
            self._print(member, below, seen)
            for name, member in list(members.items())
            if not name.startswith("__")
        ]


def _some(items: Any) -> list[Any]:
    try:
        return [item for _, item in zip(range(BREADTH), items, strict=False)]
    except RuntimeError:  # changed by another thread
        return []


def _function_state(function: FunctionType) -> list[Any]:
    """Return where a function can keep state: attributes, defaults, enclosed variables."""
    state: list[Any] = [*vars(function).values()]
    state += function.__defaults__ or ()
    state += (function.__kwdefaults__ or {}).values()
    for cell in function.__closure__ or ():
        try:
            state.append(cell.cell_contents)
        except ValueError:  # not assigned yet
            continue
    return state
