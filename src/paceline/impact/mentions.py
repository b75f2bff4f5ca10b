"""Which names code mentions: variables, attributes, modules, strings that may be names."""

from __future__ import annotations

import ast
import re
from types import CodeType

#: Longer strings are data; shorter ones may name an attribute.
_LONGEST_NAME = 80

#: Stands among the names for a code object that is compared or handed on.
SHOWN_CODE = "(__code__)"

#: Stands among the names for a yield, which makes a function a generator.
YIELDS = "(yield)"

#: As in `monkeypatch.setattr("package.module.name", 1)`.
_DOTTED = re.compile(r"\w+([.:]\w+)+")
_SIGNS = re.compile(r"[.:]")

#: Methods of containers, which look into nothing.
_KEEPING = frozenset(("add", "append", "discard", "remove"))


def mentioning(text: bytes, words: frozenset[str]) -> frozenset[int]:
    """Return the lines of the statements in the Python source `text` that mention a word.

    Of a statement that holds others only its beginning counts, and the lines of the mention.
    """
    found: set[int] = set()
    queue: list[tuple[ast.AST, range]] = [(ast.parse(text), range(0))]
    while queue:
        node, around = queue.pop()
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno
            around = range(node.lineno, (last or node.lineno) + 1)
        names: set[str] = set()
        mention(node, names)
        if names & words:
            found.update(around)
            first = getattr(node, "lineno", 0)
            found.update(range(first, (getattr(node, "end_lineno", first) or first) + 1))
        queue.extend((child, around) for child in ast.iter_child_nodes(node))
    return frozenset(found)


def names_in(code: CodeType) -> set[str]:
    """Return the names that compiled code mentions: globals, attributes, strings that are names."""
    found = set(code.co_names)
    for value in code.co_consts:
        if isinstance(value, CodeType):
            found |= names_in(value)
        elif isinstance(value, str) and len(value) <= _LONGEST_NAME and value.isidentifier():
            found.add(value)
    return found


def _is_code(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "__code__"


def _shows_code(node: ast.AST) -> bool:
    """Return whether a code object is compared, or given to what may look into it."""
    if isinstance(node, ast.Compare):
        equal = any(isinstance(sign, (ast.Eq, ast.NotEq)) for sign in node.ops)
        return equal and any(map(_is_code, [node.left, *node.comparators]))
    if not isinstance(node, ast.Call) or not any(map(_is_code, node.args)):
        return False
    return not (isinstance(node.func, ast.Attribute) and node.func.attr in _KEEPING)


def mention(node: ast.AST, names: set[str]) -> None:
    """Add the names that the node by itself mentions."""
    if _shows_code(node):
        names.add(SHOWN_CODE)
    if isinstance(node, (ast.Yield, ast.YieldFrom)):
        names.add(YIELDS)
    if isinstance(node, ast.Name):
        names.add(node.id)
    elif isinstance(node, ast.Attribute):
        names.add(node.attr)
    elif isinstance(node, (ast.arg, ast.keyword)) and node.arg:
        names.add(node.arg)
    elif isinstance(node, ast.alias):
        names.update((node.name.rpartition(".")[2], node.asname or node.name))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        if len(node.value) <= _LONGEST_NAME:
            names.add(node.value)
            if _DOTTED.fullmatch(node.value):
                names.update(_SIGNS.split(node.value))
    elif isinstance(node, (ast.Global, ast.Nonlocal)):
        names.update(node.names)
