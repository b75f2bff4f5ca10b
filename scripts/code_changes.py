"""Random changes of Python code: what in a syntax tree can be replaced, and by what."""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Callable, Iterator

Sites = Callable[[ast.AST], Iterator[tuple[ast.AST, str]]]


def changed(content: bytes, kind: str, chance: random.Random) -> tuple[int, bytes] | None:
    """Return the line and the whole text after a random change of `kind`, one of KINDS.

    None: no such change was found in a random part of the module, or it would change nothing.
    """
    parts, sites = KINDS[kind]
    try:
        tree = ast.parse(content)
    except SyntaxError:
        return None
    found = parts(tree)
    choices = list(sites(chance.choice(found))) if found else []
    if not choices:
        return None
    node, text = chance.choice(choices)
    after = _replace(content, node, text)
    try:
        if ast.dump(ast.parse(after)) == ast.dump(tree):
            return None
        compile(after, "mutant", "exec")
    except (SyntaxError, ValueError):
        return None
    return getattr(node, "lineno", 0), after


def _replace(content: bytes, node: ast.AST, text: str) -> bytes:
    lines = content.splitlines(keepends=True)
    first, last = node.lineno - 1, node.end_lineno - 1  # type: ignore[attr-defined]
    head = lines[first][: node.col_offset]  # type: ignore[attr-defined]
    tail = lines[last][node.end_col_offset :]  # type: ignore[attr-defined]
    return b"".join([*lines[:first], head + text.encode() + tail, *lines[last + 1 :]])


def _functions(tree: ast.Module) -> list[ast.AST]:
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def _outside_functions(tree: ast.Module) -> list[ast.AST]:
    bodies = [tree.body, *(n.body for n in ast.walk(tree) if isinstance(n, ast.ClassDef))]
    return [statement for body in bodies for statement in body if not _is_docstring(statement)]


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _expressions(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what may be replaced: no docstrings, no parts of f-strings (their places are off)."""
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.stmt) and _is_docstring(node)):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _expressions(child)


def _body_sites(function: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
    for statement in function.body:
        for node in _expressions(statement):
            yield from _variants(node)


def _variants(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.Constant):
        yield from _constant_variant(node)
    elif isinstance(node, ast.Compare):
        changed = copy.deepcopy(node)
        changed.ops[0] = _opposite(changed.ops[0])
        yield node, f"({ast.unparse(changed)})"
    elif isinstance(node, ast.BoolOp):
        changed_bool = copy.deepcopy(node)
        changed_bool.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield node, f"({ast.unparse(changed_bool)})"
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        changed_bin = copy.deepcopy(node)
        changed_bin.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        yield node, f"({ast.unparse(changed_bin)})"
    elif isinstance(node, ast.Return) and node.value is not None:
        yield node, "return None"
    elif isinstance(node, ast.If | ast.While | ast.IfExp):
        yield node.test, f"(not ({ast.unparse(node.test)}))"
    elif isinstance(node, ast.Expr | ast.Assign | ast.AugAssign | ast.Raise | ast.Delete):
        yield node, "pass"


def _opposite(operator: ast.cmpop) -> ast.cmpop:
    pairs: list[tuple[type[ast.cmpop], type[ast.cmpop]]] = [
        (ast.Eq, ast.NotEq),
        (ast.Lt, ast.GtE),
        (ast.Gt, ast.LtE),
        (ast.Is, ast.IsNot),
        (ast.In, ast.NotIn),
    ]
    other = {a: b for pair in pairs for a, b in (pair, pair[::-1])}
    return other[type(operator)]()


def _constant_variant(node: ast.Constant) -> Iterator[tuple[ast.AST, str]]:
    value = node.value
    if isinstance(value, bool):
        yield node, repr(not value)
    elif isinstance(value, int | float):
        yield node, repr(value + 1)
    elif isinstance(value, str):
        yield node, repr(value + "x")
    elif isinstance(value, bytes):
        yield node, repr(value + b"x")


def _constants(statement: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    value = getattr(statement, "value", None)
    if isinstance(statement, ast.Assign | ast.AnnAssign) and value is not None:
        for node in _expressions(value):
            if isinstance(node, ast.Constant):
                yield from _constant_variant(node)


def _default_sites(function: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
    for node in [*function.args.defaults, *function.args.kw_defaults]:
        if isinstance(node, ast.Constant):
            yield (node, "0") if node.value is None else next(_constant_variant(node), (node, "0"))


def _statements(statement: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Yield a deletion: of a decorator, a base class, or a whole simple statement."""
    for decorator in getattr(statement, "decorator_list", []):
        yield decorator, "(lambda decorated: decorated)"
    if isinstance(statement, ast.ClassDef):
        for base in statement.bases:
            yield base, "object"
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr | ast.Import | ast.ImportFrom):
        yield statement, "pass"


#: Each kind of change: the parts of a module that one is chosen from, and the places in a part.
KINDS: dict[str, tuple[Callable[[ast.Module], list[ast.AST]], Sites]] = {
    "body": (_functions, _body_sites),
    "default": (_functions, _default_sites),
    "constant": (_outside_functions, _constants),
    "import-time": (_outside_functions, _statements),
}
