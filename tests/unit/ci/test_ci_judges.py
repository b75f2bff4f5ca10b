"""The pipeline files before the tools that know each provider's rules."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paceline.ci.building import build
from paceline.ci.files import write
from paceline.ci.pipeline import Pipeline
from paceline.config.model import Ci, Config

yaml = pytest.importorskip("yaml")
_WORKFLOW = ".github/workflows/paceline.yml"


def run(command: list[str], folder: Path) -> None:
    """Run a judge in `folder` and fail with what it says."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def load(config: Config, name: str) -> Any:
    """Write the files and return one of them parsed."""
    write(config)
    return yaml.safe_load((config.root / "ci" / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("github.yml", "vendor.github-workflows"),
        ("gitlab-ci.yml", "vendor.gitlab-ci"),
        ("woodpecker.yml", "vendor.woodpecker-ci"),
    ],
)
def test_schema(any_config: Config, tool: Callable[[str], str], name: str, schema: str) -> None:
    """The provider's own schema accepts the file."""
    write(any_config)
    run([tool("check-jsonschema"), "--builtin-schema", schema, f"ci/{name}"], any_config.root)


def test_actionlint(any_config: Config, tool: Callable[[str], str]) -> None:
    """Actionlint, with shellcheck on each script, finds nothing."""
    write(any_config)
    command = [tool("actionlint"), "-shellcheck", tool("shellcheck"), _WORKFLOW]
    run(command, any_config.root)


def test_zizmor(any_config: Config, tool: Callable[[str], str]) -> None:
    """Zizmor in its strictest persona finds nothing."""
    write(any_config)
    run([tool("zizmor"), "--offline", "--persona=pedantic", _WORKFLOW], any_config.root)


def test_github_runs_the_sessions(any_config: Config) -> None:
    """The matrix, put into the script by a shell, gives the pipeline's own commands."""
    pipeline = build(any_config)
    jobs = load(any_config, "github.yml")["jobs"]
    found = []
    for job in pipeline.tests:
        rendered = jobs[job.name]
        script = next(s["run"] for s in rendered["steps"] if s["name"] == "Run the shard")
        matrix = rendered["strategy"]["matrix"]
        for python in matrix.get("python", [""]):
            for shard in matrix["shard"]:
                found.append(_expand(script, PYTHON=python, SHARD=str(shard), SELECT="--impact"))
    assert found == commands(pipeline)
    assert list(jobs) == [job.name for job in pipeline.jobs]
    assert tuple(jobs["required"]["needs"]) == pipeline.required


def test_gitlab_runs_the_sessions(any_config: Config) -> None:
    """Each node of each job runs one shard, and coverage needs every job."""
    pipeline = build(any_config)
    jobs = load(any_config, "gitlab-ci.yml")
    found = []
    names = [name for name in jobs if name.startswith("tests-")]
    for name in names:
        assert jobs[name]["needs"] == (["plan"] if "plan" in jobs else [])
        total = jobs[name].get("parallel", 1)
        for node in range(1, total + 1):
            values = {"CI_NODE_INDEX": str(node), "CI_NODE_TOTAL": str(total)}
            values["SELECT"] = "--impact"
            found.append(_expand(jobs[name]["script"][-1], **values))
    assert found == commands(pipeline)
    assert jobs["coverage"]["needs"] == names
    assert [name for name in jobs if "coverage" in jobs[name] and name != "stages"] == ["coverage"]


def test_woodpecker_runs_the_sessions(any_config: Config) -> None:
    """Each shard is a step that waits for the plan; coverage waits for all shards."""
    pipeline = build(any_config)
    steps = load(any_config, "woodpecker.yml")["steps"]
    # A matrix would be cut silently at 27.
    assert "matrix" not in load(any_config, "woodpecker.yml")
    tests = [step for step in steps if step["name"].startswith("tests-")]
    found = [_expand(step["commands"][-1], SELECT="--impact") for step in tests]
    assert found == commands(pipeline)
    before = ["prepare", "plan"] if len(any_config.python) < 2 else ["prepare"]
    assert all(step["depends_on"] == before for step in tests)
    coverage = next(step for step in steps if step["name"] == "coverage")
    assert coverage["depends_on"] == [step["name"] for step in tests]
    assert "nox -s coverage -- --store-durations" in coverage["commands"]
    always = [{"status": ["success", "failure"]}]
    assert all(step["when"] == always for step in [*tests, coverage])


