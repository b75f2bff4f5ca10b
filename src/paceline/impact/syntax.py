"""Walks a syntax tree once and writes down the body of each function, and the rest of the file.

The texts are those of which pytest-testmon takes its checksums, so that one walk serves both: that
of `ast.dump` without positions, and with "transformed_into_block" where the body of a function
stood (testmon 2.2, `Module.dump_and_block` in process_code.py).
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from paceline.impact.mentions import MENTIONS, YIELDS, names_below

FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_IMPORTS: Final = (ast.Import, ast.ImportFrom)
#: Code outside of functions that may run when the file was imported long ago.
_RUN_LATER: Final = (ast.Lambda, ast.GeneratorExp)
_FREQUENT: Final = frozenset((ast.Name, ast.Attribute, ast.Constant))
_NOTED: Final = frozenset((*_IMPORTS, *_RUN_LATER))

#: Stands in the qualified name of what a function defines.
_LOCAL: Final = "<locals>"


class TestmonBlock(NamedTuple):
    """A block as testmon makes it: its lines, its text and its name."""

    first: int
    last: int
    text: str
    name: str


@dataclass(slots=True)
class Written:
    """What statements are and mention, but for the bodies of functions in them.

    `lengths` are those of all lists in them, which testmon's text does not show: it is the same
    wherever the branches of an `if` divide. `generators` are the functions in them that are
    generators. `documented` has the text of each class with a docstring, and the same without it;
    inner classes come first. `defaulted` has the same of the heads of functions that have constant
    defaults, with and without these.
    """

    texts: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    lengths: list[int] = field(default_factory=list)
    generators: list[str] = field(default_factory=list)
    documented: list[tuple[str, str]] = field(default_factory=list)
    defaulted: list[tuple[str, str]] = field(default_factory=list)

    def code(self, first: int = 0) -> list[str]:
        """Return what tells the statements apart from number `first` on.

        That is without docstrings, and without constant defaults, which belong to their functions.
        """
        texts = self.texts[first:]
        for whole, rest in [*reversed(self.documented), *self.defaulted]:
            texts = [text.replace(whole, rest) for text in texts]
        return [*texts, *self.generators, repr(self.lengths)]


class Function(NamedTuple):
    """A function, by its qualified name, its body, and the text of its constant defaults."""

    name: str
    node: Any
    body: Written
    defaults: str


class Docstring(NamedTuple):
    """A docstring, and the file, class or function that it is of; whether that is in a function."""

    node: Any
    text: str
    local: bool


class _Kinds(dict[type, Any]):
    """Of each kind of node its name, its fields, and what adds the names that it mentions.

    A kind without fields has only its text, and None is what is no node.
    """

    def __missing__(self, kind: type) -> Any:
        found: Any = None
        if issubclass(kind, ast.AST):
            name = kind.__name__
            found = (name, kind._fields, MENTIONS.get(kind)) if kind._fields else f"{name}()"
        self[kind] = found
        return found


_KINDS: Final = _Kinds()


class Walk:
    """What the file with the syntax tree `tree` consists of; raises RecursionError if too deep.

    `statements` are its own, `variables` what each of them mentions as a variable, in functions
    too. `functions` come from the outside in. `docstrings` and `imports` are all there are.
    `run_later` are the names in lambdas and the like outside of functions, which may run later.
    `classes` are those in no other and in no function; `bound` are the names of the others, and
    all names that are assigned to.
    """

    def __init__(self, tree: ast.Module, text: bytes) -> None:
        self.tree = tree
        self.statements: list[Written] = []
        self.variables: list[set[str]] = []
        self.functions: list[Function] = []
        self.docstrings: list[Docstring] = []
        self.classes: list[ast.ClassDef] = []
        self.bound: set[str] = set()
        self.imports: list[Any] = []
        self.run_later: set[str] = set()
        self._ended: list[tuple[Any, int, list[str]]] = []
        self._seen: Counter[str] = Counter()
        self._prefix = ""
        lines = len(text.decode(errors="replace").splitlines())
        for statement, end in zip(tree.body, _ends(tree.body, lines), strict=True):
            self._written, self._variables = Written(), set[str]()
            is_docstring = not self.statements and has_docstring(tree)
            written = _docstring(statement) if is_docstring else self._text(statement, end)
            self._written.texts.append(written)
            self.statements.append(self._written)
            self.variables.append(self._variables)
        self._end(tree, lines, [part.texts[0] for part in self.statements])

    def testmon_blocks(self) -> list[TestmonBlock]:
        """Return the blocks that testmon makes of the file."""
        return [
            TestmonBlock(
                node.body[0].lineno,
                last,
                f"{number}:{', '.join(texts)}",
                getattr(node, "name", "unknown"),
            )
            for number, (node, last, texts) in enumerate(self._ended)
        ]

    def _text(self, node: Any, end: int | None) -> str:
        """Write a node down; `end` is the last line before what follows, as testmon counts it."""
        kind = type(node)
        if kind in _FREQUENT:
            return self._frequent(node, kind, end)
        if kind is list:
            self._written.lengths.append(len(node))
            return ", ".join(self._texts(node, end)) if node else ""
        known = _KINDS[kind]
        if known is None:
            return repr(node)
        if type(known) is str:
            return known
        name, fields, mention = known
        if mention is not None:
            mention(node, self._written.names)
        if kind is ast.ClassDef:
            return self._class(node, end)
        if kind in _NOTED:
            self._note(node)
        parts: list[str] = []
        for key in fields:
            value = getattr(node, key)
            known = _KINDS[type(value)]
            if type(known) is str:
                parts.append(known)
            elif known is None and type(value) is not list:
                parts.append(repr(value))
            elif key == "body" and kind in FUNCTIONS:
                parts.append(self._function(node, end))
            else:
                parts.append(self._text(value, end))
        return f"{name}({', '.join(parts)})"

    def _frequent(self, node: Any, kind: type, end: int | None) -> str:
        """Write one of the most frequent nodes down."""
        if kind is ast.Constant:
            MENTIONS[kind](node, self._written.names)
            return f"Constant({node.value!r}, {node.kind!r})"
        context = _KINDS[type(node.ctx)]
        if kind is ast.Attribute:
            self._written.names.add(node.attr)
            return f"Attribute({self._text(node.value, end)}, {node.attr!r}, {context})"
        self._variables.add(node.id)
        self._written.names.add(node.id)
        if type(node.ctx) is not ast.Load:
            self.bound.add(node.id)
        return f"Name({node.id!r}, {context})"

    def _note(self, node: Any) -> None:
        if isinstance(node, _IMPORTS):
            self.imports.append(node)
        elif _LOCAL not in self._prefix:
            self.run_later |= names_below(node)

    def _texts(self, nodes: list[Any], end: int | None) -> list[str]:
        if not nodes or isinstance(nodes[0], ast.expr):  # where no function is
            return [self._text(node, None) for node in nodes]
        return [self._text(node, last) for node, last in zip(nodes, _ends(nodes, end), strict=True)]

    def _body(self, node: Any, end: int | None) -> list[str]:
        if has_docstring(node):  # which mentions nothing
            return [_docstring(node.body[0]), *self._texts(node.body[1:], end)]
        return self._texts(node.body, end)

    def _class(self, node: ast.ClassDef, end: int | None) -> str:
        outer, self._prefix = self._prefix, f"{self._prefix}{node.name}."
        if outer:
            self.bound.add(node.name)
        else:
            self.classes.append(node)
        parts = {key: self._text(getattr(node, key), end) for key in node._fields if key != "body"}
        self._written.lengths.append(len(node.body) - has_docstring(node))
        body = self._body(node, end)
        self._prefix = outer

        def text(statements: list[str]) -> str:
            known = {**parts, "body": ", ".join(statements)}
            return f"ClassDef({', '.join(known[key] for key in node._fields)})"

        if self._note_docstring(node, local=_LOCAL in outer):
            self._written.documented.append((text(body), text(body[1:])))
        return text(body)

    def _function(self, node: Any, end: int | None) -> str:
        """Write the body of a function down by itself; return what stands in its place."""
        name = self._prefix + node.name
        self._seen[name] += 1
        if self._seen[name] > 1:
            name = f"{name}#{self._seen[name]}"
        outer, prefix = self._written, self._prefix
        defaults = self._defaults(node)
        names = {one for value in _constant_defaults(node) for one in names_below(value)}
        self._written, self._prefix = Written(names=names), f"{name}.{_LOCAL}."
        self.functions.append(Function(name, node, self._written, defaults))
        self._written.texts += self._body(node, end)
        self._end(node, end, self._written.texts, local=_LOCAL in name)
        if YIELDS in self._written.names:  # to call it is another thing, as can be told from here
            outer.generators.append(name)
        self._written, self._prefix = outer, prefix
        return "transformed_into_block"

    def _defaults(self, node: Any) -> str:
        """Return the text of a function's constant defaults; note its head without them."""
        given, constant = node.args, _constant_defaults(node)
        if not constant:
            return ""
        before = {key: self._text(getattr(given, key), None) for key in given._fields}
        after = {
            **before,
            "kw_defaults": ", ".join(map(self._default, given.kw_defaults)),
            "defaults": ", ".join(map(self._default, given.defaults)),
        }
        heads = [
            f"{type(node).__name__}({node.name!r}, arguments({', '.join(parts.values())})"
            for parts in (before, after)
        ]
        self._written.defaulted.append((heads[0], heads[1]))
        return ", ".join(map(ast.dump, constant))

    def _default(self, node: Any) -> str:
        return "a constant" if _is_literal(node) else self._text(node, None)

    def _end(self, node: Any, end: int | None, texts: list[str], *, local: bool = False) -> None:
        self._note_docstring(node, local=local)
        if node.body:
            self._ended.append((node, node.body[-1].end_lineno if end is None else end, texts))

    def _note_docstring(self, node: Any, *, local: bool) -> bool:
        if has_docstring(node):
            self.docstrings.append(Docstring(node, node.body[0].value.value, local))
            return True
        return False


def has_docstring(node: Any) -> bool:
    """Return whether the body of a file, class or function begins with a docstring."""
    first = node.body[0] if node.body else None
    return (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )


def _constant_defaults(node: Any) -> list[Any]:
    return [one for one in (*node.args.kw_defaults, *node.args.defaults) if _is_literal(one)]


def _is_literal(node: Any) -> bool:
    """Return whether it is a constant, a negative number, or a tuple of such."""
    if isinstance(node, ast.Tuple):
        return all(map(_is_literal, node.elts))
    if isinstance(node, ast.UnaryOp):
        node = node.operand
        return isinstance(node, ast.Constant) and isinstance(node.value, (int, float, complex))
    return isinstance(node, ast.Constant)


def _docstring(statement: Any) -> str:
    return f"Expr(Constant({statement.value.value!r}, {statement.value.kind!r}))"


def _ends(nodes: Sequence[Any], end: int | None) -> list[int | None]:
    """Return for each node the last line before the next one, None where that has no line."""
    lines = [getattr(node, "lineno", None) for node in nodes[1:]]
    return [*(None if line is None else line - 1 for line in lines), end] if nodes else []
