"""The tasks and sessions as a person starts them, each in a small project."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from paceline import process
from paceline.sessions import DESCRIPTIONS
from paceline.testing import PYPROJECT, Project

TESTS = "import pytest\n\n\n@pytest.mark.parametrize('n', range(6))\ndef test_n(n):\n    pass\n"
GROUP = PYPROJECT + "[tool.paceline.groups.unit]\nworkers = 0\nshards = 2\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Make a project with six tests in two shards."""
    made = Project(tmp_path / "work")
    made.write({"pyproject.toml": GROUP, "tests/test_n.py": TESTS, "code.py": "x = 1\n"})
    return made


def succeeds(done: process.Result) -> str:
    assert done.exit_code == 0, done.output
    return done.output


def test_config(project: Project) -> None:
    """The effective configuration is printed with origins, as text and as JSON."""
    text = succeeds(project.invoke("config"))
    assert re.search(r"groups\.unit\.shards +\= 2 +# pyproject\.toml", text)
    data = json.loads(succeeds(project.invoke("config", "--json")))
    assert data["groups.unit.shards"] == {"value": 2, "origin": "pyproject.toml"}


def test_a_wrong_configuration(project: Project) -> None:
    """A misspelt key ends tasks and sessions with exit code 10 and a suggestion."""
    project.write({"pyproject.toml": GROUP.replace("shards", "shard")})
    for done in (project.invoke("config"), project.nox("-l")):
        assert done.exit_code == 10, done.output
        assert 'did you mean "shards"?' in done.output


def test_shards_follow_the_plan(project: Project) -> None:
    """The plan task freezes the assignment, which each shard prints and keeps to."""
    text = succeeds(project.invoke("plan"))
    frozen = json.loads((project.root / ".paceline" / "plan.json").read_text(encoding="utf-8"))
    digest = frozen["unit"]["digest"]
    assert f"unit: plan {digest}" in text
    for index in ("1", "2"):
        assert digest in succeeds(project.nox("-s", "tests-unit", "--", "--shard", f"{index}/2"))
    succeeds(project.nox("-s", "coverage"))


def test_a_stale_plan_is_refused(project: Project) -> None:
    """A test that the frozen plan does not know is named, and nothing runs."""
    succeeds(project.invoke("plan"))
    project.write({"tests/test_new.py": "def test_new():\n    pass\n"})
    done = project.nox("-s", "tests-unit", "--", "--shard", "1/2")
    assert done.exit_code == 1
    assert "tests/test_new.py::test_new; make the plan anew with `invoke plan`" in done.output
    assert " passed" not in done.output


def test_an_unknown_group(project: Project) -> None:
    """A group that does not exist exits 10 with the known ones."""
    done = project.invoke("plan", "--group", "none")
    assert done.exit_code == 10
    assert '--group: found "none", allowed: unit' in done.output


def test_a_plan_from_files(project: Project) -> None:
    """Test ids and durations from files are planned without collecting, as JSON."""
    project.write({"ids.txt": "a\nb\nc\n", "times.json": '{"a": 2.0, "b": 1.0, "c": 1.0}'})
    options = ["--tests", "ids.txt", "--durations", "times.json", "--shards", "2", "--json"]
    data = json.loads(succeeds(project.invoke("plan", *options)))
    keys = {"version", "group", "digest", "collected", "durations"}
    keys |= {"shards", "bound", "ratio", "moved"}
    assert data.keys() == keys
    assert sorted(sorted(shard["tests"]) for shard in data["shards"]) == [["a"], ["b", "c"]]
    project.write({"plan.json": json.dumps(data)})
    again = succeeds(project.invoke("plan", *options, "--previous", "plan.json"))
    assert json.loads(again)["digest"] == data["digest"]


def test_a_tests_file_that_is_not_there(project: Project) -> None:
    """A missing file is an error in words, not a traceback."""
    done = project.invoke("plan", "--tests", "none.txt")
    assert done.exit_code == 10
    assert done.output.startswith("error: none.txt: ")


def test_pipeline_files_that_drift(project: Project) -> None:
    """Generated files match; an edited one fails the check with a diff."""
    succeeds(project.invoke("ci.generate"))
    assert "match" in succeeds(project.invoke("ci.check"))
    file = project.root / "ci" / "gitlab-ci.yml"
    file.write_text(file.read_text(encoding="utf-8") + "edited: true\n", encoding="utf-8")
    done = project.invoke("ci.check")
    assert done.exit_code == 1
    assert "-edited: true" in done.output
    assert "run `invoke ci.generate`" in done.output


def test_the_pipeline_is_shown(project: Project) -> None:
    """Parity, simulation and summary each say what they know of the project's own pipeline."""
    assert "only in CI: plan, coverage, required" in succeeds(project.invoke("ci.parity"))
    lines = json.loads(succeeds(project.invoke("ci.parity", "--json")))
    assert {"name": "tests-unit", "side": "both"}.items() <= lines[5].items()
    text = succeeds(project.invoke("ci.simulate", "--shards", "tests-unit=4"))
    assert "tests-unit: 4 shards" in text
    assert "30 s each is assumed" in text
    assert "No shard left a result." in succeeds(project.invoke("ci.summary"))
    done = project.invoke("ci.simulate", "--file", "none.toml")
    assert done.exit_code == 10, done.output


def test_the_console_script(tmp_path: Path) -> None:
    """The program `paceline` offers the tasks to a project without a tasks file."""
    start = "from paceline.tasks.program import main; main()"
    help_text = succeeds(process.run([sys.executable, "-c", start, "--help"], cwd=tmp_path))
    for name in ("prepush", "plan", "config", "ci.generate", "ci.check"):
        assert re.search(rf"^ +{re.escape(name)} +\w", help_text, re.MULTILINE)


def test_every_session_is_described(project: Project) -> None:
    """`nox -l` lists the test groups and all other sessions, each with a description."""
    text = succeeds(project.nox("-l"))
    for name in ("tests-unit", *DESCRIPTIONS):
        assert re.search(rf"^[*-] {name} -> \w.+\.", text, re.MULTILINE)


def test_bench_keeps_its_history(project: Project) -> None:
    """One round of the benchmarks measures every scenario and stores the result."""
    project.write({".gitignore": ".coverage\n.testmondata*\n"})
    succeeds(project.nox("-s", "bench", "--", "--rounds", "1"))
    file = project.root / ".paceline" / "bench" / "history.json"
    runs = json.loads(file.read_text(encoding="utf-8"))["runs"]
    names = {measure["scenario"] for measure in runs[0]["measures"]}
    assert {"full", "quick", "one worker", "incremental"} <= names
