"""`invoke prepush` with a limit on the coverage says what the full run in CI says."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from paceline import process
from paceline.testing import Project

SETTINGS = """\
[tool.paceline]
environment = "current"
fail_under = {limit}

[tool.paceline.groups.unit]
workers = 0

[tool.paceline.groups.api]
workers = 0
{api}

[tool.paceline.steps.lint]
run = [["{python}", "-c", "pass"]]
inputs = ["src/**"]

[tool.paceline.steps.deps]
run = [["{python}", "-c", "pass"]]
inputs = ["pyproject.toml"]

[tool.pytest.ini_options]
pythonpath = ["src"]
addopts = "-p no:randomly"

[tool.coverage.run]
branch = true
"""
FILES = {
    "src/calc/__init__.py": "",
    "src/calc/core.py": """
        def add(a, b):
            return a + b


        def sign(value):
            if value < 0:
                return -1
            return 1


        def unused(value):
            if value:
                value += 1
            return value
    """,
    "src/calc/api.py": """
        from calc import core


        def answer(value):
            if value == 1:
                return {"sum": core.add(value, 1)}
            return {}
    """,
    "tests/unit/test_core.py": """
        from calc import core


        def test_add():
            assert core.add(1, 2) == 3


        def test_negative():
            assert core.sign(-1) == -1
    """,
    "tests/api/test_api.py": """
        from calc import api


        def test_answer():
            assert api.answer(1) == {"sum": 2}
    """,
    ".gitignore": ".coverage*\n__pycache__/\n.pytest_cache/\n.testmondata*\n",
}


def settings(limit: float, api: str = "") -> str:
    """Return the project's configuration with a limit on the total."""
    return SETTINGS.format(limit=limit, python=sys.executable, api=api)


def commit(project: Project) -> None:
    """Commit what there is."""
    project.git("add", "-A")
    project.git("commit", "-q", "-m", "change")


def edit(project: Project, name: str, old: str, new: str) -> None:
    """Replace `old` by `new`, and commit."""
    path = project.root / name
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    commit(project)


def row(done: process.Result, step: str) -> str:
    """Return the row of `step` in the closing table."""
    return [line for line in done.output.splitlines() if line.startswith(f"{step} ")][-1]


def in_ci(project: Project) -> tuple[int, float]:
    """Run everything as CI does; return the exit code of the gates, and the total."""
    for group in ("unit", "api"):
        done = project.nox("-s", f"tests-{group}")
        assert done.exit_code == 0, done.output
    done = project.nox("-s", "coverage")
    return done.exit_code, _total(done.output)


def _total(output: str) -> float:
    found = re.search(r"coverage of total: \w+: ([\d.]+) ?%|([\d.]+) ?%, fail_under", output)
    assert found is not None, output
    return float(found[1] or found[2])


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project whose first commit is pushed."""
    made = Project(tmp_path / "project")
    made.write({**FILES, "pyproject.toml": settings(50)})
    made.git("init", "-q", "-b", "main")
    commit(made)
    remote = str(tmp_path / "remote.git")
    made.git("init", "-q", "--bare", "-b", "main", remote)
    made.git("remote", "add", "origin", remote)
    made.git("push", "-q", "-u", "origin", "main")
    return made


def test_both_sides_of_the_limit(project: Project) -> None:
    """After incremental runs the limit holds or fails as in CI, just above and just below it."""
    first = project.invoke("prepush", "--full")
    assert first.exit_code == 0, first.output
    edit(project, "src/calc/core.py", "    return a + b", "    total = a + b\n    return total")
    exit_code, total = in_ci(project)
    assert exit_code == 0
    assert 50 < total < 70
    for limit, expected in ((total - 0.5, 0), (total + 0.5, 1)):
        (project.root / "pyproject.toml").write_text(settings(round(limit, 2)), encoding="utf-8")
        commit(project)
        done = project.invoke("prepush")
        assert done.exit_code == expected, done.output
        assert in_ci(project)[0] == expected
        assert ("passed" if expected == 0 else "failed") in row(done, "coverage")


def test_only_affected_tests_run_and_the_verdict_is_kept(project: Project) -> None:
    """The total needs no run of all tests, and a proven verdict is not computed again."""
    assert project.invoke("prepush").exit_code == 0
    edit(project, "src/calc/core.py", "return -1", "return 0 - 1")
    done = project.invoke("prepush")
    assert done.exit_code == 0, done.output
    assert "passed" in row(done, "coverage")
    again = project.invoke("prepush")
    assert again.exit_code == 0, again.output
    assert "proven" in row(again, "coverage")


def test_a_drop_under_the_limit_is_seen_without_running_everything(project: Project) -> None:
    """Code that nothing runs, added under unaffected tests, fails the limit as in CI."""
    assert project.invoke("prepush").exit_code == 0
    lines = "".join(f"    value += {number}\n" for number in range(12))
    edit(project, "src/calc/core.py", "def unused(value):\n", f"def unused(value):\n{lines}")
    done = project.invoke("prepush")
    assert done.exit_code == 1, done.output
    assert "failed" in row(done, "coverage")
    assert in_ci(project)[0] == 1


def test_groups_that_run_in_ci_only(project: Project) -> None:
    """Where a group runs in CI only the total cannot be known, and that is said."""
    (project.root / "pyproject.toml").write_text(settings(99, "prepush = false"), encoding="utf-8")
    commit(project)
    done = project.invoke("prepush")
    assert done.exit_code == 0, done.output
    assert "tests of api too, which run in CI only" in row(done, "coverage")
