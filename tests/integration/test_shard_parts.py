"""A part of a shard, a group of tests, a shard that dies: the shard stays what the plan says."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from paceline.process import Result
from paceline.testing import PYPROJECT, Project

SETTINGS = f"{PYPROJECT}[tool.paceline.groups.unit]\nworkers = 0\n"
FILES = {
    f"tests/test_{name}.py": (
        "import pathlib, pkg, pytest\n"
        "broken = pathlib.Path('broken').exists()\n"
        f"def test_good_{name}(): pass\n"
        f"def test_bad_{name}(): assert not broken\n"
    )
    for name in "abcd"
}


def project_in(root: Path, workers: int = 0, more: dict[str, str] | None = None) -> Project:
    project = Project(root)
    text = SETTINGS.replace("workers = 0", f"workers = {workers}")
    project.write({"pyproject.toml": text, "pkg.py": "", **FILES, **(more or {})})
    return project


def shard(project: Project, index: int, *arguments: str, total: int = 2) -> Result:
    return project.nox("-s", "tests-unit", "--", "--shard", f"{index}/{total}", *arguments)


def report(project: Project, index: int, total: int = 2) -> dict[str, Any]:
    file = project.root / ".paceline" / "shards" / "unit" / f"{index}of{total}" / "tests.json"
    data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return data


def test_last_failed_of_a_shard_is_all_its_failures(tmp_path: Path) -> None:
    """--lf re-runs every failing test of the shard, which is not split a second time."""
    project = project_in(tmp_path, more={"broken": ""})
    assert [shard(project, index).exit_code for index in (1, 2)] == [1, 1]
    whole = [report(project, index) for index in (1, 2)]
    for index in (1, 2):
        assert shard(project, index, "--lf").exit_code == 1
        again, first = report(project, index), whole[index - 1]
        assert sorted(again["ran"]) == [test for test in first["selected"] if "bad" in test]
        assert [again[key] for key in ("collected", "selected", "plan_digest")] == [
            first[key] for key in ("collected", "selected", "plan_digest")
        ]
    (tmp_path / "broken").unlink()
    assert shard(project, 1, "--lf").exit_code == 0
    done = project.nox("-s", "coverage")
    assert done.exit_code == 12, done.output
    assert "shard 1of2 did not run" in done.output


def test_named_tests_are_those_of_the_shard(tmp_path: Path) -> None:
    """Ids and paths, as a selection by impact gives them, and -k run where the plan put them."""
    project = project_in(tmp_path)
    named = ["tests/test_a.py", "tests/test_b.py::test_good_b"]
    ran: list[str] = []
    for index in (1, 2):
        # A shard may have none of them: then there is nothing to check in it.
        assert shard(project, index, *named).exit_code in (0, 1)
        found = report(project, index)
        assert set(found["ran"]) <= set(found["selected"])
        assert len(found["collected"]) == 8
        ran += found["ran"]
    assert sorted(ran) == [
        "tests/test_a.py::test_bad_a",
        "tests/test_a.py::test_good_a",
        "tests/test_b.py::test_good_b",
    ]
    ran = []
    for index in (1, 2):
        assert shard(project, index, "-k", "good").exit_code == 0
        ran += report(project, index)["ran"]
    assert sorted(ran) == [f"tests/test_{name}.py::test_good_{name}" for name in "abcd"]


@pytest.mark.parametrize("option", ["--testmon", "--impact"])
def test_selection_is_inside_the_shard(option: str, tmp_path: Path) -> None:
    """What testmon or the impact records leave out changes no other test's shard."""
    project = project_in(tmp_path)
    arguments = (option, "--no-cov", "-p", "no:randomly")
    assert shard(project, 1, *arguments).exit_code == 0
    first = report(project, 1)
    assert sorted(first["ran"]) == first["selected"]
    name = first["selected"][0].split("::")[0]
    text = (tmp_path / name).read_text(encoding="utf-8")
    project.write({name: text.replace("(): pass", "(): assert pkg")})
    assert shard(project, 1, *arguments).exit_code == 0
    second = report(project, 1)
    assert second["selected"] == first["selected"]
    assert second["collected"] == first["collected"]
    assert 0 < len(second["ran"]) < len(first["ran"])
    assert {test.split("::")[0] for test in second["ran"]} == {name}


