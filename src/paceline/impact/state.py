"""State that outlives a test: what a test leaves behind in modules, classes and fixtures.

A later test that uses it did not run the code that made it. After each test the visible state
of the project's modules is compared with what it was: of modules that the test ran code in all
that is reachable within `DEPTH` steps, of the others what their globals are and how large. Only
identities, sizes and plain values are kept, so nothing is kept alive.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from types import (
    BuiltinFunctionType,
    FunctionType,
    GeneratorType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any, Final

#: Steps from a global or an attribute of one: its items, their attributes ...
DEPTH: Final = 3

#: Members of one container that are followed; its size always counts.
BREADTH: Final = 100

#: Values that are compared by value.
_PLAIN: Final = frozenset((int, float, str, bytes, bool, type(None), complex))
#: Values without state of their own.
_OPAQUE: Final = frozenset(
    (
        *_PLAIN, ModuleType, BuiltinFunctionType, MethodType, re.Pattern,
        WrapperDescriptorType, MemberDescriptorType, GetSetDescriptorType, object,
    )
)  # fmt: skip
#: What a class keeps its functions in.
_WRAPPERS: Final = frozenset((classmethod, staticmethod, property))
_CONTAINERS: Final = (dict, list, set, deque)

#: Packages whose objects keep books of their own that no test result depends on.
_BOOKKEEPING: Final = ("logging", "_pytest", "pytest", "typing", "warnings", "threading")

#: Print of each global, or of an attribute of one ("name\0attribute").
Prints = dict[str, object]


@dataclass(frozen=True)
class _Surface:
    """A module's globals: all values, by name, and by name those that can keep state inside."""

    values: tuple[object, ...]
    globals: dict[str, object]
    deep: list[str]
    containers: list[str]
    functions: list[str]
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Members:
    """The attributes of a class or an object."""

    identities: tuple[int, ...]
    names: dict[str, int]
    plain_names: list[str]
    plain: tuple[object, ...]
    deep: list[str]

    def by_name(self) -> dict[str, object]:
        return {**self.names, **dict(zip(self.plain_names, self.plain, strict=True))}


