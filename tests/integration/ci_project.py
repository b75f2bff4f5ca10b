"""A small project whose generated pipeline files the tests execute, and what they look at."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from paceline import process
from paceline.testing import Project

ROOT = Path(__file__).resolve().parents[2]
GROUPS = ("unit", "db")
SHARDS = 3
SECRET = "correct-horse-battery"
#: A file outside the project: while it is there, one test fails in every run of any provider.
BROKEN = "PACELINE_TEST_BROKEN"
#: A folder outside the project, where the deployment leaves a file.
TARGET = "PACELINE_TEST_TARGET"

_PYPROJECT = """\
[tool.paceline]
environment = "current"

[tool.paceline.groups.unit]
paths = ["tests/unit"]
shards = 3
workers = 0

[tool.paceline.groups.db]
paths = ["tests/db"]
shards = 3
workers = 0

[tool.paceline.steps.lint]
run = ["python -m compileall -q pkg"]

[tool.paceline.ci]
install = {install}

[tool.paceline.ci.images.app]
build = ["python3 build.py {{commit}}"]
scan = ["test -e build.py"]

[tool.paceline.ci.deploy.staging]
run = ["python3 deploy.py staging-{{commit}}"]
check = ["test -e deploy.py"]
secrets = ["DEPLOY_KEY"]

[tool.coverage.run]
branch = true
source = ["pkg"]
relative_files = true
"""
_WORK = """\
def sign(number):
    if number > 0:
        return "plus"
    elif number < 0:
        return "minus"
    return "zero"


def only_db():
    return [n for n in range(3) if n]
"""
_TEST = """\
import os
from pathlib import Path

import pytest
from pkg.work import only_db, sign


@pytest.mark.parametrize("number", [{number}, {number} + 1])
def test_sign(number):
    assert sign(number)


def test_other():
    assert {call}


@pytest.mark.parametrize("text", ["$(touch hacked)", "`touch hacked`", "';touch hacked;'", "%0A"])
def test_text(text):
    assert text
"""
_FLAKY = f'not ("{BROKEN}" in os.environ and Path(os.environ["{BROKEN}"]).exists())'
_BUILD = "import sys\n\nprint('built', sys.argv[1])\n"
_DEPLOY = f"""\
import os
import pathlib
import sys

assert os.environ["DEPLOY_KEY"]
print("the key is", os.environ["DEPLOY_KEY"])
pathlib.Path(os.environ["{TARGET}"], sys.argv[1]).touch()
"""


def find_program(name: str, *folders: Path) -> str:
    """Return the path of a program in `folders` or on PATH; skip the test if there is none."""
    beside = Path(sys.executable).parent
    path = os.pathsep.join([*map(str, folders), str(beside), os.environ.get("PATH", "")])
    found = shutil.which(name, path=path)
    if found is None:
        pytest.skip(f"{name} is not installed, so the generated file was not executed")
    return found


def make_project(root: Path) -> Project:
    """Make the project in `root`, with its pipeline files, and commit all of it.

    Its jobs install this very Paceline, from a wheel: many jobs each building it take long.
    """
    folder = root.with_name(f"{root.name}-wheel")
    build = [find_program("uv"), "build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT)]
    built = process.run(build, cwd=ROOT)
    if re.search(r"Failed to fetch|error sending request|client error", built.output):
        pytest.skip(f"no wheel without a package registry: {built.output.strip()[-300:]}")
    assert built.exit_code == 0, built.output
    wheel = next(folder.glob("*.whl"))
    constraints = ROOT / "ci" / "constraints.txt"
    install = f"uv pip install --quiet --python .paceline/venv --constraints {constraints}"
    project = Project(root)
    project.write(
        {
            "pyproject.toml": _PYPROJECT.format(install=json.dumps(f"{install} {wheel}")),
            ".gitignore": ".paceline/\n.nox/\n__pycache__/\n.gitlab-ci-local/\n",
            "pkg/__init__.py": "",
            "pkg/work.py": _WORK,
            "build.py": _BUILD,
            "deploy.py": _DEPLOY,
        }
    )
    for number, name in enumerate(("a", "b", "c$(touch${IFS}hacked)"), -1):
        call = _FLAKY if name == "b" else "True"
        unit = _TEST.format(number=number, call=call)
        database = _TEST.format(number=number, call="only_db()")
        project.write(
            {f"tests/unit/test_u_{name}.py": unit, f"tests/db/test_d_{name}.py": database}
        )
    done = project.invoke("ci.generate")
    assert done.exit_code == 0, done.output
    project.git("init", "-q", "-b", "main")
    project.git("remote", "add", "origin", "https://gitlab.example.com/team/project.git")
    project.git("add", "-A")
    project.git("commit", "-q", "-m", "a project")
    return project


def commit(project: Project) -> str:
    """Return the commit that is checked out."""
    return project.git("rev-parse", "HEAD").strip()


def environment(folder: Path) -> dict[str, str]:
    """Return the variables that the jobs need on this machine; `folder` is outside the project."""
    (folder / "target").mkdir(exist_ok=True)
    uv = find_program("uv")
    cache = process.run([uv, "cache", "dir"], cwd=folder).output.strip()
    return {
        BROKEN: str(folder / "broken"),
        TARGET: str(folder / "target"),
        "UV_CACHE_DIR": cache,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def deployed(folder: Path) -> list[str]:
    """Return what was deployed."""
    return sorted(path.name for path in (folder / "target").iterdir())


def whole_coverage(project: Project) -> dict[str, str]:
    """Return the coverage of a run of every test in one process a group, without shards."""
    for group in GROUPS:
        done = project.nox("-s", f"tests-{group}")
        assert done.exit_code == 0, done.output
    done = project.nox("-s", "coverage")
    assert done.exit_code == 0, done.output
    found = coverage_lines(project.root / ".paceline" / "reports" / "coverage.xml")
    assert found
    shutil.rmtree(project.root / ".paceline")
    return found


def coverage_lines(file: Path) -> dict[str, str]:
    """Return whether each line of a coverage report was run, with its branches."""
    root = ElementTree.parse(file).getroot()
    return {
        f"{item.get('filename')}:{line.get('number')}": f"{line.get('hits') != '0'} "
        f"{line.get('condition-coverage')} {line.get('missing-branches')}"
        for item in root.iter("class")
        for line in item.iter("line")
    }
