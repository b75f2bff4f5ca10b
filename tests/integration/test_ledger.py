"""Coverage after `pytest --impact --cov` is that of a full run, whatever was edited."""

from __future__ import annotations

import json
import re
import sqlite3
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from coverage import CoverageData

from paceline import process
from paceline.testing import Project

FILES = {
    "pyproject.toml": """
        [tool.paceline]
        environment = "current"
        [tool.pytest.ini_options]
        testpaths = ["tests"]
        pythonpath = ["."]
        addopts = "-p no:randomly"
        [tool.coverage.run]
        source = ["app"]
    """,
    "app/__init__.py": "",
    "app/core.py": '''
        """A module with most kinds of statements."""
        import functools

        LIMIT = 3
        known = {}


        def plain(value):
            """Say how large."""
            if value > LIMIT and (
                value < 100
            ):
                return "large"
            return "small"


        class Shape:
            """A class."""

            sides = 4

            def area(self, length):
                total = 0
                for _ in range(length):
                    if total > 20:
                        break
                    total += length
                else:
                    total += 0
                return total

            @staticmethod
            def name(text): return text.upper()


        @functools.lru_cache
        def cached(value):
            return value + 1


        def times(value):
            if value in known:
                return known[value]
            known[value] = value * 2
            return known[value]


        def reading(place):
            with open(place) as handle:
                if handle.readable():
                    return handle.read()


        def matching(value):
            match value:
                case 1:
                    return "one"
                case [first, *_] if first:
                    return first
                case _:
                    return None


        def careful(value):
            try:
                return 10 / value
            except ZeroDivisionError:
                return 0
            finally:
                value = None


        def lazily():
            from app import late
            return late.answer()


        def nobody():
            return [item for item in range(3)]
    ''',
    "app/late.py": """
        SIZE = 1
        if SIZE:
            WORDS = ["a"]


        def answer():
            return SIZE
    """,
    "app/other.py": """
        def greet(name):
            if name:
                return f"hello {name}"
            return "hello"
    """,
    "tests/conftest.py": """
        import pytest
        from app import core


        @pytest.fixture(scope="module")
        def shape():
            made = core.Shape()
            yield made
            core.careful(0)


        def pytest_collection_modifyitems(items):
            for item in items:
                if "greet" in item.name:
                    core.matching(1)
    """,
    "tests/test_core.py": """
        from app import core


        def test_plain():
            assert core.plain(5) == "large"


        def test_small():
            assert core.plain(1) == "small"


        def test_area(shape):
            assert shape.area(3) == 9


        def test_name():
            assert core.Shape.name("a") == "A"


        def test_times_first():
            assert core.times(4) == 8


        def test_times_again():
            assert core.times(4) == 8


        def test_cached():
            assert core.cached(1) == 2
    """,
    "tests/test_more.py": """
        from app import core


        def test_area_of_long(shape):
            assert shape.area(30) == 30


        def test_reading(tmp_path):
            place = tmp_path / "a.txt"
            place.write_text("x")
            assert core.reading(place) == "x"


        def test_matching():
            assert core.matching([5]) == 5


        def test_careful():
            assert core.careful(5) == 2


        def test_lazily():
            assert core.lazily() == 1
    """,
    "tests/test_other.py": """
        from app import other


        def test_greet():
            assert other.greet("you") == "hello you"
    """,
}
Figures = dict[str, dict[str, Any]]


def run(project: Project, *options: str) -> process.Result:
    """Run pytest with --impact and coverage."""
    # The tests' own coverage, where that is measured, names another file.
    env = {"COVERAGE_FILE": ".coverage"}
    return project.python("-m", "pytest", "--impact", "--cov", "--cov-report=", *options, env=env)


def figures(project: Project, file: str = ".coverage") -> Figures:
    """Return what coverage itself reports of each file."""
    out = project.root / "report.json"
    done = project.python("-m", "coverage", "json", "-q", f"--data-file={file}", "-o", str(out))
    assert done.exit_code == 0, done.output
    files = json.loads(out.read_text(encoding="utf-8"))["files"]
    names = ("lines", "branches")
    return {
        file: {
            key: found.get(key)
            for key in (f"{kind}_{name}" for kind in ("executed", "missing") for name in names)
        }
        for file, found in files.items()
    }


def full(project: Project, *options: str) -> Figures:
    """Return the figures of a full run without Paceline's selection, in the same tree."""
    env = {"COVERAGE_FILE": ".coverage.full"}
    done = project.python("-m", "pytest", "--cov", "--cov-report=", *options, env=env)
    assert done.exit_code in {0, 1}, done.output
    return figures(project, ".coverage.full")


