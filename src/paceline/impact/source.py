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
from dataclasses import dataclass, field
from typing import Any

from paceline.impact import docstrings
from paceline.impact.syntax import FUNCTIONS, Function, Walk, has_docstring

#: The files whose blocks are known.
SUFFIXES = (".py", ".pyw")

#: The name of a file's import-time block.
MODULE = "<module>"


@dataclass(frozen=True, slots=True)
class Block:
    """One block: its qualified name, the digest of its code, the lines of its body.

    `inline` says that the first line belongs to the code around it as well, as in
    `def f(): return 1`. `head` is the first line of a definition whose call runs no line of its
    body, which is nothing but a docstring or the like, and 0 of any other. `start` is the first
    line of any definition. `names` are the names, attributes and short strings it mentions.
    `defaults` is a digest of its constant defaults, "" if there are none: to change them changes
    what its body does, and what is found by those that read them. `layout` is a digest of its text
    and of where that stands: of the whole file for block 0.
    """

    name: str
    digest: str
    first: int
    last: int
    inline: bool
    names: frozenset[str] = field(repr=False)
    layout: str = ""
    head: int = 0
    start: int = 0
    defaults: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed file. `blocks[0]` is its import-time code.

    `functions` maps each plain top-level function (no decorator, used by no import-time code)
    to the digest of its signature; such a function has no effect until something mentions it.
    `docstrings` is the digest of the docstrings that only introspection can see. `run_later` are
    the names that lambdas of its import-time code mention, which are called later.
    """

    blocks: tuple[Block, ...]
    functions: Mapping[str, str]
    docstrings: str
    run_later: frozenset[str] = frozenset()

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

    def defaults(self, name: str) -> str:
        """Return the digest of the constant defaults of the function `name`, "" if it has none."""
        return next((block.defaults for block in self.blocks if block.name == name), "")

    def defined_at(self, line: int) -> str:
        """Return the name of the function with constant defaults that begins there, "" if none."""
        found = (block.name for block in self.blocks if block.start == line and block.defaults)
        return next(found, "")

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
    walk = None if tree is None else walk_through(tree, text)
    return None if walk is None else read(walk, text)


def tree_of(text: bytes) -> ast.Module | None:
    """Return the syntax tree of `text`, or None if it is no valid Python."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def walk_through(tree: ast.Module, text: bytes) -> Walk | None:
    """Return what `text` consists of, whose syntax tree is `tree`; None if that is too deep."""
    try:
        return Walk(tree, text)
    except RecursionError:
        return None


def read(walk: Walk, text: bytes) -> Source:
    """Return the blocks of `text`, which was walked through."""
    plain = _plain_functions(walk)
    first = 1 if has_docstring(walk.tree) else 0
    kept = [
        part for place, part in enumerate(walk.statements) if place >= first and place not in plain
    ]
    shown, others = docstrings.divided(walk)
    module = Block(
        MODULE,
        _digest([*(text for part in kept for text in part.code()), *shown]),
        1,
        0,
        False,
        frozenset().union(*(part.names for part in kept)),
        _layout(0, [text]),
    )
    functions = {name: _digest(walk.statements[place].code()) for place, name in plain.items()}
    lines = text.splitlines()
    blocks = (_block(function, lines) for function in walk.functions)
    return Source((module, *blocks), functions, _digest(others), frozenset(walk.run_later))


def _block(function: Function, lines: list[bytes]) -> Block:
    name, node, body, defaults = function
    first = node.body[0].lineno
    last = max(statement.end_lineno or statement.lineno for statement in node.body)
    start = 1 if has_docstring(node) else 0
    return Block(
        name,
        _digest([*body.code(start), *([defaults] if defaults else [])]),
        first,
        last,
        first == node.lineno,
        frozenset(body.names),
        _layout(node.lineno, lines[node.lineno - 1 : last]),
        _head(node) if all(map(_is_silent, node.body[start:])) else 0,
        _head(node),
        _digest([defaults]) if defaults else "",
    )


def _layout(first: int, lines: list[bytes]) -> str:
    return hashlib.blake2b(b"%d\n" % first + b"\n".join(lines), digest_size=6).hexdigest()


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


def _plain_functions(walk: Walk) -> dict[int, str]:
    """Return the functions that the import of the file only defines, by place and with name."""
    found = {
        place: node.name
        for place, node in enumerate(walk.tree.body)
        if isinstance(node, FUNCTIONS) and _is_plain(node)
    }
    # Function bodies count too: a class body may call its methods while it is made.
    names = (some for place, some in enumerate(walk.variables) if place not in found)
    taken = set[str]().union(*names)
    defined = Counter(
        node.name for node in walk.tree.body if isinstance(node, (*FUNCTIONS, ast.ClassDef))
    )
    return {
        place: name for place, name in found.items() if defined[name] == 1 and name not in taken
    }


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


def _digest(parts: Iterable[str]) -> str:
    return hashlib.blake2b(
        "\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=9
    ).hexdigest()
