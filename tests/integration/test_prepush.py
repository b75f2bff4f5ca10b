"""`invoke prepush` in real repositories: what runs, what does not, and what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from paceline import process
from paceline.testing import Project

SETTINGS = """\
[tool.paceline]
environment = "current"

[tool.paceline.groups.unit]
workers = 0
{group}

[tool.paceline.steps.lint]
run = [["{python}", "-c", "pass"]]
inputs = ["src/**"]

[tool.paceline.steps.deps]
run = [["{python}", "-c", "pass"]]
inputs = ["pyproject.toml"]

[tool.pytest.ini_options]
addopts = "{addopts}"
"""
CALC = """\
LIMIT = 10


def add(a, b):
    return a + b


def sub(a, b):
    return a - b
"""
#: Each test notes that it ran; the notes are ignored by git, so they are no change.
TESTS = """\
import sys
from pathlib import Path

sys.path.insert(0, "src")
import calc


def note(name):
    with open(".paceline/ran.txt", "a") as file:
        file.write(name + "\\n")


def test_add():
    note("add")
    assert calc.add(1, 2) == 3, "the sum is wrong"


def test_sub():
    note("sub")
    assert calc.sub(3, 2) == 1


def test_neither():
    note("neither")
"""
ALL = {"add", "sub", "neither"}


def settings(addopts: str = "", group: str = "") -> str:
    return SETTINGS.format(python=sys.executable, addopts=addopts, group=group)


def write_project(root: Path, addopts: str = "", group: str = "") -> Project:
    project = Project(root)
    project.write(
        {
            "pyproject.toml": settings(addopts, group),
            "src/calc.py": CALC,
            "tests/test_calc.py": TESTS,
            "data.json": "1\n",
            ".gitignore": "ran.txt\n.coverage*\n__pycache__/\n.pytest_cache/\n.testmondata*\n",
        }
    )
    return project


def commit(project: Project, message: str = "change") -> None:
    project.git("add", "-A")
    project.git("commit", "-q", "-m", message)


def push(project: Project) -> None:
    remote = str(project.root.parent / "remote.git")
    project.git("init", "-q", "-b", "main")
    commit(project)
    project.git("init", "-q", "--bare", "-b", "main", remote)
    project.git("remote", "add", "origin", remote)
    project.git("push", "-q", "-u", "origin", "main")


def ran(project: Project) -> set[str]:
    """Return which tests ran since this was last asked."""
    file = project.root / ".paceline" / "ran.txt"
    names = set(file.read_text(encoding="utf-8").split()) if file.exists() else set()
    file.unlink(missing_ok=True)
    return names


def edit(project: Project, name: str, old: str, new: str) -> None:
    path = project.root / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def passing(project: Project) -> process.Result:
    done = project.invoke("prepush")
    assert done.exit_code == 0, done.output
    return done


def line(output: str, step: str) -> str:
    """Return the row of `step` in the closing table."""
    return [row for row in output.splitlines() if row.startswith(f"{step} ")][-1]


@pytest.fixture
def pushed(tmp_path: Path) -> Project:
    """Make a project that is pushed, with a comment changed in a test's file since."""
    project = write_project(tmp_path / "work")
    push(project)
    edit(project, "tests/test_calc.py", "import calc", "import calc  # the code")
    return project


@pytest.fixture
def proven(pushed: Project) -> Project:
    """Make a project whose tests have passed once under prepush."""
    passing(pushed)
    assert ran(pushed) == ALL
    return pushed


def test_no_repository(tmp_path: Path) -> None:
    """Without a repository everything runs, and the summary says why."""
    project = write_project(tmp_path / "work")
    done = passing(project)
    assert "everything is checked: no git repository" in done.output
    assert "passed" in line(done.output, "lint")
    assert ran(project) == ALL


def test_no_git(tmp_path: Path) -> None:
    """On a machine without git everything runs."""
    project = write_project(tmp_path / "work")
    empty = tmp_path / "empty"
    empty.mkdir()
    done = project.invoke("prepush", env={"PATH": str(empty)})
    assert done.exit_code == 0, done.output
    assert ran(project) == ALL