def ran(result: process.Result) -> int:
    """Return how many tests ran."""
    found = re.search(r"(\d+) tests ran", result.output)
    assert found is not None, result.output
    return int(found[1])


def edit(project: Project, name: str, old: str, new: str) -> None:
    """Replace `old`, which is there once, by `new`."""
    path = project.root / name
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def remove(project: Project, name: str) -> None:
    """Remove a file."""
    (project.root / name).unlink()


def rename(project: Project, old: str, new: str) -> None:
    """Rename a file."""
    (project.root / old).rename(project.root / new)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project in which nothing has run yet."""
    made = Project(tmp_path / "project")
    made.write(FILES)
    return made


#: Edits one after another: name, and calls of edit(), remove() or rename().
EDITS: Mapping[str, list[tuple[str, ...]]] = {
    "a comment, a docstring, and formatted anew": [
        ("app/core.py", "LIMIT = 3\n", "# Why.\n\nLIMIT = 3\n"),
        ("app/core.py", '"""Say how large."""', '"""Say.\n\n    And why.\n    """'),
        (
            "app/core.py",
            "value > LIMIT and (\n        value < 100\n    ):",
            "value > LIMIT and (value < 100):",
        ),
    ],
    "moved": [
        ("app/core.py", "def nobody():\n    return [item for item in range(3)]\n", ""),
        (
            "app/core.py",
            "class Shape:",
            "def nobody():\n    return [item for item in range(3)]\n\n\nclass Shape:",
        ),
    ],
    "another branch": [("app/core.py", "            if total > 20:", "            if total > 25:")],
    "lines and a function added": [
        ("app/core.py", "    return 10 / value", "    value += 0\n        return 10 / value"),
        ("app/late.py", "def answer", "def unused():\n    return 1\n\n\ndef answer"),
    ],
    "a function divided": [
        ("app/core.py", "def name(text): return", "def name(text):\n        return")
    ],
    "import-time code": [("app/late.py", 'WORDS = ["a"]', 'WORDS = ["b"]')],
    "tests deleted, the maker of state too": [
        ("tests/test_core.py", 'def test_small():\n    assert core.plain(1) == "small"\n', ""),
        ("tests/test_core.py", "def test_times_first():\n    assert core.times(4) == 8\n", ""),
    ],
    "a test added, and its file renamed": [
        (
            "tests/test_other.py",
            "def test_greet",
            "def test_nobody():\n    assert not other.greet('')[5:]\n\n\ndef test_greet",
        ),
        ("rename", "tests/test_other.py", "tests/test_others.py"),
    ],
    "a module renamed, a test file deleted": [
        ("remove", "tests/test_others.py"),
        ("rename", "app/late.py", "app/later.py"),
        (
            "app/core.py",
            "from app import late\n    return late",
            "from app import later\n    return later",
        ),
    ],
}


def apply(project: Project, changes: list[tuple[str, ...]]) -> None:
    """Make the changes of one edit."""
    for change in changes:
        if change[0] == "rename":
            rename(project, *change[1:])
        elif change[0] == "remove":
            remove(project, *change[1:])
        else:
            edit(project, *change)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        pytest.param(("--cov-branch",), tuple(EDITS), marks=pytest.mark.long),
        pytest.param(
            ("--cov-branch", "-n", "2", "--dist", "loadfile"),
            ("moved", "tests deleted, the maker of state too"),
            marks=pytest.mark.long,
        ),
        ((), ("another branch", "import-time code")),
    ],
)
def test_edits_one_after_another(
    project: Project, options: tuple[str, ...], names: tuple[str, ...]
) -> None:
    """After each kind of edit the figures are those of a full run, and seldom everything ran."""
    first = run(project, *options)
    assert ran(first) == 13, first.output
    everything = set()
    for name in names:
        apply(project, EDITS[name])
        result = run(project, *options)
        assert result.exit_code == 0, result.output
        assert figures(project) == full(project, *options), f"after: {name}\n{result.output}"
        if "carried over" not in result.output:
            everything.add(name)
    # The first divides a line that is imported for every test, the second renames a module.
    assert everything <= {"a function divided", "a module renamed, a test file deleted"}


def test_a_damaged_ledger_runs_everything(project: Project) -> None:
    """What is damaged in the ledger is measured anew, and never taken for covered."""
    run(project)
    connection = sqlite3.connect(project.root / ".paceline" / "impact" / "records.db")
    connection.execute("UPDATE measured SET arcs = ?", (zlib.compress(b""),))
    connection.commit()
    connection.close()
    result = run(project)
    assert ran(result) == 13
    assert figures(project) == full(project)


def test_another_configuration_runs_everything(project: Project) -> None:
    """Branches cannot be had from a ledger of lines, nor other code than was measured."""
    run(project)
    branches = run(project, "--cov-branch")
    assert ran(branches) == 13
    assert figures(project) == full(project, "--cov-branch")
    again = run(project, "--cov-branch")
    assert ran(again) == 0
    assert figures(project) == full(project, "--cov-branch")


def test_a_run_without_coverage_between(project: Project) -> None:
    """Tests that last ran without coverage run again where it is asked for, and no others."""
    run(project)
    edit(project, "app/core.py", "total > 20", "total > 24")
    edit(project, "app/late.py", "SIZE = 1", "SIZE = 2")
    project.python("-m", "pytest", "--impact")
    done = run(project)
    assert "was carried over" in done.output
    assert figures(project) == full(project)


def test_chosen_tests(project: Project) -> None:
    """With -k the figure is that of the chosen tests, and says so; it does not spoil the whole."""
    run(project)
    edit(project, "app/core.py", "total > 20", "total > 24")
    chosen = run(project, "-k", "area or small")
    assert "that of the chosen tests, not of all" in chosen.output
    assert figures(project) == full(project, "-k", "area or small")
    run(project)
    assert figures(project) == full(project)


def test_limit_of_pytest_cov(project: Project) -> None:
    """pytest-cov's own limit and report are about all tests."""
    first = run(project, "--cov-report=term")
    total = re.search(r"TOTAL .* (\d+)%", first.output)
    assert total is not None, first.output
    good = run(project, f"--cov-fail-under={total[1]}", "--cov-report=term")
    assert good.exit_code == 0, good.output
    assert ran(good) == 0
    assert total[0] in good.output
    bad = run(project, f"--cov-fail-under={int(total[1]) + 1}")
    assert bad.exit_code == 1, bad.output


