"""The generated GitLab file, executed by gitlab-ci-local on this machine, without containers.

Only the services of jobs that build images are left out: they need Docker.
"""

from __future__ import annotations

import re
from pathlib import Path

import ci_project
import pytest
from ci_project import BROKEN, ROOT, SECRET

from paceline import process
from paceline.testing import Project

pytestmark = pytest.mark.online
TOOLS = ROOT / ".nox" / "gitlab-ci-local" / "node_modules" / ".bin"
#: Where gitlab-ci-local keeps its state, artifacts too.
LOCAL = ".gitlab-ci-local"
FILE = f"{LOCAL}/pipeline.yml"


class Gitlab:
    """Runs the pipeline of a project; artifacts live on between runs, as in a re-run."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.project, self.folder = project, folder
        self._program = ci_project.find_program("gitlab-ci-local", TOOLS)
        ci_project.find_program("rsync")
        text = (project.root / "ci" / "gitlab-ci.yml").read_text(encoding="utf-8")
        left = re.sub(r"^  services: .*-dind.*\n", "", text, flags=re.MULTILINE)
        project.write({FILE: left})

    def run(self, *jobs: str) -> process.Result:
        """Run the pipeline, or only `jobs` on what earlier runs left."""
        options = ["--force-shell-executor", "--shell-isolation", "--no-artifacts-to-source"]
        command = [self._program, *jobs, "--file", FILE, *options]
        command += ["--concurrency", "3", "--variable", f"DEPLOY_KEY={SECRET}"]
        variables = ci_project.environment(self.folder)
        for name, value in variables.items():
            command += ["--variable", f"{name}={value}"] if name != "PATH" else []
        quiet = {"COVERAGE_PROCESS_CONFIG": "", "COVERAGE_PROCESS_START": "", "NO_COLOR": "1"}
        own = {"HOME": str(self.folder), "PATH": variables["PATH"]}
        return process.run(command, cwd=self.project.root, env={**own, **quiet})


def verdicts(log: str) -> dict[str, str]:
    """Return the verdict of each job from the table at the end of the log."""
    found = re.findall(r"^ *(PASS|FAIL) +(\S+(?: \[\d+/\d+\])?)", log, re.MULTILINE)
    return {job: verdict for verdict, job in found}


@pytest.fixture
def gitlab(tmp_path: Path) -> Gitlab:
    """Make the project and what runs its pipeline."""
    folder = tmp_path / "machine"
    folder.mkdir()
    return Gitlab(ci_project.make_project(tmp_path / "project"), folder)


@pytest.mark.long
def test_a_failing_test_and_its_rerun(gitlab: Gitlab) -> None:
    """A failing test keeps the gate from passing; its shard's re-run mends it.

    The coverage that the shards then make together is that of an unsharded run.
    """
    whole = ci_project.whole_coverage(gitlab.project)
    (broken := Path(ci_project.environment(gitlab.folder)[BROKEN])).touch()
    red = gitlab.run()
    found = verdicts(red.output)
    failed = [job for job, verdict in found.items() if verdict == "FAIL"]
    assert red.exit_code != 0
    assert len(failed) == 2, red.output
    assert failed[0].startswith("tests-unit")
    assert failed[1] == "coverage"
    assert "required" not in found
    assert ci_project.deployed(gitlab.folder) == []
    broken.unlink()
    rest = ("coverage", "required", "build-app", "scan-app", "deploy-staging", "health-staging")
    green = gitlab.run(failed[0], *rest)
    assert green.exit_code == 0, green.output
    assert set(verdicts(green.output)) == {failed[0], *rest}
    report = next((gitlab.project.root / LOCAL / "artifacts").glob("coverage/**/coverage.xml"))
    assert ci_project.coverage_lines(report) == whole
    assert "% coverage" in green.output
    assert ci_project.deployed(gitlab.folder) == [f"staging-{ci_project.commit(gitlab.project)}"]


def test_a_shard_that_never_ran(gitlab: Gitlab) -> None:
    """Where all shards that ran passed, but one of each group never ran, the gate is red."""
    shards = [f"tests-{group}: [{index}/3]" for group in ci_project.GROUPS for index in (1, 2)]
    ran = gitlab.run("plan", *shards)
    assert ran.exit_code == 0, ran.output
    red = gitlab.run("coverage")
    assert verdicts(red.output) == {"coverage": "FAIL"}
    for group in ci_project.GROUPS:
        assert f"group {group}: shard 3of3 is missing" in red.output
