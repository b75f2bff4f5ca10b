"""Shards run by real nox: together they are one whole run, or they are refused."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from coverage import CoverageData

from paceline.process import Result
from paceline.testing import PYPROJECT, Project

WORK = """\
    def sign(number):
        if number > 0:
            return "plus"
        elif number < 0:
            return "minus"
        return "zero"


    def never():
        return [n for n in range(3) if n]
    """
TESTS = """\
    import pytest
    from pkg.work import sign

    @pytest.mark.parametrize("number", range(-2, 3))
    def test_sign(number):
        assert sign(number) in ("plus", "minus", "zero")

    class TestKinds:
        def test_plus(self):
            assert sign(7) == "plus"

        def test_minus(self):
            assert sign(-7) == "minus"
    """
MEASURED = """\
[tool.coverage.run]
branch = true
source = ["pkg"]
[tool.coverage.report]
exclude_also = ["def never"]
"""


def settings(group: str = "workers = 0", more: str = "") -> str:
    return f"{PYPROJECT}[tool.paceline.groups.unit]\n{group}\n{more}"


def project_in(root: Path, group: str = "workers = 0", more: str = MEASURED) -> Project:
    project = Project(root)
    project.write({"pyproject.toml": settings(group, more), "pkg/__init__.py": ""})
    project.write({"pkg/work.py": WORK, "tests/test_work.py": TESTS})
    return project


def small(root: Path, test: str, group: str = "workers = 0", more: str = "") -> Project:
    project = Project(root)
    project.write({"pyproject.toml": settings(group, more), "pkg.py": "", "tests/test_a.py": test})
    return project


def shard(project: Project, index: int, total: int, *arguments: str) -> Result:
    # pytest-randomly is active: every shard gets an order of its own.
    seed = f"--randomly-seed={index * 1000 + total}"
    where = ("--shard", f"{index}/{total}", seed)
    return project.nox("-s", "tests-unit", "--", *where, *arguments)


def shards(project: Project, total: int) -> list[dict[str, Any]]:
    """Run all shards, which must pass; return what they reported."""
    for index in range(1, total + 1):
        done = shard(project, index, total)
        assert done.exit_code == 0, done.output
    return [report(project, index, total) for index in range(1, total + 1)]


def report(project: Project, index: int, total: int) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder(project, index, total) / "tests.json").read_text())
    return data


def folder(project: Project, index: int, total: int) -> Path:
    return project.root / ".paceline" / "shards" / "unit" / f"{index}of{total}"


def assert_each_once(reports: list[dict[str, Any]]) -> None:
    collected = reports[0]["collected"]
    assert collected
    assert all(found["collected"] == collected for found in reports)
    assert sorted(test for found in reports for test in found["ran"]) == collected
    assert all(times == 1 for found in reports for times in found["ran"].values())


def assert_proven(project: Project, *arguments: str) -> None:
    done = project.nox("-s", "coverage", *arguments)
    assert done.exit_code == 0, done.output
    assert "each test exactly once" in done.output


def assert_refused(project: Project, *named: str) -> None:
    done = project.nox("-s", "coverage")
    assert done.exit_code == 12, done.output
    assert [text for text in named if text not in done.output] == [], done.output


def measured(project: Project) -> dict[str, tuple[list[int], list[tuple[int, int]]]]:
    data = CoverageData(basename=str(project.root / ".paceline" / "reports" / ".coverage"))
    data.read()
    try:
        return {
            Path(name).relative_to(project.root).as_posix(): (
                sorted(data.lines(name) or []),
                sorted(data.arcs(name) or []),
            )
            for name in data.measured_files()
        }
    finally:
        data.close()


def reported(project: Project) -> dict[str, Any]:
    file = project.root / ".paceline" / "reports" / "coverage.json"
    data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["files"]
    return data


@pytest.mark.parametrize("total", [2, 4])
def test_shards_run_every_test_once(total: int, tmp_path: Path) -> None:
    """Shards in different random orders run every collected test, and none twice."""
    reports = shards(project_in(tmp_path), total)
    assert_each_once(reports)
    assert all(found["ran"] for found in reports)


@pytest.mark.parametrize("workers", [0, 2])
def test_coverage_of_shards_is_that_of_the_whole(workers: int, tmp_path: Path) -> None:
    """Four shards run in two checkouts' paths measure what one whole run measures, exactly."""
    project = project_in(tmp_path / "one", f"workers = {workers}")
    elsewhere = project_in(tmp_path / "an other" / "two", f"workers = {workers}")
    assert_each_once(shards(project, 1))
    assert_proven(project)
    whole, figures = measured(project), reported(project)
    assert whole["pkg/work.py"][1]
    assert 6 in whole["pkg/work.py"][0]
    assert figures["pkg/work.py"]["excluded_lines"] == [9, 10]
    for index in range(1, 5):
        done = shard(project if index % 2 else elsewhere, index, 4)
        assert done.exit_code == 0, done.output
    for index in (2, 4):
        shutil.move(folder(elsewhere, index, 4), folder(project, index, 4))
    assert_each_once([report(project, index, 4) for index in range(1, 5)])
    assert_proven(project)
    assert measured(project) == whole
    assert reported(project) == figures