@pytest.mark.long
def test_marked_group_is_in_one_shard(tmp_path: Path) -> None:
    """Tests of one xdist_group are in one shard, with xdist's suffix in their ids or without."""
    marked = "import pkg, pytest\n@pytest.mark.xdist_group('db')\ndef test_db(): pass\n"
    more = {f"tests/test_db_{name}.py": marked for name in "abcd"}
    project = project_in(tmp_path, 2, more)
    for arguments in ((), ("--dist", "loadgroup")):
        for index in (1, 2):
            assert shard(project, index, *arguments).exit_code == 0
        reports = [report(project, index) for index in (1, 2)]
        assert sorted(sum("_db_" in test for test in found["ran"]) for found in reports) == [0, 4]
        assert project.nox("-s", "coverage").exit_code == 0


def test_killed_shard_is_refused_until_it_is_run_again(tmp_path: Path) -> None:
    """A shard whose process is killed is named; its re-run replaces it, its old result does not."""
    kill = (
        "import os, pathlib, pkg, signal\n"
        "def test_kill():\n"
        "    if pathlib.Path('broken').exists():\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    project = project_in(tmp_path, more={"tests/test_kill.py": kill})
    for index in (1, 2):
        assert shard(project, index).exit_code == 0
    assert project.nox("-s", "coverage").exit_code == 0
    killed = 1 if "tests/test_kill.py::test_kill" in report(project, 1)["selected"] else 2
    project.write({"broken": ""})
    done = shard(project, killed)
    assert done.exit_code == 1
    done = project.nox("-s", "coverage")
    assert done.exit_code == 12, done.output
    assert f"shard {killed}of2 did not finish" in done.output
    (tmp_path / "broken").unlink()
    assert shard(project, killed).exit_code == 0
    done = project.nox("-s", "coverage")
    assert done.exit_code == 0, done.output


def test_merge_of_shards_loses_nothing(tmp_path: Path) -> None:
    """Two merges at once store all that both shards measured; a skip or failure stores nothing."""
    more = {
        "tests/test_e.py": (
            "import pkg, pytest\n"
            "def test_skipped(): pytest.skip('not today')\n"
            "@pytest.mark.xfail\n"
            "def test_expected(): assert 0\n"
        ),
        "broken": "",
    }
    project = project_in(tmp_path, more=more)
    assert [shard(project, index).exit_code for index in (1, 2)] == [1, 1]
    folders = [f".paceline/shards/unit/{index}of2" for index in (1, 2)]
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda name: project.invoke("durations.merge", name), folders))
    assert [found.exit_code for found in done] == [0, 0], done
    file = tmp_path / "ci" / "durations" / "unit.json"
    good = {f"tests/test_{name}.py::test_good_{name}" for name in "abcd"}
    assert set(json.loads(file.read_text(encoding="utf-8"))) == good
    assert (file.parent / "unit.history.json").is_file()
    done = [project.invoke("durations.merge", "pkg.py")]
    assert done[0].exit_code == 10


def test_rerun_test_and_cleaned_durations(tmp_path: Path) -> None:
    """A test that passed in its second run has no duration, and cleaning is no other shard's loss.

    pytest-split adds up the runs, and --clean-durations with --group forgets the other groups.
    """
    flaky = (
        "import pathlib, pkg\n"
        "def test_flaky():\n"
        "    mark = pathlib.Path('again')\n"
        "    if not mark.exists():\n"
        "        mark.touch()\n"
        "        assert 0\n"
    )
    project = project_in(tmp_path, more={"tests/test_flaky.py": flaky})
    for index in (1, 2):
        done = shard(project, index, "--reruns", "1")
        assert done.exit_code == 0, done.output
    ran = report(project, 1)["ran"] | report(project, 2)["ran"]
    assert ran["tests/test_flaky.py::test_flaky"] == 1
    folders = [f".paceline/shards/unit/{index}of2" for index in (1, 2)]
    done = project.invoke("durations.merge", *folders)
    assert done.exit_code == 0, done.output
    assert "merged 2 results" in done.output
    file = tmp_path / "ci" / "durations" / "unit.json"
    stored = set(json.loads(file.read_text(encoding="utf-8")))
    assert stored == set(ran) - {"tests/test_flaky.py::test_flaky"}
    done = shard(project, 1, "--store-durations", "--clean-durations")
    assert done.exit_code == 0, done.output
    assert set(json.loads(file.read_text(encoding="utf-8"))) >= stored
