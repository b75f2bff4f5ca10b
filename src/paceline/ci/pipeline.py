"""The CI pipeline as frozen data: what runs, in which jobs, and what each job hands on.

The renderers only translate this to a provider's syntax, so a job runs the same nox
session everywhere, and the same one that a developer runs.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from paceline.config.model import Config, Group
from paceline.errors import PacelineError

#: Jobs that GitHub accepts in one matrix.
GITHUB_MATRIX_LIMIT = 256
#: Jobs that GitLab accepts in one `parallel`.
GITLAB_PARALLEL_LIMIT = 200
#: Entries that GitLab accepts in one `needs`.
GITLAB_NEEDS_LIMIT = 50
#: The uv that CI uses: pinned, so that a release of uv cannot turn a pipeline red.
UV_VERSION = "0.13.8"
#: The environment a job installs Paceline into; out of the way of a developer's `.venv`.
VENV = ".paceline/venv"
#: Where every shard leaves its result folder.
SHARDS_FOLDER = ".paceline/shards"
#: Where `nox -s coverage` leaves its reports.
REPORTS_FOLDER = ".paceline/reports"
#: The JUnit file in each result folder.
JUNIT_NAME = "junit.xml"

_CHECKS = ("lint", "types", "security", "deps")
# Names become job ids, artifact names and folders: this is what all of them allow, and a
# name without a dot cannot be mistaken for another group's name with a Python version.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_PYTHON = re.compile(r"[A-Za-z0-9][A-Za-z0-9.]*")
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")
_PLAIN_PYTHON = re.compile(r"\d+\.\d+")
_OLDEST = (3, 10)


@dataclass(frozen=True)
class Shard:
    """One tests job after its matrix is expanded."""

    group: str
    index: int
    total: int
    #: The Python version; empty for the interpreter that runs nox.
    python: str = ""

    @property
    def session(self) -> str:
        """The nox session the shard runs."""
        return f"tests-{self.group}-{self.python}" if self.python else f"tests-{self.group}"

    @property
    def command(self) -> str:
        """The command the shard runs, as a developer would type it."""
        return f"nox -s {self.session} -- --shard {self.index}/{self.total}"

    @property
    def artifact(self) -> str:
        """A name that is unique in the pipeline and has no slash."""
        name = f"{self.group}-{self.index}of{self.total}"
        return f"{name}-py{self.python}" if self.python else name

    @property
    def folder(self) -> str:
        """The result folder, relative to the project."""
        group = f"{self.group}-{self.python}" if self.python else self.group
        return f"{SHARDS_FOLDER}/{group}/{self.index}of{self.total}"


@dataclass(frozen=True)
class TestsJob:
    """The tests of one group: a matrix of shards, and of Python versions if there are any."""

    #: Keeps pytest from collecting the class in modules that import it.
    __test__ = False

    group: str
    shards: int
    python: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The job's id."""
        return f"tests-{self.group}"

    @property
    def size(self) -> int:
        """How many jobs the matrix makes."""
        return self.shards * max(1, len(self.python))

    def expand(self) -> Iterator[Shard]:
        """Yield every job of the matrix, by version and then by shard."""
        for python in self.python or ("",):
            for index in range(1, self.shards + 1):
                yield Shard(self.group, index, self.shards, python)


@dataclass(frozen=True)
class Job:
    """One job without a matrix: it runs one nox session."""

    name: str
    command: str
    #: The ids of the jobs it waits for, whatever their result.
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pipeline:
    """Everything the renderers need, and nothing they have to look up."""

    branch: str
    timeout_minutes: int
    #: The command that installs Paceline, quoted for a shell.
    install: str
    #: The Python version of the jobs without a matrix; empty lets uv choose by the
    #: project's `requires-python`.
    python: str
    #: Whether a shard's own Python version must run nox; else nox makes the environment.
    matrix_runs_nox: bool
    tests: tuple[TestsJob, ...]
    checks: tuple[Job, ...]
    #: Combines the shards; None when there is no test group.
    coverage: Job | None
    #: The ids of all jobs above, that the final gate `required` demands success of.
    required: tuple[str, ...]

    def nox_python(self, python: str) -> str:
        """Return the version that runs nox where the tests run on `python`."""
        return python if self.matrix_runs_nox and python else self.python

    def shards(self) -> Iterator[Shard]:
        """Yield every shard of every tests job."""
        for job in self.tests:
            yield from job.expand()


