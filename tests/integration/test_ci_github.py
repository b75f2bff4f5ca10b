"""The generated GitHub workflow, executed by act on this machine, without containers.

What GitHub itself does is replaced: the artifact actions by the ones in ci_actions, which
keep GitHub's rules, the caches by none, and setup-uv by the uv that is there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ci_project
import pytest
from ci_project import BROKEN, SECRET

from paceline import process
from paceline.testing import Project

pytestmark = pytest.mark.online
ACTIONS = Path(__file__).parent / "ci_actions"
PLATFORM = "ubuntu-24.04=-self-hosted"
STUBS = {
    "actions/upload-artifact": "upload",
    "actions/download-artifact": "download",
    "actions/cache": "cache",
    "astral-sh/setup-uv": "setup-uv",
}


@dataclass(frozen=True)
class Run:
    """One run of the workflow: the result of each job by its name, and the log."""

    results: dict[str, str]
    log: str

    def result(self, job: str) -> str:
        """Return the result of `job`; a matrix passed only if each of its jobs did."""
        found = {result for name, result in self.results.items() if name.split("#")[0] == job}
        if not found:
            return "did not run"
        return "success" if found == {"success"} else "failure"


class Github:
    """Runs the workflow of a project; its artifacts live on between runs, as in a re-run."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.project, self.folder = project, folder
        self.artifacts = folder / "artifacts"
        self._act = ci_project.find_program("act")

    def run(self, shards: Sequence[int] = ()) -> Run:
        """Push: run all jobs, of the matrices only `shards` where some are named."""
        workflow = self.project.root / ".github/workflows/paceline.yml"
        uses = set(re.findall(r"uses: ([^/@]+/[^/@]+)\S*@(\w+)", workflow.read_text("utf-8")))
        command = [self._act, "push", "--json", "-W", str(workflow), "-P", PLATFORM]
        command += ["--no-cache-server", "--secret", f"DEPLOY_KEY={SECRET}"]
        for name, commit in uses:
            if name in STUBS:
                command += ["--local-repository", f"{name}@{commit}={ACTIONS / STUBS[name]}"]
        for shard in shards:
            command += ["--matrix", f"shard:{shard}"]
        jobs = {"ARTIFACTS": str(self.artifacts), "ACTIONS": str(ACTIONS), "HOME": str(Path.home())}
        for name, value in {**ci_project.environment(self.folder), **jobs}.items():
            command += ["--env", f"{name}={value}"] if name != "PATH" else []
        own = {"HOME": str(self.folder), "XDG_CACHE_HOME": str(self.folder / "cache")}
        path = {"PATH": ci_project.environment(self.folder)["PATH"]}
        # Coverage of Paceline's own tests would start in every process of every job.
        quiet = {"COVERAGE_PROCESS_CONFIG": "", "COVERAGE_PROCESS_START": ""}
        done = process.run(command, cwd=self.project.root, env={**own, **path, **quiet})
        return Run(_results(done.output), done.output)

    def shard_with_a_failure(self) -> tuple[str, int]:
        """Return group and number of the shard whose result tells of a failed test."""
        for file in sorted(self.artifacts.glob("*/*/*/tests.json")):
            found = json.loads(file.read_text(encoding="utf-8"))
            if "failed" in found["outcomes"].values():
                return found["group"], found["index"]
        raise AssertionError("no shard tells of a failed test")


def _results(log: str) -> dict[str, str]:
    results: dict[str, str] = {}
    for line in log.splitlines():
        if line.startswith("{") and '"jobResult"' in line:
            data = json.loads(line)
            results[f"{data['jobID']}#{data['matrix'].get('shard', '')}"] = data["jobResult"]
    return results


@pytest.fixture
def github(tmp_path: Path) -> Github:
    """Make the project and what runs its workflow."""
    folder = tmp_path / "machine"
    folder.mkdir()
    return Github(ci_project.make_project(tmp_path / "project"), folder)


@pytest.mark.long
def test_a_failing_test_and_its_rerun(github: Github) -> None:
    """A failing test makes the gate red and stops deployment; its shard's re-run mends both.

    The coverage that the shards then make together is that of an unsharded run.
    """
    whole = ci_project.whole_coverage(github.project)
    (broken := Path(ci_project.environment(github.folder)[BROKEN])).touch()
    red = github.run()
    group, index = github.shard_with_a_failure()
    assert group == "unit"
    assert red.results[f"tests-unit#{index}"] == "failure", red.log
    jobs = ("tests-db", "lint", "build-app", "scan-app", "coverage", "required", "deploy-staging")
    assert {job: red.result(job) for job in jobs} == {
        "tests-db": "success",
        "lint": "success",
        "build-app": "success",
        "scan-app": "success",
        "coverage": "failure",
        "required": "failure",
        "deploy-staging": "did not run",
    }
    assert "::error file=tests/unit/test_u_b.py" in red.log
    assert ci_project.deployed(github.folder) == []
    broken.unlink()
    green = github.run([index])
    assert set(green.results.values()) == {"success"}, green.log
    report = github.artifacts / "coverage-reports" / "coverage.xml"
    assert ci_project.coverage_lines(report) == whole
    assert ci_project.deployed(github.folder) == [f"staging-{ci_project.commit(github.project)}"]
    assert SECRET not in red.log + green.log
    texts = [path.read_bytes() for path in github.artifacts.rglob("*") if path.is_file()]
    assert texts
    assert not [text for text in texts if SECRET.encode() in text]


def test_a_shard_that_never_ran(github: Github) -> None:
    """Where all shards that ran passed, but one of each group never ran, the gate is red."""
    red = github.run([1, 2])
    assert red.result("tests-unit") == red.result("tests-db") == "success", red.log
    assert red.result("coverage") == red.result("required") == "failure"
    assert red.result("deploy-staging") == "did not run"
    for group in ci_project.GROUPS:
        assert f"group {group}: shard 3of3 is missing" in red.log
