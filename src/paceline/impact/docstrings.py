"""Which docstrings may be read while a file is imported, and which only introspection can see.

What decorates a function or a class, and what a class derives from, may take its docstring: as the
help of a command, say. Python's own library and pytest keep it as it is.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections import defaultdict
from typing import Any, Final

from paceline.impact.syntax import Walk

#: The packages whose decorators and classes read no docstrings. Some of Python's do, and `test` is
#: what many projects call their own.
_READING: Final = frozenset(("cmd", "doctest", "pydoc", "test", "xmlrpc"))
_KEEPING: Final = (sys.stdlib_module_names | {"pytest", "typing_extensions"}) - _READING

#: But for what hands on whatever it is given.
_HANDING_ON: Final = frozenset(("partial", "partialmethod", "reduce"))

#: Decorators that a property has for its other functions.
_OF_PROPERTY: Final = frozenset(("deleter", "getter", "setter"))

#: Methods by which a class sees those that derive from it.
_SEEING: Final = frozenset(("__init_subclass__", "__class_getitem__", "__mro_entries__"))
_METACLASSES: Final = frozenset(("type", "ABCMeta", "EnumMeta", "EnumType"))


def divided(walk: Walk) -> tuple[list[str], list[str]]:
    """Return the docstrings that may be read while the file is imported, and the others."""
    keepers = _Keepers(walk)
    shown: list[str] = []
    others: list[str] = []
    for node, text, local in walk.docstrings:
        found = others if keepers.keep(node, local=local) else shown
        found.append(text)
    return shown, others


class _Keepers:
    """Tells by their names what leaves docstrings alone, as far as the file shows it."""

    def __init__(self, walk: Walk) -> None:
        self._functions = {function.node.name for function in walk.functions}
        self._bound = walk.bound | self._functions
        #: The modules that each imported name comes from, or is.
        self._origins: defaultdict[str, set[str]] = defaultdict(set)
        self._all_unknown = False
        for node in walk.imports:
            self._note_import(node)
        self._classes: defaultdict[str, list[ast.ClassDef]] = defaultdict(list)
        for node in walk.classes:
            self._classes[node.name].append(node)

    def _note_import(self, node: Any) -> None:
        for alias in node.names:
            if isinstance(node, ast.Import):
                name, module = alias.asname or alias.name.partition(".")[0], alias.name
            else:
                name, module = alias.asname or alias.name, "." * node.level + (node.module or "")
            self._origins[name].add(module.partition(".")[0])
            # Any name may come from there.
            self._all_unknown |= name == "*"

    def keep(self, node: Any, *, local: bool) -> bool:
        """Return whether nothing reads the docstring of `node`; in a function names are its own."""
        decorators = getattr(node, "decorator_list", ())
        bases = [
            *getattr(node, "bases", ()),
            *(keyword.value for keyword in getattr(node, "keywords", ())),
        ]
        if not decorators and not bases:
            return True
        return (
            not (local or self._all_unknown)
            and all(map(self._decorates_only, decorators))
            and all(self._is_plain_base(base, node.lineno) for base in bases)
        )

    def _decorates_only(self, part: ast.expr) -> bool:
        if isinstance(part, ast.Call):
            return self._decorates_only(part.func) and _last(part.func) not in _HANDING_ON
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            of_property = part.attr in _OF_PROPERTY and part.value.id in self._functions
            return of_property or self._is_of_library(part)
        return self._is_of_library(part)

    def _is_plain_base(self, part: ast.expr, line: int) -> bool:
        """Return whether that which a class at `line` derives from, or is made with, takes none."""
        if isinstance(part, ast.Constant):
            return True  # as in `total=False`
        if isinstance(part, ast.Subscript):
            return self._is_plain_base(part.value, line)
        if isinstance(part, ast.Call):
            return self._is_of_library(part.func)
        own = isinstance(part, ast.Name) and self._is_own(part.id, line)
        return own or self._is_of_library(part)

    def _is_of_library(self, part: ast.expr) -> bool:
        """Return whether `part` is a name of Python's library or pytest, or a builtin type."""
        name = part
        while isinstance(name, ast.Attribute):
            name = name.value
        if not isinstance(name, ast.Name) or name.id in self._bound or name.id in self._classes:
            return False
        if name.id in self._origins:
            return self._origins[name.id] <= _KEEPING
        return name is part and isinstance(getattr(builtins, name.id, None), type)

    def _is_own(self, name: str, line: int) -> bool:
        """Return whether it is a class of this file, above `line`, that takes no docstrings."""
        found = self._classes.get(name, ())
        if (
            len(found) != 1
            or found[0].lineno >= line
            or name in self._origins
            or name in self._bound
        ):
            return False
        sees = any(getattr(part, "name", "") in _SEEING for part in found[0].body)
        return not sees and self._is_no_metaclass(found[0]) and self.keep(found[0], local=False)

    def _is_no_metaclass(self, node: ast.ClassDef) -> bool:
        # One that derives from another metaclass of this file leads to one that is found here.
        return not any(
            _last(base) in ("type", "ABCMeta", "EnumMeta", "EnumType") for base in node.bases
        )


def _last(part: ast.expr) -> str:
    return part.attr if isinstance(part, ast.Attribute) else getattr(part, "id", "")