def test_install_survives_every_syntax(any_config: Config) -> None:
    """Quotes, `#`, `:` and `${...}` in the install command arrive at the shell unchanged."""
    ci = Ci(install=("pip", "it's: # ${HOME} $x \\", "a  b"))
    any_config = dataclasses.replace(any_config, ci=ci)
    install = build(any_config).install
    steps = load(any_config, "github.yml")["jobs"]["lint"]["steps"]
    assert next(s["run"] for s in steps if s["name"] == "Install Paceline").rstrip("\n") == install
    assert install in load(any_config, "gitlab-ci.yml")["lint"]["script"]
    steps = load(any_config, "woodpecker.yml")["steps"]
    lines = next(step["commands"] for step in steps if step["name"] == "lint")
    assert install in [line.replace("$${", "${") for line in lines]


@pytest.mark.parametrize(
    ("result", "code"), [("success", 0), ("failure", 1), ("skipped", 1), ("cancelled", 1)]
)
def test_gate_demands_success(config: Config, result: str, code: int) -> None:
    """The gate passes only if every job it needs passed, and names the one that did not."""
    step = load(config, "github.yml")["jobs"]["required"]["steps"][0]
    needs = json.dumps({"lint": {"result": "success"}, "coverage": {"result": result}})
    assert "${{" not in step["run"]
    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        env={"NEEDS": needs, "PATH": "/usr/bin:/bin:/usr/local/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert ("coverage" in done.stderr) == bool(code)


def test_woodpecker_step_works_in_its_own_clone(config: Config, tmp_path: Path) -> None:
    """Results reach the shared workspace while everything else stays in the step's clone."""
    step = next(s for s in load(config, "woodpecker.yml")["steps"] if s["name"] == "lint")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        run([*git, *arguments], config.root)
    (config.root / ".paceline/shards").mkdir(parents=True)
    temporary = tmp_path.parent / f"{tmp_path.name}-step"
    temporary.mkdir()
    fake = "uv() { mkdir -p .paceline/venv/bin; : > .paceline/venv/bin/activate; }\n"
    fake += "python() { :; }\nnox() { echo done > .paceline/shards/result; echo x > left; }\n"
    script = "\n".join(command.replace("$${", "${") for command in step["commands"])
    run(["env", f"TMPDIR={temporary}", "bash", "-e", "-c", fake + script], config.root)
    assert (config.root / ".paceline/shards/result").read_text() == "done\n"
    assert not (config.root / "left").exists()


def commands(pipeline: Pipeline) -> list[str]:
    """Return the command of every shard, as it is when a change selects the tests."""
    select = " --impact" if pipeline.selects else ""
    return [shard.command + select for shard in pipeline.shards()]


def test_pasted_lines_run(any_config: Config) -> None:
    """In a shell where no provider set anything, each line that runs tests names one shard."""
    jobs = load(any_config, "github.yml")["jobs"]
    lines = [step["run"] for name in jobs for step in jobs[name]["steps"] if "run" in step]
    shards = [line for line in lines if line.startswith("nox -s") and "--shard" in line]
    jobs = load(any_config, "gitlab-ci.yml")
    shards += [jobs[name]["script"][-1] for name in jobs if name.startswith("tests-")]
    assert shards
    found = [_expand(line) for line in shards]
    legal = r"nox -s tests-\w+(-[\w.]+)? -- --shard 1/[1-9]( --impact-noselect)?"
    assert [line for line in found if not re.fullmatch(legal, line)] == []
    for line in lines:
        subprocess.run(["bash", "-n", "-c", line], check=True)


def _expand(script: str, **values: str) -> str:
    """Let a shell split `script` with `values` as variables, and join the words again."""
    text = f'set -- {script.strip()}; echo "$*"'
    done = subprocess.run(
        ["bash", "-u", "-c", text], env=values, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
