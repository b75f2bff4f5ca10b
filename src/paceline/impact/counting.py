"""State that only counts, such as the number of objects that were made so far.

A test that moves such a number on gives a later one nothing but a start that is further on. As long
as it moves it as far as before, whatever else became of it, the later one finds what it found.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from paceline.impact.recorder import Need
from paceline.impact.records import NeedRecord, SegmentRecord

#: By how much each test moved each number on, by the number's label in words.
Counts = Mapping[str, Mapping[str, int]]

#: An amount by which no test moves a number on.
NEVER: Final = -1


def steps(before: Sequence[object] | None, now: Sequence[object] | None) -> int:
    """Return how far the number that two prints tell of moved on; 0 if anything else changed.

    That is the one value of the name itself, or what an `itertools.count` gives next. What lies
    deeper is set by other names than those of its label.
    """
    if before is None or now is None or len(before) != len(now):
        return 0
    pairs = [(one, other) for one, other in zip(before, now, strict=True) if one != other]
    old, new = pairs[0] if len(pairs) == 1 else (None, None)
    if not (isinstance(old, tuple) and isinstance(new, tuple)) or old[0] is not new[0]:
        return 0
    counts = old[0] is itertools.count or (old[0] is int and len(now) == 1)
    return max(int(new[1]) - int(old[1]), 0) if counts else 0


def counts_of(segment: SegmentRecord, needs: Mapping[int, NeedRecord]) -> dict[str, int]:
    """Return by how much the segment moved numbers on when it was recorded."""
    return {
        need.name: int(need.value)
        for need in map(needs.get, segment.needs)
        if need is not None and need.need is Need.COUNT and need.value.isdecimal()
    }


def as_before(expected: Counts, found: Counts) -> bool:
    """Return whether every test moved every number on as far as expected."""
    return all(
        found.get(test, {}).get(label) == count
        for test, counts in expected.items()
        for label, count in counts.items()
    )


def only_counts(names: Collection[str], sources: Iterable[bytes]) -> bool:
    """Return whether code only ever adds a constant to what is kept under `names`.

    Who sets a number may set it to what it was by chance. Where a module or a class defines one,
    counting begins.
    """
    word = re.compile(rf"\b({'|'.join(map(re.escape, sorted(names)))})\b")
    for text in sources:
        if not word.search(text.decode(errors="replace")):
            continue
        setting = _Setting(names, word)
        try:
            setting.visit(ast.parse(text))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
        if setting.found:
            return False
    return True


class _Setting(ast.NodeVisitor):
    """Looks for all that may set one of the names, but for adding a constant and definitions."""

    def __init__(self, names: Collection[str], word: re.Pattern[str]) -> None:
        self._names = names
        self._word = word
        self._in_function = False
        self.found = False

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if not (isinstance(node.op, ast.Add) and isinstance(node.value, ast.Constant)):
            self.generic_visit(node)
        elif not isinstance(node.target, ast.Name):
            self.visit(node.target.value)

    def visit_Name(self, node: ast.Name) -> None:
        if self._in_function and not isinstance(node.ctx, ast.Load):
            self._note(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._note(node.attr)
        self.visit(node.value)

    def visit_keyword(self, node: ast.keyword) -> None:
        self._note(node.arg or "")
        self.visit(node.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        # As in `monkeypatch.setattr("module.name", 1)`.
        self.found |= isinstance(node.value, str) and bool(self._word.search(node.value))

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring sets nothing
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        if [getattr(target, "id", "") for target in node.targets] != ["__all__"]:
            self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if self._in_function:
            self._note(node.name)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        around = self._in_function
        if around:
            self._note(node.name)
        self._in_function = True
        self.generic_visit(node)
        self._in_function = around

    visit_AsyncFunctionDef = visit_FunctionDef

    def _note(self, name: str) -> None:
        self.found |= name in self._names