def test_more_shards_than_tests(tmp_path: Path) -> None:
    """Shards without a test pass, and the whole is proven."""
    project = small(tmp_path, "import pkg\ndef test_a(): pass\n")
    reports = shards(project, 2)
    assert_each_once(reports)
    assert sorted(len(found["selected"]) for found in reports) == [0, 1]
    assert_proven(project)


def test_missing_and_deleted_shards_are_refused(tmp_path: Path) -> None:
    """A shard that did not run or whose folder is gone is named, and nothing is reported."""
    project = small(tmp_path, TESTS.replace("from pkg.work import sign", "sign = abs"))
    assert_refused(project, "no shard has a result")
    project.write({"tests/test_a.py": "import pkg\ndef test_a(): pass\ndef test_b(): pass\n"})
    for index in (1, 3):
        assert shard(project, index, 3).exit_code == 0
    assert_refused(project, "shard 2of3 is missing")
    shutil.rmtree(folder(project, 3, 3))
    assert_refused(project, "shard 2of3 is missing", "shard 3of3 is missing")
    assert not (project.root / ".paceline" / "reports" / ".coverage").exists()


def test_second_result_of_a_shard_is_refused(tmp_path: Path) -> None:
    """Another result for a shard, under any folder's name, is no re-run of it and is named."""
    project = project_in(tmp_path)
    shards(project, 2)
    second = folder(project, 1, 2).with_name("1of2 (1)")
    shutil.copytree(folder(project, 1, 2), second)
    assert_refused(project, "shard 1of2 has 2 results, expected one")
    shutil.rmtree(second)
    shutil.copy(folder(project, 1, 2) / "tests.json", folder(project, 2, 2))
    assert_refused(project, "shard 1of2 has 2 results, expected one", "shard 2of2 is missing")


def test_shards_of_different_plans_are_refused(tmp_path: Path) -> None:
    """Shards that were split by different durations are refused, although all of them passed."""
    project = project_in(tmp_path)
    assert shard(project, 1, 2).exit_code == 0
    first, *others = report(project, 1, 2)["collected"]
    durations = {first: 100.0, **dict.fromkeys(others, 0.1)}
    project.write({"ci/durations/unit.json": json.dumps(durations)})
    assert shard(project, 2, 2).exit_code == 0
    assert_refused(project, "different plans", "1of2", "2of2")


def test_shards_of_different_commits_are_refused(tmp_path: Path) -> None:
    """Shards that ran on two commits are refused with both commits named."""
    project = project_in(tmp_path)
    project.git("init", "-q")
    commits = []
    for index in (1, 2):
        project.git("commit", "-q", "--allow-empty", "-m", "a change")
        commits.append(project.git("rev-parse", "HEAD").strip())
        assert shard(project, index, 2).exit_code == 0
    assert_refused(project, "different commits", *commits)


def test_pytest_arguments_narrow_but_prove_nothing(tmp_path: Path) -> None:
    """-k and -x reach pytest, and coverage then names the tests that did not run."""
    test = (
        "import pkg\ndef test_some(): pass\ndef test_bad(): assert 0\ndef test_bad_too(): assert 0"
    )
    project = small(tmp_path, test)
    done = project.nox("-s", "tests-unit", "--", "-k", "some")
    assert done.exit_code == 0, done.output
    assert "1 passed, 2 deselected" in done.output
    assert_refused(project, "did not run tests/test_a.py::test_bad, tests/test_a.py::test_bad_too")
    done = project.nox("-s", "tests-unit", "--", "-k", "bad", "-x", "-p", "no:randomly")
    assert done.exit_code == 1
    assert "stopping after 1 failures" in done.output
    assert_refused(project, "did not run tests/test_a.py::test_bad_too, tests/test_a.py::test_some")


def test_storing_durations(tmp_path: Path) -> None:
    """--store-durations writes every test's duration, after one run or after combining shards."""
    project = project_in(tmp_path)
    file = project.root / "ci" / "durations" / "unit.json"
    done = project.nox("-s", "tests-unit", "--", "--store-durations")
    assert done.exit_code == 0, done.output
    collected = report(project, 1, 1)["collected"]
    assert sorted(json.loads(file.read_text())) == collected
    file.unlink()
    shards(project, 2)
    assert_proven(project, "--", "--store-durations")
    assert sorted(json.loads(file.read_text())) == collected


