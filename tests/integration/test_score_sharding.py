"""The scripts that score the sharding on a history of durations, as a user runs them."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

from paceline.process import Result
from paceline.testing import Project

SCRIPTS = Path(__file__).parents[2] / "scripts"


def script(project: Project, name: str, *arguments: str) -> Result:
    return project.python(str(SCRIPTS / name), *arguments)


def commit_versions(project: Project, count: int) -> None:
    """Commit versions of a durations file: slow drift, and a new file of tests each time."""
    rng = random.Random(1)
    times = {f"tests/test_{i // 9}.py::test_{i}": rng.uniform(0.1, 2.0) for i in range(90)}
    project.git("init", "-q")
    for version in range(count):
        times = {test: seconds * rng.uniform(0.9, 1.1) for test, seconds in times.items()}
        times |= {f"tests/test_new_{version}.py::test_{i}": 0.5 for i in range(3)}
        project.write({"times.json": json.dumps(times)})
        project.git("add", "times.json")
        project.git("commit", "-q", "-m", f"version {version}")


def test_history_in_git_is_scored_beside_pytest_split(tmp_path: Path) -> None:
    """Each version that git knows is planned by both tools, and the same call prints the same."""
    project = Project(tmp_path)
    commit_versions(project, 5)
    done = script(project, "score_sharding.py", "times.json", "4", "--later", "2")
    assert done.exit_code == 0, done.output
    first, header, *rows = done.output.splitlines()
    assert first == "5 versions, 4 shards; median, 90th percentile, largest"
    assert re.split(r"\s{2,}", header.strip()) == [
        "next version",
        "moved",
        "2 later",
        "perfect, 32",
        "shards a file",
    ]
    figures = {re.split(r"\s{2,}", row)[0]: re.findall(r"\d+\.\d+", row) for row in rows}
    assert list(figures) == [
        "paceline",
        "paceline, no plan before",
        "duration_based_chunks",
        "least_duration",
    ]
    assert all(1.0 <= float(found[0]) < 2.0 for found in figures.values())
    assert float(figures["paceline"][0]) < 1.1
    again = script(project, "score_sharding.py", "times.json", "4", "--later", "2")
    assert again.output == done.output


def test_frontier_and_a_history_that_is_too_short(tmp_path: Path) -> None:
    """The frontier ends with what perfect knowledge gives; without a history it says so."""
    project = Project(tmp_path)
    commit_versions(project, 3)
    arguments = ("times.json", "4", "--later", "1", "--copies", "2")
    done = script(project, "sharding_frontier.py", *arguments)
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1].startswith("paceline, told both")
    done = script(project, "sharding_frontier.py", "times.json", "4", "--later", "3")
    assert done.exit_code == 1
    assert "error: times.json: at most 3 versions" in done.output
    done = script(project, "score_sharding.py", "absent.json")
    assert (done.exit_code, done.output.strip()) == (1, "error: absent.json: no such file")
