"""Images, scans and deployments: what waits for what, and the gate that deployment demands."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from paceline.ci.building import DEMAND_GATE, RECORD_GATE, build
from paceline.ci.files import generated
from paceline.ci.pipeline import Job, When
from paceline.config.model import Config
from paceline.testing import Project


def before(config: Config, name: str) -> set[str]:
    """Return every job that `name` waits for, directly or through others."""
    jobs = {job.name: job for job in build(config).jobs}
    needs = set(jobs[name].needs)
    return needs.union(*(before(config, need) for need in needs)) if needs else needs


def test_images_are_built_at_once(full: Config) -> None:
    """Builds wait for nothing, and a scan for its own image only."""
    pipeline = build(full)
    assert pipeline.job("build-backend").needs == pipeline.job("build-frontend").needs == ()
    assert before(full, "scan-backend") == {"build-backend"}


def test_deployments_wait_for_everything(full: Config) -> None:
    """Both environments wait for the gate and all scans, production for staging's health."""
    everything = {"required", "coverage", "lint", "scan-backend", "scan-frontend", "tests-unit"}
    assert everything <= before(full, "deploy-staging")
    assert {*everything, "health-staging"} <= before(full, "deploy-production")


def test_secrets_stay_on_the_branch(full: Config) -> None:
    """Jobs that hold secrets of images and deployments do not run for pull requests."""
    jobs = [job for job in build(full).jobs if isinstance(job, Job) and job.secrets]
    assert {job.name for job in jobs if job.when is not When.BRANCH} == {"test-image"}
    assert [job.name for job in build(full).jobs if isinstance(job, Job) and job.environment] == [
        "deploy-staging",
        "deploy-production",
    ]


def test_a_deployment_runs_no_check_again(full: Config) -> None:
    """It demands the gate's record, and then deploys; no test and no install is in it."""
    lines = build(full).job("deploy-production").commands
    expected = (DEMAND_GATE, "COMMIT=$(git rev-parse HEAD)", './deploy.sh production "$COMMIT"')
    assert lines == expected


def shell(project: Project, *lines: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-e", "-c", "\n".join(lines)],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_gate_admits_its_commit_and_its_tree_only(tmp_path: Path) -> None:
    """Deployment goes on for the very commit or an equal tree, and for nothing else."""
    project = Project(tmp_path)
    assert shell(project, DEMAND_GATE).returncode == 12  # not even a repository
    project.git("init", "-q")
    project.write({".gitignore": ".paceline/\n", "code.py": "one = 1\n"})
    project.git("add", "-A")
    project.git("commit", "-q", "-m", "one")
    assert shell(project, DEMAND_GATE).returncode == 12  # no record
    assert shell(project, *RECORD_GATE).returncode == 0
    assert shell(project, DEMAND_GATE, "echo deployed").stdout == "deployed\n"
    project.git("commit", "-q", "--allow-empty", "-m", "the same tree")
    assert shell(project, DEMAND_GATE).returncode == 0
    project.write({"code.py": "one = 2\n"})
    project.git("commit", "-q", "-a", "-m", "another tree")
    refused = shell(project, DEMAND_GATE, "echo deployed")
    assert (refused.returncode, refused.stdout) == (12, "")
    assert "the gate has not passed this commit" in refused.stderr
    (tmp_path / ".paceline/gate/passed").write_text("")
    assert shell(project, DEMAND_GATE).returncode == 12


def test_commands_reach_the_shell_as_they_were_written(full: Config, tmp_path: Path) -> None:
    """Quotes, `$` and substitutions in a command arrive as text, and the commit is filled in."""
    line = build(full).job("deploy-staging").commands[-1]
    words = shlex.split(line)
    assert words[:2] == ["./deploy.sh", "staging"]
    done = subprocess.run(
        ["bash", "-c", f"COMMIT=abc; set -- {line}; printf '%s\\n' \"$@\""],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[2:] == ["it's abc", "${HOME} $(id)"]


def test_secrets_are_names_only(full: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret's value in the environment of `invoke ci.generate` is in no generated file."""
    monkeypatch.setenv("DEPLOY_KEY", "correct-horse-battery")
    monkeypatch.setenv("REGISTRY_TOKEN", "correct-horse-battery")
    files = generated(full)
    assert all("correct-horse" not in text for text in files.values())
    assert "${{ secrets.DEPLOY_KEY }}" in files[Path("ci/github.yml")]
    assert "DEPLOY_KEY" not in files[Path("ci/gitlab-ci.yml")]
    assert "from_secret: deploy_key" in files[Path("ci/woodpecker.yml")]
