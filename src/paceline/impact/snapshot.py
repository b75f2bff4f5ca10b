"""What the project looked like when a group's tests last ran, and what that means for a new run.

testmon decides by the function bodies that a test executed. It does not see import-time
code, data files, new files, configuration or the environment. So testmon is asked only where
nothing but function bodies of ordinary modules changed; anything else runs everything.
"""

from __future__ import annotations

import ast
import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePath
from typing import Any

from paceline import store

VERSION = 1


class Selection(Enum):
    """Which tests of a group have to run."""

    NOTHING = "nothing"
    TESTMON = "testmon"
    EVERYTHING = "everything"


@dataclass(frozen=True)
class Decision:
    """Which tests run, and why, in plain words."""

    selection: Selection
    reason: str


@dataclass(frozen=True)
class Snapshot:
    """Digests of every file of the project, and of the environment the tests ran in.

    `files` maps each path to the digest of its content and of its import-time code; the two
    are equal for files that are not Python modules.
    """

    environment: str
    files: Mapping[str, tuple[str, str]]
    passed: bool = False


def take(root: Path, names: list[str], environment: str) -> Snapshot:
    """Return the snapshot of the files `names` (relative to `root`) as they are now."""
    return Snapshot(environment, {name: _digests(root / name) for name in names})


def decide(before: Snapshot | None, now: Snapshot) -> Decision:
    """Return which tests have to run now, given the snapshot of their last finished run."""
    if before is None:
        return Decision(Selection.EVERYTHING, "no record of an earlier run")
    if before.environment != now.environment:
        return Decision(Selection.EVERYTHING, "the environment or the configuration changed")
    changed = sorted(
        name
        for name in before.files.keys() | now.files.keys()
        if before.files.get(name) != now.files.get(name)
    )
    for name in changed:
        why = _beyond_testmon(name, before, now)
        if why:
            return Decision(Selection.EVERYTHING, why)
    if changed:
        return Decision(Selection.TESTMON, f"only function bodies changed: {_some(changed)}")
    if not before.passed:
        return Decision(Selection.TESTMON, "nothing changed, but tests failed last time")
    return Decision(Selection.NOTHING, "nothing changed since the last passing run")


def _beyond_testmon(name: str, before: Snapshot, now: Snapshot) -> str:
    if name not in before.files:
        return f"new file {name}"
    if name not in now.files:
        return f"{name} was deleted"
    path = PurePath(name)
    if path.suffix != ".py":
        return f"{name} changed"
    if path.name == "conftest.py":
        return f"{name} changed: fixtures and hooks outlive a test"
    if before.files[name][1] != now.files[name][1]:
        return f"{name}: code that runs at import changed"
    return ""


def _some(names: list[str], limit: int = 3) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if names[limit:] else "")


def _digests(path: Path) -> tuple[str, str]:
    if path.is_dir():
        # A submodule or a link to a folder: not seen through, so never equal to anything.
        never = uuid.uuid4().hex
        return (never, never)
    try:
        content = path.read_bytes()
    except OSError:
        return ("absent", "absent")  # a broken link, or a file deleted but still tracked
    whole = hashlib.sha256(content).hexdigest()
    return (whole, _import_time(content) or whole) if path.suffix == ".py" else (whole, whole)


def _import_time(content: bytes) -> str | None:
    """Return the digest of the code outside function bodies; None where it cannot be parsed.

    A function with a decorator counts whole: a cache or a registry may outlive the test that
    filled it. So does one that defines a fixture or a generator-based context by decorator.
    """
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return None
    stripped = _WithoutBodies().visit(tree)
    return hashlib.sha256(ast.dump(stripped).encode()).hexdigest()


class _WithoutBodies(ast.NodeTransformer):
    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._without_body(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._without_body(node)

    def _without_body(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        # Set-up functions (setup_module, setup_class) make state for tests after the first.
        if not node.decorator_list and not node.name.startswith("setup"):
            node.body = [ast.Pass()]
        return node


def read(path: Path) -> Snapshot | None:
    """Return the snapshot stored at `path`; None if absent, damaged or of another version."""
    data = store.read_json(path, "impact snapshot")
    if not isinstance(data, dict) or data.get("version") != VERSION:
        return None
    try:
        return _from_json(data)
    except (AttributeError, LookupError, TypeError, ValueError):
        return None


def _from_json(data: dict[str, Any]) -> Snapshot:
    files = {str(name): (str(pair[0]), str(pair[1])) for name, pair in data["files"].items()}
    return Snapshot(str(data["environment"]), files, data["passed"] is True)


def write(path: Path, snapshot: Snapshot) -> None:
    """Store `snapshot` at `path`."""
    store.write_json(
        path,
        {
            "version": VERSION,
            "environment": snapshot.environment,
            "passed": snapshot.passed,
            "files": {name: list(pair) for name, pair in snapshot.files.items()},
        },
    )