def test_contexts(project: Project) -> None:
    """With contexts each test that was left out still has its own."""
    options = ("--cov-branch", "--cov-context=test")
    run(project, *options)
    edit(project, "app/core.py", "total > 20", "total > 24")
    result = run(project, *options)
    assert ran(result) < 13, result.output
    assert figures(project) == full(project, *options)
    data = CoverageData(basename=str(project.root / ".coverage"))
    data.read()
    contexts = data.contexts_by_lineno(str(project.root / "app" / "other.py"))
    assert contexts[4] == ["tests/test_other.py::test_greet|run"]


def test_child_processes_and_relative_names(project: Project) -> None:
    """What coverage measures in child processes is measured, and carried over."""
    edit(
        project,
        "pyproject.toml",
        'source = ["app"]\n',
        'source = ["app"]\nrelative_files = true\npatch = ["subprocess"]\n',
    )
    project.write(
        {
            "tests/test_child.py": """
                import subprocess
                import sys


                def test_child():
                    code = "from app import core; core.careful(0); core.nobody()"
                    subprocess.run([sys.executable, "-c", code], check=True)
            """
        }
    )
    run(project, "--cov-branch")
    assert figures(project) == full(project, "--cov-branch")
    edit(project, "app/other.py", "return f", "# a remark\n        return f")
    edit(project, "app/core.py", "total > 20", "total > 24")
    result = run(project, "--cov-branch")
    assert ran(result) < 14, result.output
    assert figures(project) == full(project, "--cov-branch")


@pytest.mark.parametrize("own", ["", "gc.freeze()"])
def test_garbage_is_looked_for_again_after_the_report(project: Project, own: str) -> None:
    """Only while the report is made nothing is, and what the project froze itself stays so."""
    project.write(
        {
            "conftest.py": f"""
                import gc

                import pytest

                START = gc.get_freeze_count()


                def pytest_collection_finish():
                    {own or "pass"}


                @pytest.hookimpl(wrapper=True, tryfirst=True)
                def pytest_runtestloop():
                    before = gc.get_freeze_count()
                    result = yield
                    print("more in the report:", gc.get_freeze_count() > before)
                    return result


                @pytest.hookimpl(trylast=True)
                def pytest_sessionfinish():
                    print("more at the end:", gc.get_freeze_count() > START)
            """
        }
    )
    result = run(project, "-s")
    assert f"more in the report: {not own}" in result.output
    assert f"more at the end: {bool(own)}" in result.output
