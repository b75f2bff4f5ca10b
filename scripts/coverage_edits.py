"""Seeded edits of a Python project, each a text to text: what people do to code and to tests."""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import code_changes

LEFT_OUT = {".git", ".paceline", ".venv", ".nox", "__pycache__", ".hypothesis", "docs", "build"}
#: A file's new text, None if it is to be removed.
Files = Mapping[str, str | None]


@dataclass(frozen=True)
class Edit:
    """What was done, and the files it changes."""

    kind: str
    what: str
    files: Files


@dataclass(frozen=True)
class Place:
    """Where to edit: the project, a file's path in it, its text, and what chooses."""

    root: Path
    name: str
    text: str
    chance: random.Random


def choose(root: Path, kind: str, chance: random.Random) -> Edit | None:
    """Return a random edit of `kind`, one of KINDS, of the project in `root`; None: none found."""
    names = sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if not LEFT_OUT.intersection(path.relative_to(root).parts)
    )
    tests = [name for name in names if Path(name).name.startswith("test_")]
    code = [name for name in names if _is_code(name)]
    for _ in range(50):
        make, places = KINDS[kind]
        name = chance.choice(tests if places == "tests" else code)
        text = (root / name).read_text(encoding="utf-8")
        try:
            files = make(Place(root, name, text, chance))
            for after in filter(None, (files or {}).values()):
                compile(after, name, "exec")
        except (SyntaxError, ValueError):
            continue
        if files and files != {name: text}:
            return Edit(kind, name, files)
    return None


def _is_code(name: str) -> bool:
    parts = Path(name).parts
    return parts[0] == "src" or (len(parts) > 1 and parts[0] not in ("tests", "examples", "docs"))


Make = Callable[[Place], Files | None]


def _insert_comments(at: Place) -> Files:
    lines = at.text.splitlines(keepends=True)
    starts = [node.lineno for node in _statements(ast.parse(at.text))]
    for line in sorted(at.chance.sample(starts, min(3, len(starts))), reverse=True):
        indent = re.match(r"\s*", lines[line - 1])
        assert indent is not None
        lines[line - 1 : line - 1] = [f"{indent[0]}# A remark.\n", "\n"]
    return {at.name: "".join(lines)}


def _delete_comments(at: Place) -> Files | None:
    lines = at.text.splitlines(keepends=True)
    found = [
        place
        for place, line in enumerate(lines)
        if line.lstrip().startswith("#") and "pragma" not in line and "type:" not in line
    ]
    if not found:
        return None
    gone = set(at.chance.sample(found, min(4, len(found))))
    after = "".join(line for place, line in enumerate(lines) if place not in gone)
    return {at.name: after} if ast.dump(ast.parse(after)) == ast.dump(ast.parse(at.text)) else None


def _reformat(at: Place) -> Files | None:
    """Write a function as `ast.unparse` does: long calls on one line, no blank lines."""
    found = [node for node in _functions(ast.parse(at.text)) if not _has_pragma(node, at.text)]
    if not found:
        return None
    node = at.chance.choice(found)
    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
    indent = " " * node.col_offset
    written = "".join(f"{indent}{line}\n" for line in ast.unparse(node).splitlines())
    lines = at.text.splitlines(keepends=True)
    after = "".join([*lines[: first - 1], written, *lines[node.end_lineno or first :]])
    same = ast.dump(ast.parse(after)) == ast.dump(ast.parse(at.text))
    return {at.name: after} if same else None


def _spread_calls(at: Place) -> Files | None:
    """Write the arguments of calls below each other."""
    lines = at.text.splitlines(keepends=True)
    calls = [
        node
        for node in ast.walk(ast.parse(at.text))
        if isinstance(node, ast.Call)
        and node.args
        and node.lineno == node.end_lineno
        and not any(isinstance(part, ast.JoinedStr) for part in ast.walk(node))
    ]
    if not calls:
        return None
    for node in sorted(at.chance.sample(calls, min(4, len(calls))), key=lambda one: -one.lineno):
        line = lines[node.lineno - 1].encode()
        place = node.args[0].col_offset
        lines[node.lineno - 1] = (line[:place] + b"\n" + b" " * 60 + line[place:]).decode()
    after = "".join(lines)
    return {at.name: after} if ast.dump(ast.parse(after)) == ast.dump(ast.parse(at.text)) else None


