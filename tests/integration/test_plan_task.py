"""`invoke plan` on a list of ids: what a script calls, with everything that can be wrong in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from paceline.testing import Project

IDS = [f"tests/test_{file}.py::test_{i}[ä {i}-x y]" for file in "abcdef" for i in range(10)]


def plan(project: Project, *arguments: str) -> dict[str, Any]:
    """Run the task on the file `ids` and return its JSON."""
    done = project.invoke("plan", "--tests", "ids", "--json", *arguments)
    assert done.exit_code == 0, done.output
    data: dict[str, Any] = json.loads(done.output[done.output.index("{") :])
    assert sorted(test for shard in data["shards"] for test in shard["tests"]) == sorted(IDS)
    return data


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project with a file of ids."""
    project = Project(tmp_path)
    (tmp_path / "ids").write_text("\r\n".join([*IDS, IDS[0], "", ""]), encoding="utf-8")
    return project


def test_plan_of_a_list_has_the_documented_keys(project: Project, tmp_path: Path) -> None:
    """The JSON has what a script needs, and a refresh with --previous moves nothing."""
    times = {test: float(i % 7) for i, test in enumerate(IDS)}
    (tmp_path / "times").write_text(json.dumps(times), encoding="utf-8")
    first = plan(project, "--durations", "times", "--shards", "4")
    assert {"version", "digest", "shards", "bound", "ratio", "moved"} <= set(first)
    assert [shard["index"] for shard in first["shards"]] == [1, 2, 3, 4]
    assert first["ratio"] <= 1.02
    (tmp_path / "before").write_text(json.dumps(first), encoding="utf-8")
    again = plan(project, "--durations", "times", "--shards", "4", "--previous", "before")
    assert (again["digest"], again["moved"]) == (first["digest"], 0.0)


@pytest.mark.parametrize("damaged", ["", "{", "[]", '{"a": "b"}'])
def test_useless_files_cost_a_warning(project: Project, tmp_path: Path, damaged: str) -> None:
    """Damaged durations and a damaged earlier plan are left out with a warning each."""
    (tmp_path / "bad").write_text(damaged, encoding="utf-8")
    arguments = ("--shards", "3", "--durations", "bad", "--previous", "bad")
    done = project.invoke("plan", "--tests", "ids", *arguments)
    assert done.exit_code == 0, done.output
    assert "bad: damaged plan is ignored" in done.output
    assert "1 repeated ids are planned once" in done.output


def test_target_in_words_and_impossible_options(project: Project) -> None:
    """--target tells the number of shards; an option that cannot be is refused by name."""
    done = project.invoke("plan", "--tests", "ids", "--target", "20s", "--overhead", "5")
    assert done.exit_code == 0, done.output
    assert "tests: 4 shards meet 20 s (predicted 20.0 s)" in done.output
    for option, value in (("--target", "soon"), ("--dist", "all"), ("--shards", "-1")):
        done = project.invoke("plan", "--tests", "ids", f"{option}={value}")
        assert done.exit_code == 10, done.output
        assert f"{option}: found" in done.output
