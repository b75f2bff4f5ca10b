"""The rules of the house that no linter knows: floors, docstrings, imports, named commands."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from paceline import git
from paceline.sessions import DESCRIPTIONS
from paceline.tasks import ns

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "paceline"
ADAPTERS = frozenset({"plugin", "sessions", "tasks"})
#: What the core may not import: the tools that the adapters adapt, and the adapters.
UPSTAIRS = ("nox", "invoke", "pytest", "_pytest", *(f"paceline.{name}" for name in ADAPTERS))
#: Read when a session or a task runs, never when it is only listed.
SLOW = ("rich", "testmon", "coverage", "pytest")
# Put together here, so that this file does not contain what it forbids.
REGISTRIES = tuple(
    ".".join(parts)
    for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("anaconda", "org"))
)
HOMES = "|".join(("work", "home", "root", "Users", "tmp/dev"))
FORBIDDEN = re.compile(
    "|".join(map(re.escape, REGISTRIES))
    + r"|index[-_]url[\s='\"]+\w+://"
    + rf"|(?<![\w.*}}$/-])/(?:{HOMES})/\w"
)


def imported(path: Path) -> Iterator[str]:
    """Yield the full name of everything that the module at `path` imports, at any depth."""
    package = ("paceline", *path.relative_to(SOURCE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            called = ast.unparse(node.func).rsplit(".", 1)[-1]
            name = node.args[0]
            if called in ("import_module", "__import__") and isinstance(name, ast.Constant):
                yield str(name.value)


def is_upstairs(name: str) -> bool:
    return any(name == above or name.startswith(f"{above}.") for above in UPSTAIRS)


def code(markdown: str) -> str:
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", markdown, flags=re.DOTALL))


def test_the_core_imports_no_adapter() -> None:
    """No module of the core imports nox, invoke, pytest or an adapter, not even in a function."""
    core = [
        path
        for path in sorted(SOURCE.rglob("*.py"))
        if path.relative_to(SOURCE).parts[0] not in ADAPTERS
    ]
    assert core
    found = [
        f"{path.relative_to(ROOT).as_posix()} imports {name}"
        for path in core
        for name in imported(path)
        if is_upstairs(name)
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "import pytest",
        "def f():\n    import nox.sessions",
        "from paceline import tasks",
        "from ..plugin import limit",
        "from .. import sessions",
        "import importlib\nimportlib.import_module('invoke.tasks')",
    ],
)
def test_every_way_to_import_is_seen(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above finds each way of writing an import that breaks the rule."""
    monkeypatch.setattr(sys.modules[__name__], "SOURCE", tmp_path)
    module = tmp_path / "prepush" / "module.py"
    module.parent.mkdir()
    module.write_text(line, encoding="utf-8")
    assert any(map(is_upstairs, imported(module)))


def test_no_file_names_a_registry_or_a_path_of_the_machine() -> None:
    """No file that git knows or would add names a package registry or a folder of one machine."""
    names = git.files(ROOT)
    if names is None:
        pytest.skip("no git repository, so it is unknown which files belong to the project")
    found = []
    for name in names:
        path = ROOT / name
        if not path.is_file():  # deleted, but not yet in git's index
            continue
        text = path.read_bytes().decode("utf-8", errors="replace")
        found += [
            f"{name}:{number}: {match[0]}"
            for number, line in enumerate(text.splitlines(), 1)
            for match in FORBIDDEN.finditer(line)
        ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        f"see https://{REGISTRIES[0]}/simple",
        " ".join(["--index-url", "https://example.com/simple"]),
        "cd " + "/".join(["", "work", "main"]),
        'path = "' + "/".join(["", "home", "me", "project"]) + '"',
    ],
    # Named, because the stored durations hold the tests' ids and are searched as well.
    ids=["host", "option", "folder", "home"],
)
def test_every_forbidden_word_is_seen(line: str) -> None:
    """The test above finds a registry's host, an index option with an address, and a path."""
    assert FORBIDDEN.search(line)


def test_every_test_has_a_docstring() -> None:
    """Every test function of the project says in its docstring what it shows."""
    functions = [
        (path, node)
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    ]
    assert functions
    missing = [
        f"{path.relative_to(ROOT).as_posix()}:{node.lineno} {node.name}"
        for path, node in functions
        if not ast.get_docstring(node)
    ]
    assert missing == []


def test_listing_sessions_and_tasks_imports_nothing_slow() -> None:
    """What `nox -l` and `invoke --list` import leaves rich, testmon, coverage and pytest out."""
    program = (
        "import sys; before = set(sys.modules); "
        "import nox, paceline.sessions, paceline.tasks; "
        "print(*sorted(set(sys.modules) - before))"
    )
    # Coverage measures child processes by importing itself into them first.
    env = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=env,
    )
    loaded = done.stdout.split()
    assert "paceline.tasks" in loaded
    assert [name for name in loaded if name.split(".")[0] in SLOW] == []


def test_every_command_in_the_readme_exists() -> None:
    """Every nox session and every invoke task that the README names can be run."""
    named = code((ROOT / "README.md").read_text(encoding="utf-8"))
    sessions = set(re.findall(r"\bnox -s ([^\s`|]+)", named))
    tasks = set(re.findall(r"\binvoke ([^\s`|-][^\s`|]*)", named))
    assert sessions
    assert tasks
    assert {name for name in sessions if not name.startswith("tests-")} - set(DESCRIPTIONS) == set()
    assert tasks - set(ns.task_names) == set()


def test_every_command_is_in_the_readme() -> None:
    """The README leaves out no nox session and no invoke task."""
    named = code((ROOT / "README.md").read_text(encoding="utf-8"))
    commands = [f"nox -s {name}" for name in DESCRIPTIONS]
    commands += [f"invoke {name}" for name in ns.task_names]
    assert [command for command in commands if command not in named] == []
