"""The session coverage on real shards: gates on both sides, the reports, what CI is handed."""

from __future__ import annotations

from pathlib import Path

import pytest

from paceline.process import Result
from paceline.testing import PYPROJECT, Project

BEFORE = """\
    def sign(number):
        if number > 0:
            return "plus"
        return "minus"
    """
AFTER = """\
    def sign(number):
        if number > 0:
            return "plus"
        if number == 0:
            return (
                "zero"
            )
        return "minus"
    """
TESTS = """\
    from pkg.work import sign

    def test_plus():
        assert sign(1) == "plus"

    def test_minus():
        assert sign(-1) == "minus"
    """
GROUP = '[tool.paceline.groups.unit]\npaths = ["tests"]\nworkers = 0\n'
MEASURED = '[tool.coverage.run]\nbranch = true\nsource = ["pkg"]\n'
RECORD = '{"version": 1, "lines": 10, "covered_lines": 10, "branches": 0, "covered_branches": 0}'


def settings(gates: str = "", more: str = "") -> str:
    return f"{PYPROJECT}{gates}\n{GROUP}{MEASURED}{more}"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose two shards ran on a branch that adds an uncovered line.

    Of 6 lines 5 are covered, of 4 branches 3: 80 %. Of the two changed lines one, and one of
    two branches.
    """
    project = Project(tmp_path_factory.mktemp("gates"))
    project.write({"pyproject.toml": settings(), "pkg/__init__.py": "", "pkg/work.py": BEFORE})
    project.write({"tests/test_work.py": TESTS, "ci/coverage.json": RECORD})
    project.git("init", "-q", "-b", "main")
    project.git("add", ".")
    project.git("commit", "-q", "-m", "first")
    project.git("checkout", "-q", "-b", "topic")
    project.write({"pkg/work.py": AFTER})
    project.git("commit", "-q", "-a", "-m", "second")
    for index in (1, 2):
        done = project.nox("-s", "tests-unit", "--", "--shard", f"{index}/2")
        assert done.exit_code == 0, done.output
    return project


def judged(project: Project, gates: str = "", more: str = "", **env: str) -> Result:
    """Run the session with `gates`; a later test in any order starts from the same shards."""
    project.write({"pyproject.toml": settings(gates, more)})
    quiet = {"GITHUB_ACTIONS": "", "GITHUB_BASE_REF": "", "GITHUB_STEP_SUMMARY": ""}
    return project.nox("-s", "coverage", env={**quiet, **env})


ADDOPTS = '[tool.pytest.ini_options]\naddopts = "--cov-fail-under={}"\n'


AT_THE_LIMIT = """\
fail_under = 80
fail_under_paths = {"pkg.work" = 80}
diff_fail_under = 50
max_drop = 20
"""
BEYOND = """\
fail_under = 80.1
fail_under_paths = {"pkg.work" = 81}
diff_fail_under = 51
max_drop = 19.9
"""


def test_gates_pass_at_their_limits(project: Project) -> None:
    """Total, path, changed lines and drop, each exactly at its limit, pass."""
    done = judged(project, AT_THE_LIMIT)
    assert done.exit_code == 0, done.output
    assert done.output.count("passed  ") == 4
    assert "each test exactly once" in done.output


def test_gates_fail_beyond_their_limits(project: Project) -> None:
    """Each of the four fails just beyond its limit, and the lines are named."""
    done = judged(project, BEYOND)
    assert done.exit_code == 1, done.output
    for text in (
        "coverage of total: failed: 80.00 %, fail_under is 80.1\n         pkg/work.py: 5",
        "coverage of pkg.work: failed: 80.00 %, fail_under is 81\n         pkg/work.py: 5",
        "changed lines: failed: 50.00 %, diff_fail_under is 51\n         pkg/work.py: 5",
        "drop: failed: 80.00 %, recorded at the base 100.00 %, max_drop is 19.9",
    ):
        assert text in done.output


@pytest.mark.parametrize(
    ("more", "exit_code", "said"),
    [
        (ADDOPTS.format(80), 0, "80.00 %, fail_under is 80"),
        (ADDOPTS.format(80.5), 1, "80.00 %, fail_under is 80.5"),
        ("[tool.coverage.report]\nfail_under = 81\n", 1, "80.00 %, fail_under is 81"),
    ],
)
def test_the_projects_own_limit_is_kept(
    project: Project, more: str, exit_code: int, said: str
) -> None:
    """A limit in addopts or in coverage's settings, which no shard is held to, holds for all."""
    done = judged(project, more=more)
    assert done.exit_code == exit_code, done.output
    assert said in done.output


def test_a_path_that_names_nothing_is_not_passed(project: Project) -> None:
    """A limit on a path without a measured file is incomplete evidence, not a pass."""
    done = judged(project, 'fail_under_paths = {"pkg/wrk.py" = 1}')
    assert done.exit_code == 12, done.output
    assert 'did you mean "pkg/work.py"?' in done.output


def test_what_github_is_handed(project: Project, tmp_path: Path) -> None:
    """The summary goes to GitHub's file, and changed lines without a test are annotated."""
    summary = tmp_path / "summary.md"
    summary.write_text("# Before\n", encoding="utf-8")
    project.git("update-ref", "refs/remotes/origin/main", "main")
    done = judged(
        project,
        GITHUB_ACTIONS="true",
        GITHUB_BASE_REF="main",
        GITHUB_STEP_SUMMARY=str(summary),
    )
    assert done.exit_code == 0, done.output
    assert "\nTOTAL  5 of 6 lines, 3 of 4 branches  80.00%\n" in done.output
    commands = [line for line in done.output.splitlines() if line.startswith("::")]
    assert commands == [
        "::warning file=pkg/work.py,line=5,endLine=5,title=Not covered::no test runs line 5",
    ]
    assert summary.read_text(encoding="utf-8").startswith("# Before\n## Coverage 80.00 %\n")
    assert "| pkg/work.py | 2 | 50.00 % | 80.00 % | 5 |" in summary.read_text(encoding="utf-8")


def test_a_base_that_is_not_here_is_not_passed(project: Project) -> None:
    """Where CI names a base that the clone lacks, the gate on changed lines is not passed."""
    done = judged(project, "diff_fail_under = 1", GITHUB_BASE_REF="release")
    assert done.exit_code == 12, done.output
    assert "there is no origin/release in this clone" in done.output
    assert "fetch-depth: 0" in done.output


def test_code_that_changed_since_is_refused(project: Project) -> None:
    """Shards of other code than what lies here give no figure, although the commit is the same."""
    project.write({"pkg/work.py": AFTER + "\n"})
    try:
        done = judged(project)
    finally:
        project.write({"pkg/work.py": AFTER})
    assert done.exit_code == 12, done.output
    assert "measured other code than this checkout has: pkg/work.py" in done.output