def test_no_commits(tmp_path: Path) -> None:
    """In a repository without commits everything runs."""
    project = write_project(tmp_path / "work")
    project.git("init", "-q", "-b", "main")
    assert "everything is checked: the repository has no commits" in passing(project).output
    assert ran(project) == ALL


def test_no_upstream(tmp_path: Path) -> None:
    """Without an upstream branch everything runs."""
    project = write_project(tmp_path / "work")
    project.git("init", "-q", "-b", "main")
    commit(project)
    assert "everything is checked: no upstream branch" in passing(project).output
    assert ran(project) == ALL


def test_a_detached_head(pushed: Project) -> None:
    """A detached HEAD is compared with the remote's main branch."""
    pushed.git("checkout", "-q", "--detach")
    done = passing(pushed)
    assert "1 file changed against origin/main" in done.output
    assert "no input changed against origin/main" in line(done.output, "lint")


def test_a_shallow_clone(pushed: Project, tmp_path: Path) -> None:
    """Where a shallow clone hides the common commit, everything runs."""
    commit(pushed, "theirs")
    pushed.git("push", "-q")
    remote = (tmp_path / "remote.git").as_uri()
    pushed.git("clone", "-q", "--depth", "1", remote, str(tmp_path / "shallow"))
    clone = Project(tmp_path / "shallow")
    clone.write({"pyproject.toml": settings()})
    edit(pushed, "data.json", "1", "2")
    commit(pushed, "later")
    pushed.git("push", "-q")
    clone.git("fetch", "-q", "--depth", "1")
    done = passing(clone)
    assert "no common commit with origin/main (a shallow clone?)" in done.output
    assert ran(clone) == ALL


def test_a_path_with_spaces_and_other_letters(tmp_path: Path) -> None:
    """A folder name with spaces and letters beyond ASCII changes nothing."""
    project = write_project(tmp_path / "mein Pröjekt 项目")
    push(project)
    project.write({"src/größe neu.py": "x = 1\n"})
    done = passing(project)
    assert "passed" in line(done.output, "lint")
    assert ran(project) == ALL
    assert "proven" in line(passing(project).output, "tests-unit")


def test_nothing_changed_skips_everything(tmp_path: Path) -> None:
    """Right after a push all steps are skipped, each with the reason."""
    project = write_project(tmp_path / "work")
    push(project)
    done = passing(project)
    assert "no input changed against origin/main" in line(done.output, "lint")
    assert "no file changed against origin/main" in line(done.output, "tests-unit")
    assert ran(project) == set()


def test_only_the_affected_tests_run(proven: Project) -> None:
    """A changed function body runs the tests that execute it; a second run runs none."""
    edit(proven, "src/calc.py", "return a + b", "return b + a")
    done = passing(proven)
    assert "1 of 3 tests run, as tests/test_calc.py::test_add" in done.output
    assert "(add in src/calc.py changed)" in done.output
    assert ran(proven) == {"add"}
    done = passing(proven)
    assert "proven" in line(done.output, "tests-unit")
    assert ran(proven) == set()


def test_a_failure_comes_last_and_comes_again(proven: Project) -> None:
    """A failing affected test exits 1, its output last; it runs until it is mended."""
    edit(proven, "src/calc.py", "return a + b", "return a * b")
    for _ in range(2):  # the second time nothing changed, and it runs all the same
        done = proven.invoke("prepush")
        assert done.exit_code == 1, done.output
        assert "add" in ran(proven)
        table, _, rest = done.output.partition(
            "to re-run tests-unit: invoke prepush --only tests-unit"
        )
        assert "failed" in line(table, "tests-unit")
        assert "the sum is wrong" in rest
    edit(proven, "src/calc.py", "return a * b", "return a + b")
    passing(proven)
    assert "add" in ran(proven)


def test_a_constant_runs_who_imports_it_and_data_nobody_reads_runs_none(proven: Project) -> None:
    """What testmon alone does not see selects tests as well."""
    edit(proven, "src/calc.py", "LIMIT = 10", "LIMIT = 11")
    assert "import-time code of src/calc.py changed" in passing(proven).output
    assert ran(proven) == ALL
    edit(proven, "data.json", "1", "2")
    assert "the change affects no test" in line(passing(proven).output, "tests-unit")
    proven.write({"new.txt": "new"})
    assert "new.txt may hold new tests" in passing(proven).output
    assert ran(proven) == set()
    edit(proven, "new.txt", "new", "newer")
    assert "the change affects no test" in line(passing(proven).output, "tests-unit")


