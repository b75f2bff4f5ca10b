"""The generated Woodpecker workflow, executed by a small interpreter: there is no local runner.

It does what the documentation promises: replaces `${...}` before parsing, runs each step's
commands in one shell in the shared workspace when the steps it depends on have ended, with a
temporary folder of its own in place of a container, and heeds `when`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ci_project
import pytest
from ci_project import BROKEN, SECRET

from paceline import process
from paceline.testing import Project

yaml = pytest.importorskip("yaml")
pytestmark = pytest.mark.online
CI = {"CI_PIPELINE_EVENT": "push", "CI_COMMIT_BRANCH": "main"}


@dataclass
class Run:
    """One run of the workflow: the state of each step, and all logs."""

    states: dict[str, str] = field(default_factory=dict)
    log: str = ""

    @property
    def failed(self) -> bool:
        """Whether a step failed so far, and with it the workflow."""
        return "failure" in self.states.values()


class Woodpecker:
    """Runs the workflow of a project in a clone that serves as the workspace."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.folder, self.workspace = folder, folder / "workspace"
        project.git("clone", "--quiet", str(project.root), str(self.workspace))
        self._environment = ci_project.environment(folder)

    def run(self, without: str = "") -> Run:
        """Push: run all steps but the one called `without`, as if its container was lost."""
        text = (self.workspace / "ci" / "woodpecker.yml").read_text(encoding="utf-8")
        steps = yaml.safe_load(_substituted(text))["steps"]
        run, done = Run(), set[str]()
        while len(done) < len(steps):
            # Several may be ready: one after another is a legal order of parallel steps.
            step = next(s for s in steps if s["name"] not in done and _ready(s, done))
            done.add(step["name"])
            if step["name"] != without and _wanted(step, run.failed):
                self._step(step, run)
        return run

    def _step(self, step: dict[str, Any], run: Run) -> None:
        container = self.folder / f"container-{step['name']}"
        container.mkdir(exist_ok=True)
        variables = {**self._environment, **CI, "TMPDIR": str(container)}
        for name, value in step.get("environment", {}).items():
            variables[name] = SECRET if isinstance(value, dict) else value
        quiet = {"COVERAGE_PROCESS_CONFIG": "", "COVERAGE_PROCESS_START": ""}
        script = "\n".join(step["commands"])
        shell = ["sh", "-e", "-c", script]
        result = process.run(shell, cwd=self.workspace, env={**variables, **quiet})
        run.states[step["name"]] = "failure" if result.exit_code else "success"
        run.log += result.output


def _substituted(text: str) -> str:
    """Replace `${NAME}` by the pipeline's variables, and `$${` by `${`."""
    replaced = re.sub(r"(?<!\$)\$\{(\w+)[^}]*\}", lambda found: CI.get(found[1], ""), text)
    return replaced.replace("$${", "${")


def _ready(step: dict[str, Any], done: set[str]) -> bool:
    return set(step.get("depends_on", [])) <= done


def _wanted(step: dict[str, Any], failed: bool) -> bool:
    """Return whether one of the step's conditions holds; by default, success."""
    state = "failure" if failed else "success"
    for condition in step.get("when", [{}]):
        statuses = condition.get("status", "success")
        events = condition.get("event", "push")
        if state in statuses and "push" in events:
            return True
    return False


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Make the project."""
    return ci_project.make_project(tmp_path / "project")


def machine(tmp_path: Path, project: Project) -> Woodpecker:
    folder = tmp_path / "machine"
    folder.mkdir()
    return Woodpecker(project, folder)


@pytest.mark.long
def test_a_good_commit(project: Project, tmp_path: Path) -> None:
    """Every step passes, the commit is deployed, and coverage is that of an unsharded run."""
    whole = ci_project.whole_coverage(project)
    woodpecker = machine(tmp_path, project)
    green = woodpecker.run()
    assert not green.failed, green.log
    assert {"tests-unit-3of3", "coverage", "required", "deploy-staging"} <= set(green.states)
    report = woodpecker.workspace / ".paceline/artifacts/coverage-reports/.paceline/reports"
    assert ci_project.coverage_lines(report / "coverage.xml") == whole
    assert ci_project.deployed(woodpecker.folder) == [f"staging-{ci_project.commit(project)}"]


def test_a_failing_test_and_a_shard_that_never_ran(project: Project, tmp_path: Path) -> None:
    """Both make the workflow fail; coverage still runs and names them, nothing is deployed."""
    woodpecker = machine(tmp_path, project)
    Path(ci_project.environment(woodpecker.folder)[BROKEN]).touch()
    red = woodpecker.run(without="tests-db-2of3")
    failed = [name for name, state in red.states.items() if state == "failure"]
    assert len(failed) == 2, red.log
    assert failed[0].startswith("tests-unit-")
    assert failed[1] == "coverage"
    assert "group db: shard 2of3 is missing" in red.log
    assert not {"required", "deploy-staging"} & set(red.states)
    assert ci_project.deployed(woodpecker.folder) == []