def build(config: Config) -> Pipeline:
    """Return the pipeline of `config`; raise PacelineError if a provider would refuse it."""
    _check_text(config)
    tests = tuple(_tests_job(group, config.python) for group in config.groups)
    _check_limits(tests, config.ci.providers)
    checks = tuple(
        Job(step.name, f"nox -s {step.name}")
        for name in _CHECKS
        for step in config.steps
        if step.name == name and step.run
    )
    names = tuple(job.name for job in tests)
    coverage = Job("coverage", "nox -s coverage", names) if tests else None
    return Pipeline(
        branch=config.ci.branch,
        timeout_minutes=config.ci.timeout_minutes,
        install=shlex.join(config.ci.install),
        python=_newest(config.python),
        # With uv a project may test on versions that are too old for Paceline itself.
        matrix_runs_nox=config.environment != "uv",
        tests=tests,
        checks=checks,
        coverage=coverage,
        required=(*names, *(job.name for job in checks), *(["coverage"] if coverage else [])),
    )


def venv_command(python: str) -> str:
    """Return the command that makes a job's environment for `python` (may be empty)."""
    # --seed: the install command may be pip. --allow-existing: pasting it twice is harmless.
    version = f" --python {python}" if python else ""
    return f"uv venv --seed --allow-existing{version} {VENV}"


def _tests_job(group: Group, python: tuple[str, ...]) -> TestsJob:
    if not _NAME.fullmatch(group.name):
        raise PacelineError(
            f"the group name {group.name!r} cannot name a CI job",
            "use letters, digits, `_` and `-` only, and begin with a letter or digit",
        )
    if group.shards < 1:
        raise PacelineError(
            f"group {group.name!r} has {group.shards} shards", "set `shards` to 1 or more"
        )
    return TestsJob(group.name, group.shards, python)


def _check_text(config: Config) -> None:
    """Refuse text that a provider would read as something else than text."""
    if not _BRANCH.fullmatch(config.ci.branch):
        # Providers take branches as patterns and inside expressions.
        raise PacelineError(
            f"the branch name {config.ci.branch!r} cannot stand in a pipeline file",
            "use letters, digits, `_`, `-`, `.` and `/` only in `ci.branch`",
        )
    for version in config.python:
        if not _PYTHON.fullmatch(version):
            raise PacelineError(
                f"{version!r} is not a Python version", 'write versions as in "3.13"'
            )
    for word in config.ci.install:
        if "${{" in word or not word.isprintable():
            raise PacelineError(
                f"`ci.install` has the word {word!r}, which a pipeline file cannot carry",
                "use printable text without `${{`",
            )
    if not config.ci.install:
        raise PacelineError("`ci.install` is empty", "set it to the command that installs Paceline")


def _check_limits(tests: tuple[TestsJob, ...], providers: tuple[str, ...]) -> None:
    """Refuse what a provider would cut or reject only after the push."""
    for job in tests:
        if "github" in providers and job.size > GITHUB_MATRIX_LIMIT:
            _too_many(job, f"{job.size} jobs", f"GitHub takes {GITHUB_MATRIX_LIMIT} a matrix")
        if "gitlab" in providers and job.shards > GITLAB_PARALLEL_LIMIT:
            text = f"GitLab takes {GITLAB_PARALLEL_LIMIT} parallel jobs"
            _too_many(job, f"{job.shards} shards", text)
    needs = sum(max(1, len(job.python)) for job in tests)
    if "gitlab" in providers and needs > GITLAB_NEEDS_LIMIT:
        raise PacelineError(
            f"the coverage job would need {needs} jobs; GitLab takes {GITLAB_NEEDS_LIMIT}",
            "use fewer groups or Python versions, or take gitlab out of `ci.providers`",
        )


def _too_many(job: TestsJob, found: str, limit: str) -> None:
    versions = f" on {len(job.python)} Python versions" if job.python else ""
    raise PacelineError(
        f"group {job.group!r} makes {found} ({job.shards} shards{versions}); {limit}",
        "lower `shards` of the group, or split the group in two",
    )


def _newest(versions: tuple[str, ...]) -> str:
    """Return the newest plain version that Paceline runs on, empty if there is none."""
    plain = [
        tuple(int(part) for part in version.split("."))
        for version in versions
        if _PLAIN_PYTHON.fullmatch(version)
    ]
    newest = max(plain, default=(0, 0))
    return ".".join(str(part) for part in newest) if newest >= _OLDEST else ""