def test_a_new_test_runs_alone(proven: Project) -> None:
    """One that is added to a known file, which gives the others no reason to run."""
    path = proven.root / "tests/test_calc.py"
    more = "\n\ndef test_new():\n    note('fresh')\n    assert False\n"
    path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")
    done = proven.invoke("prepush")
    assert done.exit_code == 1, done.output
    assert ran(proven) == {"fresh"}


def test_a_failure_that_was_pushed_is_not_skipped(proven: Project) -> None:
    """Although no file changed since; also where the records of this time zone know of none."""
    edit(proven, "src/calc.py", "return a + b", "return a * b")
    assert proven.invoke("prepush").exit_code == 1
    commit(proven)
    proven.git("push", "-q")
    assert proven.invoke("prepush").exit_code == 1
    assert proven.invoke("prepush", env={"TZ": "UTC-9"}).exit_code == 1


def test_full_runs_everything(proven: Project) -> None:
    """With --full every step and every test runs although nothing changed."""
    done = proven.invoke("prepush", "--full")
    assert done.exit_code == 0, done.output
    assert "passed" in line(done.output, "lint")
    assert ran(proven) == ALL


def test_json_stands_alone_on_standard_output(pushed: Project) -> None:
    """With --json standard output is one JSON document; messages go to standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "prepush", "--json"],
        check=False,
        cwd=pushed.root,
        capture_output=True,
        encoding="utf-8",
    )
    data = json.loads(done.stdout)
    assert done.returncode == data["exit_code"] == 0
    assert data["change"] == {"files": ["tests/test_calc.py"], "reason": "against origin/main"}
    verdicts = {step["name"]: step["verdict"] for step in data["steps"]}
    assert verdicts["lint"] == "skipped"
    assert verdicts["types"] == "not set up"
    assert verdicts["tests-unit"] == "passed"
    assert "no record of an earlier run" in done.stderr


def test_a_missing_tool_could_not_check(pushed: Project) -> None:
    """A step whose program is not installed exits 11: it neither passed nor failed."""
    text = settings().replace(f'run = [["{sys.executable}", "-c", "pass"]]', 'run = ["no-tool"]')
    pushed.write({"pyproject.toml": text, "src/new.py": ""})
    done = pushed.invoke("prepush")
    assert done.exit_code == 11, done.output
    assert "could not check" in line(done.output, "lint")
    assert "install no-tool" in done.output


def test_a_template_without_an_extension(pushed: Project) -> None:
    """Code compiled under a name without an extension does not crash testmon."""
    text = 'def test_it():\n    exec(compile("x = 1\\ny = 2", {name!r}, "exec"))\n'
    template = pushed.root / "template"
    pushed.write({"template": "x = 1\ny = 2\n"})
    pushed.write({"tests/test_template.py": text.format(name=str(template))})
    passing(pushed)


def test_coverage_in_addopts(tmp_path: Path) -> None:
    """A project that always measures coverage can be selected from as well."""
    project = write_project(tmp_path / "work", addopts="--cov=src --cov-fail-under=100")
    push(project)
    edit(project, "tests/test_calc.py", "import calc", "import calc  # the code")
    passing(project)
    assert ran(project) == ALL
    edit(project, "src/calc.py", "return a + b", "return b + a")
    passing(project)
    assert ran(project) == {"add"}


def test_a_hanging_test_is_named(tmp_path: Path) -> None:
    """A test that never ends is ended after its limit, named, and fails the run."""
    project = write_project(tmp_path / "work", group="timeout = 2")
    text = "import threading\n\n\ndef test_hangs():\n    threading.Event().wait()\n"
    project.write({"tests/test_hang.py": text})
    done = project.invoke("prepush")
    assert done.exit_code == 1, done.output
    assert "tests/test_hang.py::test_hangs hung: it was ended after its limit of 2 s" in done.output
