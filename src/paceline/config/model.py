"""The one model of `[tool.paceline]`: each field's documentation stands beside the field.

Loading, the reference page and "did you mean" all read these dataclasses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

AUTO = "auto"


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
    #: Why the step has nothing to run, for people; empty when it has.
    missing: str = ""


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
    #: The pipeline files.
    ci: Ci = field(default_factory=Ci)
    #: Where each value came from: key to "pyproject.toml", "discovered" or "default".
    origins: tuple[tuple[str, str], ...] = ()

    def group(self, name: str) -> Group:
        """Return the group called `name`; raise KeyError if there is none."""
        return {group.name: group for group in self.groups}[name]

    def step(self, name: str) -> Step:
        """Return the step called `name`; raise KeyError if there is none."""
        return {step.name: step for step in self.steps}[name]

    def durations_file(self, group: str) -> Path:
        """Return where the stored durations of `group` are kept."""
        return self.root / "ci" / "durations" / f"{group}.json"

    def shards_folder(self, group: str) -> Path:
        """Return the folder that holds the result folders of `group`'s shards."""
        return self.root / ".paceline" / "shards" / group
