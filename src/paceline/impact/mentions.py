"""Which names code mentions: variables, attributes, modules, strings that may be names."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

#: Longer strings are data; shorter ones may name an attribute.
_LONGEST_NAME = 80

#: Stands among the names for a code object that is compared or handed on.
SHOWN_CODE = "(__code__)"

#: Stands among the names for a yield, which makes a function a generator.
YIELDS = "(yield)"

#: As in `monkeypatch.setattr("package.module.name", 1)`.
_DOTTED = re.compile(r"\w+([.:]\w+)+")
_SIGNS = re.compile(r"[.:]")

#: A file in a longer text, as in "SELECT * FROM 'data/users.csv'"; of a long one in the beginning.
_FILE = re.compile(r"(?<![\w./\\-])[\w./\\-]*\w\.\w+")
_LONGEST_TEXT = 4000

#: Methods of containers, which look into nothing.
_KEEPING = frozenset(("add", "append", "discard", "remove"))


def mentioning(tree: ast.AST, *words: frozenset[str]) -> list[frozenset[int]]:
    """Return for each set of words the lines of the statements below `tree` that mention one.

    Of a statement that holds others only its beginning counts, and the lines of the mention.
    """
    found: list[set[int]] = [set() for _ in words]
    queue: list[tuple[ast.AST, range]] = [(tree, range(0))]
    while queue:
        node, around = queue.pop()
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno
            around = range(node.lineno, (last or node.lineno) + 1)
        if type(node) in MENTIONS:
            names: set[str] = set()
            MENTIONS[type(node)](node, names)
            for lines, some in zip(found, words, strict=True):
                if not names.isdisjoint(some):
                    lines.update(around)
                    first = getattr(node, "lineno", 0)
                    lines.update(range(first, (getattr(node, "end_lineno", first) or first) + 1))
        queue.extend((child, around) for child in ast.iter_child_nodes(node))
    return list(map(frozenset, found))


def names_below(tree: ast.AST) -> set[str]:
    """Return the names that `tree` mentions anywhere."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if type(node) in MENTIONS:
            MENTIONS[type(node)](node, names)
    return names


def names_in(code: CodeType) -> set[str]:
    """Return the names that compiled code mentions: globals, attributes, strings that are names."""
    found = set(code.co_names)
    for value in code.co_consts:
        if isinstance(value, CodeType):
            found |= names_in(value)
        elif isinstance(value, str) and len(value) <= _LONGEST_NAME and value.isidentifier():
            found.add(value)
    return found


def names_of_functions(module: ModuleType) -> dict[str, set[str]]:
    """Return what a module's functions and classes mention, by name; a class its bases, too."""
    found: dict[str, set[str]] = {}
    for name, value in list(module.__dict__.items()):
        members, bases = [value], set[str]()
        if issubclass(type(value), type):
            members = list(type.__getattribute__(value, "__dict__").values())
            mro = type.__getattribute__(value, "__mro__")[1:]
            bases = {type.__getattribute__(base, "__name__") for base in mro}
        codes = [one.__code__ for one in map(_function, members) if type(one) is FunctionType]
        if codes or bases:
            found[name] = bases.union(*map(names_in, codes))
    return found


def _function(member: Any) -> object:
    """Return the function in a member of a class or module, or the member."""
    if type(member) in (staticmethod, classmethod):
        return member.__func__
    return member.fget if type(member) is property else member


def _is_code(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "__code__"


def _compare(node: ast.Compare, names: set[str]) -> None:
    """A code object is compared."""
    equal = any(isinstance(sign, (ast.Eq, ast.NotEq)) for sign in node.ops)
    if equal and any(map(_is_code, [node.left, *node.comparators])):
        names.add(SHOWN_CODE)


def _call(node: ast.Call, names: set[str]) -> None:
    """A code object is given to what may look into it."""
    keeping = isinstance(node.func, ast.Attribute) and node.func.attr in _KEEPING
    if not keeping and any(map(_is_code, node.args)):
        names.add(SHOWN_CODE)


def _yield(_: ast.Yield | ast.YieldFrom, names: set[str]) -> None:
    names.add(YIELDS)


def _name(node: ast.Name, names: set[str]) -> None:
    names.add(node.id)


def _attribute(node: ast.Attribute, names: set[str]) -> None:
    names.add(node.attr)


def _argument(node: ast.arg | ast.keyword, names: set[str]) -> None:
    if node.arg:
        names.add(node.arg)


def _alias(node: ast.alias, names: set[str]) -> None:
    names.update((node.name.rpartition(".")[2], node.asname or node.name))


def _import_from(node: ast.ImportFrom, names: set[str]) -> None:
    names.update((node.module or "").split("."))


def _constant(node: ast.Constant, names: set[str]) -> None:
    text = node.value
    if not isinstance(text, str):
        return
    if len(text) <= _LONGEST_NAME:
        names.add(text)
        if _DOTTED.fullmatch(text):
            names.update(_SIGNS.split(text))
            return
    if "." in text:
        names.update(_FILE.findall(text, 0, _LONGEST_TEXT))


def _declaration(node: ast.Global | ast.Nonlocal, names: set[str]) -> None:
    names.update(node.names)


#: By the kind of a node what adds the names that it mentions by itself.
MENTIONS: Final[Mapping[type, Callable[[Any, set[str]], None]]] = {
    ast.Compare: _compare,
    ast.Call: _call,
    ast.Yield: _yield,
    ast.YieldFrom: _yield,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.arg: _argument,
    ast.keyword: _argument,
    ast.alias: _alias,
    ast.ImportFrom: _import_from,
    ast.Constant: _constant,
    ast.Global: _declaration,
    ast.Nonlocal: _declaration,
}
