"""Steps of a project's own in real pushes: kinds, tools, limits, and what the user is told."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from paceline.testing import PushedProject

HEAD = """\
[tool.paceline]
environment = "current"

[tool.paceline.groups.unit]
prepush = false

[tool.paceline.steps.deps]
prepush = false

"""
#: What a step runs: each word says what it does.
PROGRAM = """\
import os, sys, time
from pathlib import Path

import helper  # leaves bytecode, which this project does not tell git to ignore

for word in sys.argv[1:]:
    if word == "fix":
        Path("code.txt").write_text(Path("code.txt").read_text().replace("ugly", "nice"))
    elif word == "report":
        Path("report.txt").write_text("a report")
    elif word == "sleep":
        time.sleep(60)
    elif word == "fail":
        sys.exit(f"failed with MODE={os.environ.get('MODE')}")
"""


def made(root: Path, steps: str) -> PushedProject:
    """Make a pushed project with `steps`, where `@` stands for the program that they run."""
    project = PushedProject(root)
    run = f'"{sys.executable}", "program.py"'
    project.write({"pyproject.toml": HEAD + steps.replace("@", run), "program.py": PROGRAM})
    project.write({"code.txt": "nice\n", "helper.py": ""})
    project.publish()
    return project


def test_a_fixing_step_fails_the_push_and_names_what_it_changed(tmp_path: Path) -> None:
    """In place its fix stays for the user to commit; from a worktree nothing reaches the user."""
    steps = '[tool.paceline.steps.format]\nrun = [[@, "fix"]]\nkind = "fixes"\n'
    project = made(tmp_path / "work", steps)
    project.commit("ugly", {"code.txt": "ugly\n"})
    project.write({"untracked.txt": ""})
    done = project.push()
    assert done.exit_code != 0
    assert "it changed code.txt" in done.output
    assert (project.root / "code.txt").read_text(encoding="utf-8") == "ugly\n"
    (project.root / "untracked.txt").unlink()
    done = project.push()
    assert "it changed code.txt" in done.output
    assert (project.root / "code.txt").read_text(encoding="utf-8") == "nice\n"
    project.commit("nice")
    done = project.push()
    assert done.exit_code == 0, done.output


def test_a_reading_step_that_writes_does_not_pass(tmp_path: Path) -> None:
    """A file that appears while steps run takes away their pass, and is named."""
    project = made(tmp_path / "work", '[tool.paceline.steps.docs]\nrun = [[@, "report"]]\n')
    project.commit("change", {"code.txt": "x\n"})
    done = project.push()
    assert done.exit_code != 0
    assert "report.txt changed while it ran" in done.output
    project.commit("ignore it", {".gitignore": "__pycache__/\nreport.txt\n"})
    (project.root / "report.txt").unlink(missing_ok=True)
    project.git("rm", "-q", "--cached", "--ignore-unmatch", "report.txt")
    project.commit("not tracked")
    assert project.push().exit_code == 0


def test_an_optional_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the step is skipped visibly; in CI its absence is no pass."""
    steps = '[tool.paceline.steps.scan]\nrun = ["no-scanner ."]\noptional-tool = "no-scanner"\n'
    project = made(tmp_path / "work", steps)
    project.commit("change", {"code.txt": "x\n"})
    monkeypatch.delenv("CI", raising=False)
    done = project.push()
    assert done.exit_code == 0, done.output
    assert "no-scanner is not installed (it is required in CI)" in done.output
    session = project.nox("-s", "scan")
    assert session.exit_code == 0
    assert "no-scanner is not installed (it is required in CI)" in session.output
    done = project.invoke("prepush", "--full", env={"CI": "true"})
    assert done.exit_code == 11
    assert "no-scanner is not installed; in CI it must be" in done.output
    assert project.nox("-s", "scan", env={"CI": "true"}).exit_code == 11


