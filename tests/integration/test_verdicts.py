"""What a session says when something goes wrong: the exit code, and words to act on."""

from __future__ import annotations

from pathlib import Path

import pytest

from paceline.testing import PYPROJECT, Project

HANG = "import threading\ndef test_hang(): threading.Event().wait()\ndef test_fine(): pass\n"
CRASH = "import os\ndef test_crash(): os._exit({})\ndef test_fine(): pass\n"


def project_in(
    root: Path, test: str = "def test_a(): pass\n", group: str = "workers = 0"
) -> Project:
    project = Project(root)
    settings = f"{PYPROJECT}[tool.paceline.groups.unit]\n{group}\n"
    project.write({"pyproject.toml": settings, "pkg.py": "", "tests/test_a.py": test})
    return project


def verdict(project: Project, exit_code: int, *texts: str, session: str = "tests-unit") -> str:
    """Run a session; assert its exit code and what it says."""
    name, *arguments = session.split()
    done = project.nox("-s", name, *arguments)
    assert done.exit_code == exit_code, done.output
    assert [text for text in texts if text not in done.output] == [], done.output
    return done.output


@pytest.mark.parametrize(
    ("files", "texts"),
    [
        (
            {"tests/test_a.py": "def test_a(): assert 1 + 1 == 3\n"},
            ["assert (1 + 1) == 3", "FAILED tests/test_a.py::test_a", "tests failed"],
        ),
        (
            {"tests/test_a.py": "import no_such_module\n"},
            ["No module named 'no_such_module'", "collecting the tests failed"],
        ),
        (
            {"conftest.py": "def pytest_sessionstart(): raise RuntimeError('broken hook')\n"},
            ["broken hook", "internal error"],
        ),
        ({"tests/test_a.py": "value = 1\n"}, ["pytest collected no tests, so nothing was checked"]),
    ],
    ids=["failure", "collection error", "internal error", "no tests"],
)
def test_failures_keep_pytests_words(
    files: dict[str, str], texts: list[str], tmp_path: Path
) -> None:
    """What is wrong in the tests fails the session in pytest's own words and in plain ones."""
    project = project_in(tmp_path)
    project.write(files)
    verdict(project, 1, *texts)


def test_failed_tests_fail_coverage_too(tmp_path: Path) -> None:
    """Tests that ran exactly once but failed are complete evidence, and not a pass."""
    project = project_in(tmp_path, "import pkg\ndef test_a(): assert 0\n")
    verdict(project, 1)
    verdict(project, 1, "shard 1of1 of unit: pytest exit code 1", session="coverage")


def test_crashed_worker(tmp_path: Path) -> None:
    """A test that takes its xdist worker down fails the session and is named."""
    project = project_in(tmp_path, CRASH.format(3), "workers = 2")
    verdict(project, 1, "crashed while running", "tests/test_a.py::test_crash")


@pytest.mark.parametrize("exit_code", [0, 3])
def test_process_ended_by_a_test(exit_code: int, tmp_path: Path) -> None:
    """A test that ends pytest itself, even with exit code 0, fails the session and is named."""
    project = project_in(tmp_path, CRASH.format(exit_code))
    verdict(project, 1, f"exit code {exit_code}", "while running tests/test_a.py::test_crash")
    verdict(project, 12, "shard 1of1 did not finish", session="coverage")


@pytest.mark.parametrize("workers", [0, 2])
def test_hang(workers: int, tmp_path: Path) -> None:
    """A test that outlasts the group's limit is ended, fails the session and is named."""
    project = project_in(tmp_path, HANG, f"workers = {workers}\ntimeout = 2")
    verdict(project, 1, "tests/test_a.py::test_hang hung: it was ended after its limit of 2 s")


def test_impossible_shards(tmp_path: Path) -> None:
    """A shard that cannot be is refused with what is allowed, before anything runs."""
    project = project_in(tmp_path)
    for text in ("5/4", "x"):
        said = f'--shard: found "{text}", allowed: k/N with 1 <= k <= N'
        verdict(project, 10, said, session=f"tests-unit -- --shard {text}")
    assert not (project.root / ".paceline").exists()


def test_wrong_configuration(tmp_path: Path) -> None:
    """Every mistake is named at once, a misspelt key with the right one and a missing path."""
    project = project_in(tmp_path, group='paths = ["tests/unti"]\nworker = 2')
    verdict(
        project,
        10,
        "tool.paceline.groups.unit.worker: unknown key",
        'did you mean "workers"?',
        "tests/unti",
        "2 problems; nothing was run.",
    )


def test_what_is_not_installed(tmp_path: Path) -> None:
    """A missing interpreter and a check without a tool are told apart from failures."""
    project = project_in(tmp_path)
    verdict(project, 11, "lint: nothing is set up", session="lint")
    project.write({"pyproject.toml": '[tool.paceline]\nenvironment = "uv"\npython = ["3.99"]\n'})
    verdict(project, 11, "Python 3.99", "uv python install 3.99", session="tests-unit-3.99")


def test_plain_pytest_stays_as_it_is(tmp_path: Path) -> None:
    """Without Paceline's sessions pytest and pytest-split select what they always select."""
    tests = "import pytest\n@pytest.mark.parametrize('n', range(7))\ndef test_a(n): pass\n"
    project = project_in(tmp_path, tests, 'paths = ["tests"]\nmarker = "none"\nworkers = 2')
    plain = project.python("-m", "pytest")
    assert plain.exit_code == 0
    assert "7 passed" in plain.output
    assert "paceline:" not in plain.output
    split = ("-m", "pytest", "-p", "no:randomly", "--splits", "2", "--group", "1", "-v")
    seen = [
        [line.split()[0] for line in done.output.splitlines() if "PASSED" in line]
        for done in (project.python(*split), project.python(*split, "-p", "no:paceline"))
    ]
    assert len(seen[0]) == 4
    assert seen[0] == seen[1]
    assert not (project.root / ".paceline").exists()
