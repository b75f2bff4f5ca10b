"""The one model of `[tool.paceline]`: each field's documentation stands beside the field.

Loading, the reference page and "did you mean" all read these dataclasses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

AUTO = "auto"
#: Commands run one after another, each an argument list.
Commands = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Group:
    """A named part of the test suite; becomes the session `tests-<name>`."""

    name: str
    #: Test paths handed to pytest, relative to the project; empty means pytest's own `testpaths`.
    paths: tuple[str, ...] = ()
    #: A pytest marker expression (`-m`) that narrows the group; empty means all tests.
    marker: str = ""
    #: How many shards CI splits the group into.
    shards: int = 1
    #: xdist workers: "auto" (one a core) or a number; 0 runs without xdist.
    workers: int | str = AUTO
    #: Seconds one test may take before it is ended and named; "auto" reckons from history.
    timeout: float | str = AUTO
    #: Whether `invoke prepush` runs the group's affected tests.
    prepush: bool = True
    #: Services the tests need in CI: "postgres", "redis".
    services: tuple[str, ...] = ()
    #: Globs of files that every test of the group depends on beyond what can be seen, such as
    #: those that a program reads which a test starts.
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One check of the pre-push flow: commands, and the files that can change its verdict."""

    name: str
    #: Commands run one after another, each an argument list; empty means "not set up".
    run: tuple[tuple[str, ...], ...] = ()
    #: Globs of the files that can change the step's verdict.
    inputs: tuple[str, ...] = ("**/*",)
    #: Whether `invoke prepush` runs the step.
    prepush: bool = True
    #: "reads" checks only; "fixes" may change files, so it runs first and alone, and a push
    #: fails if it did.
    kind: str = "reads"
    #: Names of the steps that must have passed before this one starts.
    needs: tuple[str, ...] = ()
    #: How many cores the step keeps busy.
    weight: int = 1
    #: A program without which the step is skipped, visibly; in CI (variable CI) it must be there.
    optional_tool: str = ""
    #: Environment variables for the commands, written as a table of strings.
    env: tuple[tuple[str, str], ...] = ()
    #: Seconds after which the step is ended and fails; 0 means never.
    timeout: float = 0.0
    #: Why the step has nothing to run, for people; empty when it has.
    missing: str = ""


@dataclass(frozen=True)
class Image:
    """A container image: CI builds it beside the tests, and deploys only what its scan passed.

    In commands, `{commit}` stands for the commit that is checked out.
    """

    name: str
    #: Commands that build the image, and push it to where scan and deployment find it.
    build: Commands = ()
    #: Commands that scan the image; deployment waits for them.
    scan: Commands = ()
    #: Names of the CI secrets that the commands find as environment variables.
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deployment:
    """An environment to deploy to, after the gate, the scans and the deployment before it."""

    name: str
    #: Commands that deploy; `{commit}` stands for the commit that is checked out.
    run: Commands = ()
    #: Commands that fail unless the deployed system is healthy; they see no secrets.
    check: Commands = ()
    #: Names of the CI secrets that the commands in `run` find as environment variables.
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ci:
    """What the generated pipeline files contain."""

    #: Providers to write files for: "github", "gitlab", "woodpecker".
    providers: tuple[str, ...] = ("github", "gitlab", "woodpecker")
    #: The branch whose pushes run the pipeline.
    branch: str = "main"
    #: The command that installs Paceline in a CI job, as an argument list.
    install: tuple[str, ...] = ("python", "-m", "pip", "install", "paceline")
    #: Minutes after which a job is ended.
    timeout_minutes: int = 30
    #: What pull requests run: "all", or "impact" for the tests that the change can affect.
    #: The branch and the nightly run always run everything.
    select: str = "all"
    #: When the nightly run starts, as a cron expression; empty means never. It compares
    #: impact selection with a full run.
    nightly: str = "17 3 * * *"
    #: When the weekly benchmark starts, as a cron expression; empty means never.
    weekly: str = "43 4 * * 0"
    #: The name, without a tag, of the image made by ci/Dockerfile.test; the jobs then run in
    #: it. Empty means that they run without one.
    test_image: str = ""
    #: The bucket of an S3-compatible store for Woodpecker's caches; empty means no caches.
    cache_bucket: str = ""
    #: The address of that store; empty means AWS.
    cache_endpoint: str = ""
    #: Container images, each a table `ci.images.<name>`.
    images: tuple[Image, ...] = ()
    #: Environments in the order of deployment, each a table `ci.deploy.<name>`.
    deploy: tuple[Deployment, ...] = ()


