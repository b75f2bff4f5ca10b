"""What a Python file consists of: its import-time code and its function bodies.

A block is the unit of change. The first block of a file is everything that runs when the file
is imported; each function body is a block of its own. Digests are taken from the syntax tree,
so that comments, formatting and positions do not count.
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from paceline.impact.mentions import MENTIONS, YIELDS

#: The files whose blocks are known.
SUFFIXES = (".py", ".pyw")

#: The name of a file's import-time block.
MODULE = "<module>"

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*_FUNCTIONS, ast.ClassDef)


class _Fields(dict[type, "tuple[str, ...] | None"]):
    """The fields of each kind of node, None of what is no node."""

    def __missing__(self, kind: type) -> tuple[str, ...] | None:
        found = self[kind] = kind._fields if issubclass(kind, ast.AST) else None
        return found


_FIELDS = _Fields()


@dataclass(frozen=True, slots=True)
class Block:
    """One block: its qualified name, the digest of its code, the lines of its body.

    `inline` says that the first line belongs to the code around it as well, as in
    `def f(): return 1`. `head` is the first line of a definition whose call runs no line of its
    body, which is nothing but a docstring or the like, and 0 of any other. `names` are
    the names, attributes and short strings it mentions. `layout` is a digest of its text and of
    where that stands: of the whole file for block 0.
    """

    name: str
    digest: str
    first: int
    last: int
    inline: bool
    names: frozenset[str] = field(repr=False)
    layout: str = ""
    head: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed file. `blocks[0]` is its import-time code.

    `functions` maps each plain top-level function (no decorator, used by no import-time code)
    to the digest of its signature; such a function has no effect until something mentions it.
    `docstrings` is the digest of the docstrings that only introspection can see.
    """

    blocks: tuple[Block, ...]
    functions: Mapping[str, str]
    docstrings: str

    def owners(self, *, importing: bool = False) -> dict[int, int]:
        """Return for each line of a function body the block it belongs to, as a set of bits.

        Every other line belongs to block 0. `importing` says that the lines ran while this file
        was imported: then the one line of a plain `def f(): return 1` was its definition.
        """
        found: dict[int, int] = {}
        shared: set[int] = set()
        called = frozenset[str]().union(*(block.names for block in self.blocks[1:]))
        # An inner function comes after the one around it, so the innermost wins.
        for index, block in enumerate(self.blocks[1:], start=1):
            plain = block.name in self.functions and block.name not in called
            if importing and block.inline and plain:
                continue
            found.update(dict.fromkeys(range(block.first, block.last + 1), 1 << index))
            if block.inline:
                shared.add(block.first)
        for line in shared:
            found[line] |= 1
        mentioned = called | self.blocks[0].names if self.blocks else called
        for index, block in enumerate(self.blocks[1:], start=1):
            # While the file is imported, these lines ran to define it.
            if block.head and not (importing and _last(block.name) not in mentioned):
                for line in range(block.head, block.first):
                    found[line] = found.get(line, 1) | 1 << index
        return found

    def executed(self, lines: Iterable[int], *, importing: bool = False) -> frozenset[int]:
        """Return the indices of the blocks to which `lines` belong."""
        owners = self.owners(importing=importing)
        bits = 0
        for line in lines:
            bits |= owners.get(abs(line), 1)
        return frozenset(indices(bits))


def indices(bits: int) -> list[int]:
    """Return the places of the bits that are set."""
    return [place for place in range(bits.bit_length()) if bits >> place & 1]


def parse(text: bytes) -> Source | None:
    """Return the blocks of the Python source `text`, or None if it is no valid Python."""
    tree = tree_of(text)
    return None if tree is None else read(tree, text)


