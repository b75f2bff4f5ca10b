"""The CI pipeline as frozen data: what runs, in which jobs, and what each job hands on.

The renderers only translate this to a provider's syntax, so a job runs the same command
everywhere, and the same one that a developer runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

#: The uv that CI uses: pinned, so that a release of uv cannot turn a pipeline red.
UV_VERSION = "0.13.8"
#: The environment a job installs Paceline into; out of the way of a developer's `.venv`.
VENV = ".paceline/venv"
#: Where every shard leaves its result folder.
SHARDS_FOLDER = ".paceline/shards"
#: Where `nox -s coverage` leaves its reports.
REPORTS_FOLDER = ".paceline/reports"
#: Where the gate leaves the commit and the tree that passed.
GATE_FOLDER = ".paceline/gate"
#: The JUnit file in each result folder.
JUNIT_NAME = "junit.xml"
#: What a run on the branch leaves to later runs: durations and impact records.
RECORDS = ("ci/durations", ".paceline/impact")


class When(Enum):
    """The runs of the pipeline in which a job takes part."""

    EVERY = "every run"
    #: Pushes to the branch: never a pull request, whose code must not see secrets.
    BRANCH = "the branch"
    NIGHTLY = "the nightly run"
    WEEKLY = "the weekly run"


@dataclass(frozen=True)
class Artifact:
    """Files that a job hands on, under a name that is unique in the pipeline."""

    name: str
    paths: tuple[str, ...]
    #: Whether the job failed if it left none of them.
    demanded: bool = True


PLAN = Artifact("plan", (".paceline/plan.json", ".paceline/impact"))
REPORTS = Artifact("coverage-reports", (REPORTS_FOLDER,), demanded=False)
GATE = Artifact("gate", (GATE_FOLDER,))


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
    needs: tuple[str, ...] = ()
    #: Whether all shards read one plan; else each works out its part from the commit.
    planned: bool = False
    #: Names of the services that run beside the tests.
    services: tuple[str, ...] = ()

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
    """One job without a matrix."""

    name: str
    #: Lines for a shell, each of which a developer can paste.
    commands: tuple[str, ...]
    #: The ids of the jobs it waits for.
    needs: tuple[str, ...] = ()
    when: When = When.EVERY
    #: Whether it runs whatever came of the jobs it needs; else all of them must have passed.
    whatever_came: bool = False
    #: Whether Paceline is installed for it; else it has the checked out files alone.
    installs: bool = True
    #: Names of the artifacts it needs, or the shards' results with `fetches_shards`.
    fetches: tuple[str, ...] = ()
    fetches_shards: bool = False
    keeps: Artifact | None = None
    #: Whether it starts from the records of earlier runs, and leaves new ones on the branch.
    restores_records: bool = False
    saves_records: bool = False
    #: Names of secrets that its commands find in their environment.
    secrets: tuple[str, ...] = ()
    #: The deployment environment, for the provider's own protection rules.
    environment: str = ""
    #: Whether it needs Docker.
    docker: bool = False
    #: Whether it needs the whole history, to compare with where a branch began.
    history: bool = False


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
    #: Whether pull requests run only the tests that the change can affect.
    selects: bool
    #: Whether a gate compares with where a branch began, and so needs its history.
    compares: bool
    #: Cron expressions, empty for never.
    nightly: str
    weekly: str
    #: The image with its tag that jobs run in, empty for the provider's own.
    image: str
    #: What dependency caches are keyed by: files that are there, the most telling first.
    dependency_files: tuple[str, ...]
    #: The bucket and the address of an S3-compatible store, empty for none.
    cache_bucket: str
    cache_endpoint: str
    #: Every job, in the order people read them. Each needs only jobs before it.
    jobs: tuple[TestsJob | Job, ...]
    #: The job whose success means that the commit is good.
    gate: str = "required"

    @property
    def tests(self) -> tuple[TestsJob, ...]:
        """The jobs with a matrix."""
        return tuple(job for job in self.jobs if isinstance(job, TestsJob))

    @property
    def required(self) -> tuple[str, ...]:
        """The ids of the jobs that the gate demands success of."""
        return next((job.needs for job in self.jobs if job.name == self.gate), ())

    def job(self, name: str) -> Job:
        """Return the job without a matrix called `name`; raise KeyError if there is none."""
        return {job.name: job for job in self.jobs if isinstance(job, Job)}[name]

    def nox_python(self, python: str) -> str:
        """Return the version that runs nox where the tests run on `python`."""
        return python if self.matrix_runs_nox and python else self.python

    def shards(self) -> Iterator[Shard]:
        """Yield every shard of every tests job."""
        for job in self.tests:
            yield from job.expand()


def venv_command(python: str) -> str:
    """Return the command that makes a job's environment for `python` (may be empty)."""
    # --seed: the install command may be pip. --allow-existing: pasting it twice is harmless.
    version = f" --python {python}" if python else ""
    return f"uv venv --seed --allow-existing{version} {VENV}"