@dataclass(frozen=True)
class Prepush:
    """How the pre-push flow runs."""

    #: The time for one push, as in "60s" or "5m", after which what still runs is ended; empty
    #: means no limit.
    budget: str = ""
    #: What becomes of a push whose budget ran out: "fail", or "pass" to leave the rest to CI.
    over_budget: str = "fail"
    #: Whether the first failure ends the other steps.
    fail_fast: bool = False
    #: Days after which a receipt counts for nothing.
    receipt_days: int = 7

    @property
    def budget_seconds(self) -> float | None:
        """The budget in seconds; None means no limit."""
        units = {"s": 1.0, "m": 60.0, "h": 3600.0}
        return float(self.budget[:-1]) * units[self.budget[-1]] if self.budget else None


@dataclass(frozen=True)
class Config:
    """The effective configuration of one project."""

    #: The project's folder (where pyproject.toml is).
    root: Path
    #: Python versions to test on, each a session and a CI matrix entry; empty means the
    #: interpreter that runs nox.
    python: tuple[str, ...] = ()
    #: Test groups.
    groups: tuple[Group, ...] = ()
    #: The steps lint, types, security, deps and hooks.
    steps: tuple[Step, ...] = ()
    #: "uv" builds an environment a Python version; "current" uses the one nox runs in.
    environment: str = "uv"
    #: Dependency groups of pyproject.toml installed for the tests.
    test_groups: tuple[str, ...] = ()
    #: Optional dependencies (extras) of the project installed for the tests.
    test_extras: tuple[str, ...] = ()
    #: Requirements files installed for the tests.
    test_requirements: tuple[str, ...] = ()
    #: Dependency groups installed for lint, types and security.
    tool_groups: tuple[str, ...] = ()
    #: Requirements files installed for lint, types and security.
    tool_requirements: tuple[str, ...] = ()
    #: Requirements for lint, types and security (PEP 508 strings).
    tools: tuple[str, ...] = ()
    #: A constraints file for every environment; empty means uv.lock, where there is one.
    constraints: str = ""
    #: The total coverage that `nox -s coverage` demands, in percent; 0 means the
    #: project's own coverage setting.
    fail_under: float = 0.0
    #: The coverage demanded of single files, folders or packages, in percent; such as
    #: `{"src/pkg/core" = 95, "pkg.api" = 90}`.
    fail_under_paths: tuple[tuple[str, float], ...] = ()
    #: The coverage demanded of the lines changed since the base branch, in percent; 0 means
    #: no demand.
    diff_fail_under: float = 0.0
    #: By how many percentage points the total may be below the one recorded at the base
    #: branch; 100 allows any drop.
    max_drop: float = 100.0
    #: The pipeline files.
    ci: Ci = field(default_factory=Ci)
    #: The pre-push flow.
    prepush: Prepush = field(default_factory=Prepush)
    #: The checkout that keeps environments and state for a `root` that is a temporary one.
    home: Path | None = None
    #: Where each value came from: key to "pyproject.toml", "discovered" or "default".
    origins: tuple[tuple[str, str], ...] = ()

    def group(self, name: str) -> Group:
        """Return the group called `name`; raise KeyError if there is none."""
        return {group.name: group for group in self.groups}[name]

    def step(self, name: str) -> Step:
        """Return the step called `name`; raise KeyError if there is none."""
        return {step.name: step for step in self.steps}[name]

    @property
    def keeper(self) -> Path:
        """The checkout that holds `.paceline` and `.nox`: `home`, else `root` itself."""
        return self.home or self.root

    @property
    def state(self) -> Path:
        """The folder of everything Paceline keeps between runs."""
        return self.keeper / ".paceline"

    @property
    def newest_python(self) -> str | None:
        """The newest of the configured Python versions; None if none is configured."""
        plain = [version for version in self.python if version.replace(".", "").isdigit()]
        numbers = {version: tuple(map(int, version.split("."))) for version in plain}
        return max(plain, key=numbers.__getitem__, default=next(iter(self.python), None))

    def durations_file(self, group: str) -> Path:
        """Return where the stored durations of `group` are kept."""
        return self.root / "ci" / "durations" / f"{group}.json"

    def shards_folder(self, group: str) -> Path:
        """Return the folder that holds the result folders of `group`'s shards."""
        return self.root / ".paceline" / "shards" / group