class State:
    """Compares what is reachable from the project's modules and from wide fixtures."""

    def __init__(self, counts: Callable[[str], bool]) -> None:
        self._counts = counts
        self._deep: dict[str, Prints] = {}
        self._surface: dict[str, _Surface] = {}
        self._own_types: dict[type, bool] = {}
        self._members: dict[int, _Members] = {}
        self._noted: set[str] = set()
        #: Values of fixtures that outlive a test, by the fixture's name.
        self.fixtures: dict[str, Any] = {}

    def add(self, module: ModuleType) -> None:
        """Take the state of `module`, just imported, as its first."""
        surface = self._surface[module.__name__] = self._look(module)
        self._deep[module.__name__] = self._prints(module, surface)

    def add_fixture(self, name: str, value: Any) -> None:
        """Watch what a fixture that outlives its test has returned."""
        self.fixtures[name] = value
        self._deep[f"\0{name}"] = dict(self._global(name, value))

    def changed(self, executed: Collection[str]) -> set[str]:
        """Return the names of globals, attributes and fixtures that changed since the last call.

        `executed` are the files in which code ran since then. What was not there at the last
        call has not changed.
        """
        found: set[str] = set()
        self._noted = set()
        for path, module in self._modules():
            known = self._surface.get(module.__name__)
            if known is None:
                self.add(module)
                self._noted = set()
                continue
            sizes = _sizes(module, known)
            if sizes != known.sizes or _seen(list(module.__dict__.values())) != known.values:
                found |= self._changed_surface(module, known)
            elif path in executed:
                self._compare(module.__name__, self._prints(module, known), found)
        for name, value in self.fixtures.items():
            self._compare(f"\0{name}", dict(self._global(name, value)), found)
        return found | self._noted

    def _changed_surface(self, module: ModuleType, known: _Surface) -> set[str]:
        """Return the globals that are other objects now, and what changed inside the others."""
        now = self._look(module)
        found = _differing(known.globals, now.globals)
        prints = self._prints(module, now)
        before = self._deep.get(module.__name__, {})
        for name in _differing(before, prints):
            if name.partition("\0")[0] in known.globals:
                found.update(name.split("\0"))
        self._surface[module.__name__] = now
        self._deep[module.__name__] = prints
        return found

    def _compare(self, key: str, prints: Prints, found: set[str]) -> None:
        before = self._deep.get(key)
        self._deep[key] = prints
        if before is not None and before != prints:
            for name in _differing(before, prints):
                found.update(name.split("\0"))

    def _look(self, module: ModuleType) -> _Surface:
        """Return what the globals are, and which of them can keep state inside."""
        items = [
            (name, value)
            for name, value in list(module.__dict__.items())
            if type(value) is not ModuleType and name[:2] != "__"
        ]
        deep = [
            name
            for name, value in items
            if not (_is_stateless(value) or type(value) in _PLAIN)
            and not (isinstance(value, type) and value.__module__ != module.__name__)
        ]
        surface = _Surface(
            _seen(list(module.__dict__.values())),
            {name: value if type(value) in _PLAIN else id(value) for name, value in items},
            deep,
            [name for name, value in items if type(value) in _CONTAINERS],
            [name for name, value in items if type(value) is FunctionType],
        )
        return replace(surface, sizes=_sizes(module, surface))

    def _prints(self, module: ModuleType, surface: _Surface) -> Prints:
        prints: Prints = {}
        for name in surface.deep:
            prints.update(self._global(name, module.__dict__.get(name)))
        return prints

    def _modules(self) -> Iterator[tuple[str, ModuleType]]:
        for module in list(sys.modules.values()):
            if type(module) is not ModuleType:
                continue  # a stand-in, which may do anything when it is asked
            path = module.__dict__.get("__file__")
            if isinstance(path, str) and self._counts(path):
                yield path, module

    def _global(self, name: str, value: Any) -> Iterator[tuple[str, object]]:
        """Yield the print of a global and, since code may reach them directly, its attributes."""
        kind = type(value)
        if kind is FunctionType or kind in _CONTAINERS or not self._is_own(value):
            yield name, self._print(value, DEPTH, set())
            return
        members = self._look_inside(value)
        yield name, (id(value), members.identities, members.plain)
        for attribute in members.deep:
            yield f"{name}\0{attribute}", self._print(vars(value)[attribute], DEPTH, set())

    def _look_inside(self, value: Any) -> _Members:
        """Return the attributes of a class or object; note those that are others than before."""
        found = vars(value)
        identities = tuple(map(id, found.values()))
        known = self._members.get(id(value))
        if known is not None and known.identities == identities:
            plain = tuple([found[name] for name in known.plain_names])
            if plain == known.plain:
                return known
        items = [(name, member) for name, member in list(found.items()) if name[:2] != "__"]
        plain_names = [name for name, member in items if type(member) in _PLAIN]
        now = self._members[id(value)] = _Members(
            identities,
            {name: id(member) for name, member in items},
            plain_names,
            tuple([found[name] for name in plain_names]),
            [
                name
                for name, member in items
                if type(member) not in _PLAIN and not _is_stateless(member)
            ],
        )
        if known is not None:
            self._noted |= _differing(known.by_name(), now.by_name())
        return now

    def _is_own(self, value: Any) -> bool:
        kind = value if isinstance(value, type) else type(value)
        known = self._own_types.get(kind)
        if known is None:
            module = sys.modules.get(getattr(kind, "__module__", None) or "")
            path = getattr(module, "__file__", None)
            known = isinstance(path, str) and self._counts(path) and hasattr(value, "__dict__")
            self._own_types[kind] = known
        return known

    def _print(self, value: Any, depth: int, seen: set[int]) -> object:
        """Return something that changes with what is visible of `value`."""
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind in _WRAPPERS:
            return tuple([self._print(part, depth, seen) for part in _unwrapped(value)])
        identity = id(value)
        stateless = kind in _OPAQUE or (kind is FunctionType and not _has_state(value))
        if stateless or depth == 0 or identity in seen:
            return identity
        seen.add(identity)
        if kind is dict:
            return self._items(identity, len(value), value.values(), depth, seen)
        if kind in (list, tuple, set, frozenset, deque, FunctionType):
            items = _function_state(value) if kind is FunctionType else value
            return self._items(identity, len(items), items, depth, seen)
        return self._object(value, kind, depth, seen)

    def _items(
        self, identity: int, size: int, items: Iterable[Any], depth: int, seen: set[int]
    ) -> object:
        below = depth - 1
        try:
            return (
                identity,
                size,
                *[
                    item
                    if (kind := type(item)) in _PLAIN
                    else id(item)
                    if kind in _OPAQUE
                    else self._print(item, below, seen)
                    for item in islice(items, BREADTH)
                ],
            )
        except RuntimeError:  # changed by another thread at this moment
            return (identity, size)

    def _object(self, value: Any, kind: type, depth: int, seen: set[int]) -> object:
        identity = id(value)
        if kind is GeneratorType:
            return (identity, value.gi_frame.f_lasti if value.gi_frame else None)
        own = self._is_own(value)
        if isinstance(value, type) and not own:
            return identity
        parts: list[object] = [identity]
        if hasattr(kind, "cache_info"):  # functools.lru_cache: a miss stored a value
            parts.append(value.cache_info().misses)
        elif isinstance(value, _CONTAINERS):
            items = value.values() if isinstance(value, dict) else value
            parts.append(self._items(identity, len(value), items, depth, seen))
        if own or not (kind.__module__ or "").startswith(_BOOKKEEPING):
            try:
                members = vars(value)
            except TypeError:
                return tuple(parts)
            # Of a foreign object only what it holds directly: the rest is its own business.
            below = depth if own else min(depth, 2)
            values = [
                member
                for name, member in list(members.items())
                if name[:2] != "__" and type(member) is not FunctionType
            ]
            parts.append(self._items(identity, len(members), values, below, seen))
        return tuple(parts)