def tree_of(text: bytes) -> ast.Module | None:
    """Return the syntax tree of `text`, or None if it is no valid Python."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def read(tree: ast.Module, text: bytes) -> Source | None:
    """Return the blocks of `text`, whose syntax tree is `tree`; None if that is too deep."""
    try:
        return _Reader(text).read(tree)
    except RecursionError:
        return None


class _Reader:
    """Walks a syntax tree once and takes it apart."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._lines = text.splitlines()
        self._blocks: list[Block] = []
        self._seen: Counter[str] = Counter()
        self._docstrings: list[str] = []
        #: Docstrings that a decorator or a base class may read when the file is imported.
        self._shown: list[str] = []

    def read(self, tree: ast.Module) -> Source:
        plain = _plain_functions(tree)
        kept = ast.Module([node for node in tree.body if node not in plain.values()], [])
        module = self._block(kept, MODULE, kept.body, (1, 0))
        functions = {name: self._signature(node) for name, node in plain.items()}
        module = replace(module, digest=_digest([module.digest, *self._shown]))
        return Source((module, *self._blocks), functions, _digest(self._docstrings))

    def _signature(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
        parts: list[str] = []
        self._dump(node, "", parts, set())
        return _digest(parts)

    def _block(
        self, node: ast.AST, name: str, body: list[ast.stmt], lines: tuple[int, int]
    ) -> Block:
        parts: list[str] = []
        names: set[str] = set()
        prefix = "" if name == MODULE else f"{name}.<locals>."
        body = self._without_docstring(node, body)
        for statement in body:
            self._dump(statement, prefix, parts, names)
        first = getattr(node, "lineno", 0)
        inline = not isinstance(node, ast.Module) and lines[0] == first
        shown = self._lines[first - 1 : lines[1]] if first else [self._text]
        layout = hashlib.blake2b(b"%d\n" % first + b"\n".join(shown), digest_size=6).hexdigest()
        head = 0 if isinstance(node, ast.Module) or not all(map(_is_silent, body)) else _head(node)
        return Block(name, _digest(parts), *lines, inline, frozenset(names), layout, head)

    def _without_docstring(self, node: ast.AST, body: list[ast.stmt]) -> list[ast.stmt]:
        """Take the docstring out of `body`, and keep it apart."""
        first = body[0] if body else None
        if not (
            isinstance(first, ast.Expr)
            and isinstance(first.value, ast.Constant)
            and isinstance(first.value.value, str)
        ):
            return body
        seen = (
            getattr(node, "decorator_list", [])
            or getattr(node, "bases", [])
            or getattr(node, "keywords", [])
        )
        (self._shown if seen else self._docstrings).append(first.value.value)
        return body[1:]

    def _dump(self, node: Any, prefix: str, parts: list[str], names: set[str]) -> None:
        """Add to `parts` what tells the code apart, and to `names` what it mentions."""
        kind = type(node)
        fields = _FIELDS[kind]
        if kind is list:
            parts.append("[")
            for item in node:
                self._dump(item, prefix, parts, names)
            parts.append("]")
        elif fields is None:
            parts.append(repr(sorted(node, key=repr) if kind is frozenset else node))
        else:
            if kind in MENTIONS:
                MENTIONS[kind](node, names)
            parts.append(kind.__name__)
            if kind in _SCOPES:
                self._dump_definition(node, prefix, parts, names)
            else:
                for key in fields:
                    value = getattr(node, key, None)
                    if value is None or type(value) is str:  # as most are: no further call
                        parts.append(repr(value))
                    else:
                        self._dump(value, prefix, parts, names)
            parts.append(";")

    def _dump_definition(self, node: Any, prefix: str, parts: list[str], names: set[str]) -> None:
        """Add the fields of a function or a class, which is a scope of its own."""
        scope = f"{prefix}{node.name}."
        for key in node._fields:
            value = getattr(node, key, None)
            if key != "body":
                self._dump(value, prefix, parts, names)
            elif isinstance(node, ast.ClassDef):
                self._dump(self._without_docstring(node, node.body), scope, parts, names)
            else:
                # A call of a generator is another thing, which can be told from outside.
                parts.append(self._function(node, prefix))

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, prefix: str) -> str:
        """Make the body a block of its own; return what of it the definition shows."""
        name = prefix + node.name
        self._seen[name] += 1
        if self._seen[name] > 1:
            name = f"{name}#{self._seen[name]}"
        place = len(self._blocks)
        last = max(statement.end_lineno or statement.lineno for statement in node.body)
        block = self._block(node, name, node.body, (node.body[0].lineno, last))
        self._blocks.insert(place, block)
        return YIELDS if YIELDS in block.names else ""


def _last(name: str) -> str:
    return name.rpartition(".")[2].partition("#")[0]


def _is_silent(statement: ast.stmt) -> bool:
    """Return whether a statement in a function is no line that runs, in any version of Python."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.AnnAssign):
        return statement.value is None
    return isinstance(statement, (ast.Global, ast.Nonlocal))


def _head(node: Any) -> int:
    """Return the first line of a definition: of its decorators, if it has some."""
    return int(min([node.lineno, *(one.lineno for one in node.decorator_list)]))


def _plain_functions(tree: ast.Module) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return the top-level functions that the import of the file only defines."""
    found = [node for node in tree.body if isinstance(node, _FUNCTIONS) and _is_plain(node)]
    taken = Counter(_import_time_names(tree, found))
    taken.update(node.name for node in tree.body if isinstance(node, (*_FUNCTIONS, ast.ClassDef)))
    # Its own definition is the one time that its name may appear.
    return {node.name: node for node in found if taken[node.name] == 1}


def _is_plain(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    defaults = [*node.args.defaults, *(value for value in node.args.kw_defaults if value)]
    hints = [
        argument.annotation for argument in ast.walk(node.args) if isinstance(argument, ast.arg)
    ]
    return (
        not node.decorator_list
        and all(isinstance(value, ast.Constant) for value in defaults)
        and not any(
            isinstance(part, ast.Call)
            for hint in [*hints, node.returns]
            if hint
            for part in ast.walk(hint)
        )
    )


def _import_time_names(tree: ast.Module, plain: list[Any]) -> Iterable[str]:
    queue: list[Any] = [node for node in tree.body if node not in plain]
    while queue:
        node = queue.pop()
        if type(node) is ast.Name:
            yield node.id
        # Function bodies count too: a class body may call its methods while it is made.
        for value in vars(node).values():
            if type(value) is list:
                queue += [part for part in value if isinstance(part, ast.AST)]
            elif isinstance(value, ast.AST):
                queue.append(value)


def _digest(parts: Iterable[str]) -> str:
    return hashlib.blake2b(
        "\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=9
    ).hexdigest()