def test_variables_order_and_limits(tmp_path: Path) -> None:
    """A step gets its variables, waits for what it needs, and is ended after its limit."""
    steps = """\
[tool.paceline.steps.slow]
run = [[@, "sleep"]]
timeout = 0.5

[tool.paceline.steps.after]
run = [[@]]
needs = ["slow"]

[tool.paceline.steps.loud]
run = [[@, "fail"]]
env = { MODE = "strict" }
"""
    project = made(tmp_path / "work", steps)
    project.commit("change", {"code.txt": "x\n"})
    done = project.invoke("prepush", "--json", env={"PYTHONWARNINGS": "ignore"})
    assert done.exit_code == 1
    data = json.loads(done.output[done.output.index("{") :])
    reasons = {step["name"]: (step["verdict"], step["reason"]) for step in data["steps"]}
    assert reasons["slow"] == ("failed", "ended after its limit of 0.5 s")
    assert reasons["after"] == ("unchecked", "it needs slow, which did not pass")
    assert reasons["loud"] == ("failed", "exit code 1")
    (loud,) = (step for step in data["steps"] if step["name"] == "loud")
    assert loud["output"] == "failed with MODE=strict\n"
    assert loud["rerun"] == "invoke prepush --only loud"
    again = project.invoke("prepush", "--only", "loud")
    assert again.output.rstrip().endswith("failed with MODE=strict")
    assert "slow" not in again.output
    wrong = project.invoke("prepush", "--only", "lout")
    assert (wrong.exit_code, "there is no step lout" in wrong.output) == (10, True)


@pytest.mark.parametrize(("over", "code"), [("fail", 1), ("pass", 0)])
def test_a_budget(over: str, code: int, tmp_path: Path) -> None:
    """A push that takes longer than its budget fails, or goes on with the rest named."""
    steps = f'[tool.paceline.prepush]\nbudget = "2s"\nover_budget = "{over}"\n'
    project = made(tmp_path / "work", steps + '[tool.paceline.steps.slow]\nrun = [[@, "sleep"]]\n')
    project.commit("change", {"code.txt": "x\n"})
    done = project.push()
    assert done.exit_code == code, done.output
    assert "the budget of 2s is used up" in done.output
    assert ("left to CI, unchecked here: slow" in done.output) is (over == "pass")
    assert not any((project.root / ".paceline" / "receipts").glob("*"))


def test_a_project_below_the_top_of_its_repository(tmp_path: Path) -> None:
    """In a repository of several projects the hook checks the one it was installed for."""
    outer = PushedProject(tmp_path / "work")
    inner = PushedProject(outer.root / "part one")
    run = f'"{sys.executable}", "program.py"'
    text = HEAD + f'[tool.paceline.steps.own]\nrun = [[{run}, "fail"]]\ninputs = ["code.txt"]\n'
    inner.write({"pyproject.toml": text, "program.py": PROGRAM, "helper.py": "", "code.txt": ""})
    outer.publish()
    done = inner.invoke("hooks.install")
    assert done.exit_code == 0, done.output
    outer.commit("beside it", {"code.txt": "x\n"})
    done = outer.push()
    assert done.exit_code == 0, done.output
    inner.write({"code.txt": "x\n"})
    outer.commit("in it")
    outer.write({"untracked.txt": ""})
    done = outer.push()
    assert done.exit_code != 0
    assert "failed with MODE=None" in done.output


def test_a_clone_without_the_set_up_says_so(tmp_path: Path) -> None:
    """A shared folder of hooks in a clone where nothing was installed is no silent pass."""
    project = made(tmp_path / "work", '[tool.paceline.steps.own]\nrun = [[@, "fail"]]\n')
    project.git("config", "--unset", "paceline.hook")
    project.commit("change", {"code.txt": "x\n"})
    done = project.push()
    assert done.exit_code != 0
    assert "run: invoke hooks.install" in done.output
    project.git("config", "paceline.hook", str(tmp_path / "gone"))
    done = project.push()
    assert done.exit_code != 0
    assert "is gone" in done.output