def _seen(values: list[Any]) -> tuple[object, ...]:
    return tuple([value if type(value) in _PLAIN else id(value) for value in values])


def _sizes(module: ModuleType, surface: _Surface) -> tuple[int, ...]:
    """Return how large the containers are, and how many attributes the functions got."""
    values = module.__dict__
    try:
        sizes = [len(values[name]) for name in surface.containers]
        sizes += [len(values[name].__dict__) for name in surface.functions]
    except (KeyError, AttributeError, TypeError):
        return ()  # a global is gone or another: its value tells
    return tuple(sizes)


def _differing(before: Mapping[str, object], now: Mapping[str, object]) -> set[str]:
    return {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}


def _unwrapped(value: Any) -> tuple[Any, ...]:
    """Return the function in a class method, the functions of a property."""
    if type(value) is property:
        return (value.fget, value.fset, value.fdel)
    return (value.__func__,)


def _is_stateless(member: Any) -> bool:
    kind = type(member)
    if kind in _WRAPPERS:
        return all(part is None or _is_stateless(part) for part in _unwrapped(member))
    if kind is FunctionType:
        return not _has_state(member)
    return kind in _OPAQUE and kind not in _PLAIN


def _has_state(function: FunctionType) -> bool:
    """Return whether calls can leave something in the function itself."""
    if function.__closure__ or function.__dict__:
        return True
    defaults = function.__defaults__
    if defaults and not all(type(value) in _OPAQUE for value in defaults):
        return True
    keywords = function.__kwdefaults__ or {}
    return not all(type(value) in _OPAQUE for value in keywords.values())


def _function_state(function: FunctionType) -> list[Any]:
    """Return where a function can keep state: attributes, defaults, enclosed variables."""
    state: list[Any] = [*function.__dict__.values()]
    state += function.__defaults__ or ()
    state += (function.__kwdefaults__ or {}).values()
    for cell in function.__closure__ or ():
        try:
            state.append(cell.cell_contents)
        except ValueError:  # not assigned yet
            continue
    return state
