"""Where the lines of a source text are in a later version of it.

Code is matched by its structure: functions by name, everything in them by the syntax tree, so
that comments, docstrings, formatting and order do not count. Code that is not the same has no
place in the later version.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

Arc = tuple[int, int]

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = (*_FUNCTIONS, ast.ClassDef)


class Unmatched(Exception):
    """The code of an arc is not the same any more, or its lines are divided in another way."""


@dataclass(frozen=True)
class Remap:
    """Lines of the old text, and for arcs that enter or leave a code object its first line.

    `scopes` maps a line and the first line of the code object it belongs to; `dropped` are the
    lines of docstrings and definitions without a counterpart: nothing to carry. `redefined`
    says that a function was added to or taken from the file's top level, so that an import of
    the old text ran other lines.
    """

    lines: Mapping[int, int]
    scopes: Mapping[Arc, int]
    dropped: frozenset[int]
    redefined: bool

    def arc(self, arc: Arc) -> Arc | None:
        """Return `arc` in the new text, None if it went through what is dropped.

        A line alone is (0, line). Raises Unmatched if it cannot be told.
        """
        start, end = arc
        if any(line > 0 and line not in self.lines and line not in self.dropped for line in arc):
            raise Unmatched
        if abs(start) in self.dropped or abs(end) in self.dropped:
            return None
        return self._end(start, end), self._end(end, start)

    def told(self, arc: Arc) -> tuple[Arc | None, bool]:
        """Return what `arc` returns, and whether it could be told at all."""
        try:
            return self.arc(arc), True
        except Unmatched:
            return None, False

    def _end(self, line: int, other: int) -> int:
        if line == 0:
            return 0
        if line > 0:
            return self.lines[line]
        # Below zero: entering or leaving the code object that begins at this line.
        scope = self.scopes.get((other, -line))
        if scope is None:
            scope = self.lines.get(-line)
        if scope is None:
            raise Unmatched
        return -scope


def remap(old: bytes, new: bytes) -> Remap | None:
    """Return where the lines of `old` are in `new`; None if one of them is no valid Python."""
    try:
        return _Matcher(_File(old), _File(new)).match()
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        return None


@dataclass(frozen=True)
class _Pair:
    """A node of the old text and its counterpart: lines, and first lines of the code object."""

    old: int
    new: int
    old_scope: int
    new_scope: int
    #: Jumps out of `with` are recognised by the very lines of its parts.
    in_with: bool


class _File:
    """A parsed text: its functions by qualified name, and which lines make one statement."""

    def __init__(self, text: bytes) -> None:
        self.tree = ast.parse(text)
        self.first = _first_lines(text)
        self.functions: dict[str, _Function] = {}
        self._seen: Counter[str] = Counter()
        self._collect(self.tree, "")
        counts = Counter(node.name for node in self.tree.body if isinstance(node, _SCOPES))
        #: Functions of the top level whose place among the others does not matter.
        self.plain = {
            node.name: node
            for node in self.tree.body
            if isinstance(node, _FUNCTIONS) and counts[node.name] == 1
        }

    def line(self, line: int) -> int:
        """Return the first line of the statement that `line` is part of."""
        return self.first.get(line, line)

    def _collect(self, node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            inner = prefix
            if isinstance(child, _SCOPES):
                name = prefix + child.name
                self._seen[name] += 1
                if self._seen[name] > 1:
                    name = f"{name}#{self._seen[name]}"
                inner = f"{name}."
                if isinstance(child, _FUNCTIONS):
                    self.functions[name] = child
                    inner = f"{name}.<locals>."
            self._collect(child, inner)


class _Matcher:
    def __init__(self, old: _File, new: _File) -> None:
        self._old = old
        self._new = new
        self._pairs: list[_Pair] = []
        self._broken: set[int] = set()
        self._dropped: set[int] = set()

    def match(self) -> Remap:
        self._match_module()
        for name, node in self._old.functions.items():
            self._match_body(node, self._new.functions.get(name))
        lines = self._lines()
        scopes: dict[Arc, int] = {}
        for pair in self._pairs:
            scopes[pair.old, pair.old_scope] = pair.new_scope
        redefined = self._old.plain.keys() != self._new.plain.keys()
        return Remap(lines, scopes, frozenset(self._dropped - lines.keys()), redefined)

    def _match_module(self) -> None:
        old, new = self._old, self._new
        shared = old.plain.keys() & new.plain.keys()
        for name in sorted(shared):
            self._take([old.plain[name]], [new.plain[name]], 1, 1)
        for name in old.plain.keys() - shared:
            self._dropped |= set(_own_lines([old.plain[name]]))
        rest = [
            [node for node in file.tree.body if node not in file.plain.values()]
            for file in (old, new)
        ]
        self._take(self._undocumented(rest[0]), _body(rest[1]), 1, 1)

    def _match_body(self, node: _Function, other: _Function | None) -> None:
        body = self._undocumented(node.body)
        if other is None:
            self._broken |= set(_own_lines(body))
        else:
            self._take(body, _body(other.body), _first_line(node), _first_line(other))

    def _take(
        self, old: list[ast.stmt], new: list[ast.stmt], old_scope: int, new_scope: int
    ) -> None:
        """Add the pairs of two pieces of code, or if they differ none at all."""
        found: list[_Pair] = []
        if self._same(old, new, _Place(old_scope, new_scope, False, found)):
            self._pairs += found
        else:
            self._broken |= set(_own_lines(old))

    def _same(self, old: object, new: object, place: _Place) -> bool:
        if isinstance(old, list):
            return (
                isinstance(new, list)
                and len(old) == len(new)
                and all(self._same(*both, place) for both in zip(old, new, strict=True))
            )
        if isinstance(old, ast.AST):
            return type(old) is type(new) and self._same_node(old, new, place)
        return type(old) is type(new) and repr(old) == repr(new)

    def _same_node(self, old: ast.AST, new: ast.AST, place: _Place) -> bool:
        if hasattr(old, "lineno") and hasattr(new, "lineno"):
            place.add(old.lineno, new.lineno)
        if isinstance(old, (ast.With, ast.AsyncWith)):
            place = place.inside_with()
        inner = place
        if isinstance(old, ast.ClassDef):
            inner = place.inside(_first_line(old), _first_line(new))
        for name in old._fields:
            one, other = getattr(old, name, None), getattr(new, name, None)
            if name == "body" and isinstance(old, _FUNCTIONS):
                continue  # matched by name
            if name == "body" and isinstance(old, ast.ClassDef) and isinstance(new, ast.ClassDef):
                one, other = self._undocumented(old.body), _body(new.body)
            if not self._same(one, other, inner if name == "body" else place):
                return False
        return True

    def _undocumented(self, body: list[ast.stmt]) -> list[ast.stmt]:
        rest = _body(body)
        for node in body[: len(body) - len(rest)]:
            self._dropped |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        return rest

    def _lines(self) -> dict[int, int]:
        """Return the new line of each old one, but of those that are divided in another way."""
        old, new = self._old, self._new
        forward: defaultdict[int, set[int]] = defaultdict(set)
        backward: defaultdict[int, set[int]] = defaultdict(set)
        exact: defaultdict[int, set[int]] = defaultdict(set)
        broken = {old.line(line) for line in self._broken}
        for pair in self._pairs:
            first, place = old.line(pair.old), new.line(pair.new)
            forward[first].add(place)
            backward[place].add(first)
            exact[pair.old].add(pair.new)
            if pair.in_with and pair.old - first != pair.new - place:
                broken.add(first)
        for group in backward.values():
            if len(group) > 1:
                broken |= group
        broken |= {first for first, places in forward.items() if len(places) > 1}
        lines: dict[int, int] = {}
        for line in {*old.first, *exact}:
            first = old.line(line)
            if first in forward and first not in broken:
                places = exact[line] if len(exact[line]) == 1 else forward[first]
                (lines[line],) = places
        return lines


@dataclass(frozen=True)
class _Place:
    """Where the comparison is: the code object on both sides, and what was found so far."""

    old_scope: int
    new_scope: int
    in_with: bool
    found: list[_Pair] = field(repr=False)

    def add(self, old: int, new: int) -> None:
        self.found.append(_Pair(old, new, self.old_scope, self.new_scope, self.in_with))

    def inside(self, old_scope: int, new_scope: int) -> _Place:
        return _Place(old_scope, new_scope, False, self.found)

    def inside_with(self) -> _Place:
        return _Place(self.old_scope, self.new_scope, True, self.found)


def _first_lines(text: bytes) -> dict[int, int]:
    """Return, for each line of a statement of several lines, the first of them.

    What coverage takes for one statement: up to the token NEWLINE (coverage, parser.py).
    """
    found: dict[int, int] = {}
    first = 0
    for part in tokenize.tokenize(io.BytesIO(text).readline):
        if part.type == tokenize.ENCODING:
            continue
        if part.type == tokenize.NEWLINE:
            if first and part.end[0] != first:
                found.update(dict.fromkeys(range(first, part.end[0] + 1), first))
            first = 0
        if part.string.strip() and part.type != tokenize.COMMENT and not first:
            first = part.start[0]
    return found


def _body(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return `body` without its docstring."""
    first = body[0] if body else None
    documented = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    return body[1:] if documented else body


def _first_line(node: ast.AST) -> int:
    """Return the first line of a definition's code object: that of its first decorator."""
    lines: list[int] = [one.lineno for one in getattr(node, "decorator_list", ())]
    return min([*lines, getattr(node, "lineno", 1)])


def _own_lines(body: list[ast.stmt]) -> Iterator[int]:
    """Yield the lines of `body` on which something begins, but for those of inner functions."""
    queue: list[ast.AST] = [*body]
    while queue:
        node = queue.pop()
        if hasattr(node, "lineno"):
            yield node.lineno
        children = ast.iter_child_nodes(node)
        inner = set(map(id, node.body)) if isinstance(node, _FUNCTIONS) else set()
        queue += [child for child in children if id(child) not in inner]