def _move_function(at: Place) -> Files | None:
    """Swap two functions that follow each other."""
    tree = ast.parse(at.text)
    bodies = [tree.body, *(node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    pairs = [
        (one, other)
        for body in bodies
        for one, other in pairwise(body)
        if isinstance(one, ast.FunctionDef)
        and isinstance(other, ast.FunctionDef)
        and not {*one.decorator_list, *other.decorator_list}
        and one.name != other.name
    ]
    if not pairs:
        return None
    one, other = at.chance.choice(pairs)
    lines = at.text.splitlines(keepends=True)
    first, middle, last = one.lineno - 1, other.lineno - 1, other.end_lineno or 0
    between = lines[one.end_lineno or 0 : middle]
    moved = [*lines[middle:last], *between, *lines[first : one.end_lineno]]
    return {at.name: "".join([*lines[:first], *moved, *lines[last:]])}


def _add_function(at: Place) -> Files:
    number = at.chance.randrange(10**6)
    added = f"def _added_{number}(value):\n    if value:\n        return 1\n    return 2\n\n\n"
    tree = ast.parse(at.text)
    places = [
        min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    ]
    lines = at.text.splitlines(keepends=True)
    place = at.chance.choice(places) - 1 if places else len(lines)
    return {at.name: "".join([*lines[:place], added, *lines[place:]])}


def _delete_added(at: Place) -> Files | None:
    found = [node for node in _functions(ast.parse(at.text)) if node.name.startswith("_added_")]
    if not found:
        return None
    node = at.chance.choice(found)
    lines = at.text.splitlines(keepends=True)
    return {at.name: "".join([*lines[: node.lineno - 1], *lines[node.end_lineno or 0 :]])}


def _add_statement(at: Place) -> Files | None:
    """Put a branch in front of a statement of a function."""
    found = [part for node in _functions(ast.parse(at.text)) for part in _body(node)]
    if not found:
        return None
    node = at.chance.choice(found)
    indent = " " * node.col_offset
    added = f"{indent}if {at.chance.choice(('True', 'False', 'bool(())'))}:\n{indent}    id(0)\n"
    lines = at.text.splitlines(keepends=True)
    return {at.name: "".join([*lines[: node.lineno - 1], added, *lines[node.lineno - 1 :]])}


def _delete_statement(at: Place) -> Files | None:
    tree = ast.parse(at.text)
    found = [
        part
        for node in _functions(tree)
        for part in _body(node)
        if isinstance(part, ast.Expr | ast.If) and len(node.body) > 1
    ]
    if not found:
        return None
    node = at.chance.choice(found)
    lines = at.text.splitlines(keepends=True)
    return {at.name: "".join([*lines[: node.lineno - 1], *lines[node.end_lineno or 0 :]])}


def _change_code(at: Place) -> Files | None:
    found = code_changes.changed(
        at.text.encode(), at.chance.choice(list(code_changes.KINDS)), at.chance
    )
    return {at.name: found[1].decode()} if found else None


def _rename_function(at: Place) -> Files | None:
    """Give a private function or method another name everywhere."""
    found = [
        node.name
        for node in _functions(ast.parse(at.text))
        if node.name.startswith("_") and not node.name.startswith("__") and len(node.name) > 6
    ]
    if not found:
        return None
    old = at.chance.choice(found)
    new = f"{old}_n{at.chance.randrange(100)}"
    files: dict[str, str | None] = {}
    for path in sorted(at.root.rglob("*.py")):
        before = path.read_text(encoding="utf-8")
        after = re.sub(rf"\b{re.escape(old)}\b", new, before)
        if after != before:
            files[path.relative_to(at.root).as_posix()] = after
    return files


def _rename_module(at: Place) -> Files | None:
    """Give a private module another name everywhere."""
    stem = Path(at.name).stem
    if not stem.startswith("_") or stem.startswith("__"):
        return None
    new = f"{stem}_n{at.chance.randrange(100)}"
    files: dict[str, str | None] = {}
    for path in sorted(at.root.rglob("*.py")):
        before = path.read_text(encoding="utf-8")
        after = re.sub(
            rf"(?<![\w]){re.escape(stem)}(?=\s+import\b|\.|\s*$|\s+as\b|,|\))",
            new,
            before,
            flags=re.MULTILINE,
        )
        place = path.relative_to(at.root).as_posix()
        if place == at.name:
            files[at.name] = None
            files[str(Path(at.name).with_name(f"{new}.py").as_posix())] = after
        elif after != before:
            files[place] = after
    return files


def _rename_test_file(at: Place) -> Files:
    place = (
        Path(at.name).with_name(f"{Path(at.name).stem}_n{at.chance.randrange(100)}.py").as_posix()
    )
    return {at.name: None, place: at.text}


def _delete_test(at: Place) -> Files | None:
    found = [
        node
        for node in ast.parse(at.text).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    if len(found) < 2:
        return None
    node = at.chance.choice(found)
    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
    lines = at.text.splitlines(keepends=True)
    return {at.name: "".join([*lines[: first - 1], *lines[node.end_lineno or 0 :]])}


def _add_test(at: Place) -> Files:
    number = at.chance.randrange(10**6)
    return {at.name: f"{at.text}\n\ndef test_added_{number}():\n    assert [1, 2, 3]\n"}


def _delete_test_file(at: Place) -> Files:
    return {at.name: None}


def _change_docstring(at: Place) -> Files | None:
    """Add a line to a docstring, or give a function one."""
    found = _functions(ast.parse(at.text))
    if not found:
        return None
    node = at.chance.choice(found)
    first = node.body[0]
    if first.lineno == node.lineno:
        return None
    lines = at.text.splitlines(keepends=True)
    indent = " " * first.col_offset
    if ast.get_docstring(node) is None:
        lines[first.lineno - 1 : first.lineno - 1] = [
            f'{indent}"""Say so.\n\n{indent}And why.\n{indent}"""\n'
        ]
    else:
        lines[first.lineno - 1 : first.end_lineno] = [f'{indent}"""Say it."""\n']
    return {at.name: "".join(lines)}


def _statements(tree: ast.AST) -> Iterator[ast.stmt]:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and not isinstance(node, ast.Lambda):
            yield from (
                part
                for part in body
                if isinstance(part, ast.stmt) and not getattr(part, "decorator_list", None)
            )


def _functions(tree: ast.AST) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def _body(node: ast.FunctionDef) -> list[ast.stmt]:
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return [
        part
        for part in body
        if part.lineno > node.lineno and not getattr(part, "decorator_list", None)
    ]


def _has_pragma(node: ast.AST, text: str) -> bool:
    part = ast.get_source_segment(text, node) or ""
    return "pragma" in part or "type:" in part


KINDS: Mapping[str, tuple[Make, str]] = {
    "insert comments": (_insert_comments, "code"),
    "reformat a function": (_reformat, "code"),
    "insert a statement": (_add_statement, "code"),
    "move a function": (_move_function, "code"),
    "change code": (_change_code, "code"),
    "delete a test": (_delete_test, "tests"),
    "delete comments": (_delete_comments, "code"),
    "rename a function": (_rename_function, "code"),
    "spread calls over lines": (_spread_calls, "code"),
    "add a function": (_add_function, "code"),
    "add a test": (_add_test, "tests"),
    "change a docstring": (_change_docstring, "code"),
    "rename a test file": (_rename_test_file, "tests"),
    "delete a statement": (_delete_statement, "code"),
    "move a test": (_move_function, "tests"),
    "delete a function": (_delete_added, "code"),
    "rename a module": (_rename_module, "code"),
    "insert comments in tests": (_insert_comments, "tests"),
    "delete a test file": (_delete_test_file, "tests"),
}