@pytest.mark.parametrize("damaged", [True, False])
def test_useless_durations_do_no_harm(damaged: bool, tmp_path: Path) -> None:
    """With damaged durations (one warning) or with all of them zero the shards still agree."""
    project = project_in(tmp_path)
    names = [f"tests/test_work.py::test_sign[{number}]" for number in range(-2, 3)]
    names += [f"tests/test_work.py::TestKinds::test_{kind}" for kind in ("plus", "minus")]
    text = '{"tests/test_work.py' if damaged else json.dumps(dict.fromkeys(names, 0))
    project.write({"ci/durations/unit.json": text})
    for index in (1, 2):
        done = shard(project, index, 2)
        assert done.exit_code == 0, done.output
        assert ("warning: " in done.output) == damaged
    reports = [report(project, index, 2) for index in (1, 2)]
    assert_each_once(reports)
    assert len({found["plan_digest"] for found in reports}) == 1
    assert all(found["ran"] for found in reports)


def test_result_folder_and_the_projects_own_limit(tmp_path: Path) -> None:
    """A shard leaves its files and is not held to addopts' --cov-fail-under."""
    addopts = '[tool.pytest.ini_options]\naddopts = "--cov=pkg --cov-fail-under=100"\n'
    project = project_in(tmp_path, more=MEASURED + addopts)
    reports = shards(project, 1)
    names = {path.name for path in folder(project, 1, 1).iterdir()}
    # Where these tests are measured themselves, coverage adds files with longer names.
    assert {name for name in names if not name.startswith("coverage.data.")} == {
        "coverage.data",
        "durations.json",
        "history.json",
        "junit.xml",
        "measured.json",
        "tests.json",
    }
    times = json.loads((folder(project, 1, 1) / "durations.json").read_text())
    assert sorted(times) == reports[0]["collected"]
    assert "test_plus" in (folder(project, 1, 1) / "junit.xml").read_text(encoding="utf-8")


@pytest.mark.parametrize("workers", [0, 2])
def test_markers_of_addopts_and_group_add_up(workers: int, tmp_path: Path) -> None:
    """A group's marker narrows what addopts' -m leaves, in the controller and in the workers."""
    test = """\
        import pkg, pytest
        @pytest.mark.fast
        def test_fast(): pass
        @pytest.mark.fast
        @pytest.mark.slow
        def test_both(): pass
        def test_plain(): pass
        """
    more = """\
[tool.pytest.ini_options]
addopts = ["--strict-markers", "-m", "not slow"]
markers = ["fast", "slow"]
"""
    group = f'paths = ["tests"]\nmarker = "fast"\nworkers = {workers}'
    reports = shards(small(tmp_path, test, group, more), 1)
    assert reports[0]["collected"] == ["tests/test_a.py::test_fast"]
    assert_each_once(reports)


def test_nested_configuration_keeps_its_meaning(tmp_path: Path) -> None:
    """A pytest.ini beside the tests counts as it does for `pytest tests/unit` by hand."""
    project = Project(tmp_path)
    project.write(
        {
            "pyproject.toml": settings(more="[tool.pytest.ini_options]\naddopts = '-k nothing'\n"),
            "pkg.py": "",
            "tests/unit/pytest.ini": "[pytest]\npython_functions = check_*\n",
            "tests/unit/test_a.py": "def check_a(): pass\ndef test_a(): assert 0\n",
        }
    )
    by_hand = project.python("-m", "pytest", "tests/unit")
    by_nox = project.nox("-s", "tests-unit")
    assert (by_hand.exit_code, by_nox.exit_code) == (0, 0), by_nox.output
    for pattern in (r"^configfile: .*pytest\.ini$", r"^rootdir: .*$", r"\b1 passed\b"):
        found = [re.search(pattern, done.output, re.MULTILINE) for done in (by_hand, by_nox)]
        assert found[0] and found[1] and found[0][0] == found[1][0]


def test_any_path_will_do(tmp_path: Path) -> None:
    """A project in a folder with spaces and letters beyond ASCII is proven as any other."""
    project = project_in(tmp_path / "ein Pröjekt 项目", "workers = 1")
    assert_each_once(shards(project, 2))
    assert_proven(project)


def test_parameters_from_a_set(tmp_path: Path) -> None:
    """Parameters in a set's order are the same in all shards and in all xdist workers."""
    test = """\
        import pkg, pytest
        @pytest.mark.parametrize("word", {"red", "green", "blue", "white", "black"})
        def test_word(word): pass
        """
    project = small(tmp_path, test, "workers = 2")
    reports = shards(project, 2)
    assert_each_once(reports)
    assert len(reports[0]["collected"]) == 5


@pytest.mark.parametrize("workers", [0, 2])
def test_names_that_change_are_never_green(workers: int, tmp_path: Path) -> None:
    """Tests whose names differ between processes fail under xdist and are no proof without."""
    test = """\
        import os, pkg, pytest
        @pytest.mark.parametrize("number", [os.getpid(), 0, 1])
        def test_number(number): pass
        """
    project = small(tmp_path, test, f"workers = {workers}")
    done = [shard(project, index, 2) for index in (1, 2)]
    # Under xdist a shard without the changing test may pass, the one that has it may not.
    assert any(found.exit_code for found in done) == bool(workers)
    if workers:
        assert any("Different tests were collected" in found.output for found in done)
    assert_refused(project, "test_number[")
