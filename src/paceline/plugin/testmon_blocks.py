"""The blocks of a source file as pytest-testmon makes them, from a syntax tree that is there."""

from __future__ import annotations

import ast
from typing import Any, Final


class _Fields(dict[type, "tuple[str, tuple[str, ...]] | None"]):
    """The name and the fields of each kind of node, None of what is no node."""

    def __missing__(self, kind: type) -> tuple[str, tuple[str, ...]] | None:
        found = self[kind] = (kind.__name__, kind._fields) if issubclass(kind, ast.AST) else None
        return found


_FIELDS: Final = _Fields()
_WITH_BLOCKS: Final = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef)


def blocks_of(tree: ast.Module, text: bytes) -> list[tuple[int, int | None, str, str]]:
    """Return first line, last line, text and name of each block, as testmon 2.2 makes them.

    It is `Module.dump_and_block` of testmon's process_code.py, which takes three times as long.
    """
    lines = len(text.decode(errors="replace").splitlines())
    found: list[tuple[int, int | None, str, str]] = []

    def shown(node: Any, end: int | None) -> str:
        kind = _FIELDS[type(node)]
        if type(node) is list:
            return ", ".join(shown_each(node, end))
        if kind is None:
            return repr(node)
        parts: list[str] = []
        for key in kind[1]:
            try:
                value = getattr(node, key)
            except AttributeError:
                continue
            if key == "body" and value and isinstance(node, _WITH_BLOCKS):
                parts.append(divided(node, value, end))
            elif value is None or type(value) is str:
                parts.append(repr(value))
            else:
                parts.append(shown(value, end))
        return f"{kind[0]}({', '.join(parts)})"

    def shown_each(nodes: list[Any], end: int | None) -> list[str]:
        ends = [getattr(node, "lineno", None) for node in nodes[1:]]
        each = [None if line is None else line - 1 for line in ends]
        return [shown(node, last) for node, last in zip(nodes, [*each, end], strict=False)]

    def divided(node: Any, body: list[ast.stmt], end: int | None) -> str:
        text = ", ".join(shown_each(body, end))
        last = body[-1].end_lineno if end is None else end
        name = getattr(node, "name", "unknown")
        found.append((body[0].lineno, last, f"{len(found)}:{text}", name))
        return "transformed_into_block"

    shown(tree, lines)
    return found
