"""One run of a test group: its arguments, the pytest command line, what an exit code means."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from paceline.config.discovery import packages
from paceline.config.model import AUTO, Config, Group
from paceline.errors import UsageError

#: What pytest's exit codes mean (pytest documentation, "Exit codes"); 1 speaks for itself.
EXIT_CODES: Mapping[int, str] = {
    1: "tests failed",
    2: "pytest was interrupted, or collecting the tests failed",
    3: "pytest ended in an internal error; its traceback is above",
    4: "pytest could not use its command line or configuration",
    5: "pytest collected no tests, so nothing was checked",
}


@dataclass(frozen=True)
class Arguments:
    """What follows `--` on a test session's command line, taken apart."""

    index: int = 1
    total: int = 1
    store_durations: bool = False
    #: The user's -k and -m, which narrow a shard without changing what the shard is.
    keyword: str = ""
    marker: str = ""
    #: Paths and node ids that replace the group's own paths.
    paths: tuple[str, ...] = ()
    #: Everything else, for pytest.
    rest: tuple[str, ...] = ()


#: pytest options whose value is the next argument, so that it is not taken for a path.
_VALUED = frozenset(
    ("-c", "-n", "-o", "-p", "-r", "-W", "--deselect", "--ignore", "--rootdir", "--durations")
)


def parse(arguments: Sequence[str], root: Path) -> Arguments:
    """Take a session's arguments apart; raise UsageError for an impossible shard."""
    index, total, store = 1, 1, False
    narrowing = {"-k": "", "-m": ""}
    paths: list[str] = []
    rest: list[str] = []
    queue = list(arguments)
    while queue:
        argument = queue.pop(0)
        if argument == "--shard" or argument.startswith("--shard="):
            text = argument[8:] if "=" in argument else (queue.pop(0) if queue else "")
            index, total = parse_shard(text)
        elif argument == "--store-durations":
            store = True
        elif argument in narrowing and queue:
            narrowing[argument] = queue.pop(0)
        elif argument in _VALUED and queue:
            rest += [argument, queue.pop(0)]
        elif not argument.startswith("-") and (root / argument.split("::")[0]).exists():
            paths.append(argument)
        else:
            rest.append(argument)
    return Arguments(
        index, total, store, narrowing["-k"], narrowing["-m"], tuple(paths), tuple(rest)
    )


def parse_shard(text: str) -> tuple[int, int]:
    """Return (k, N) of "k/N"; raise UsageError unless 1 <= k <= N."""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    index, total = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= index <= total:
        raise UsageError(
            f'--shard: found "{text}", allowed: k/N with 1 <= k <= N', "for example --shard 2/4"
        )
    return index, total


def result_folder(config: Config, group: Group, version: str | None, run: Arguments) -> Path:
    """Return the folder in which this shard leaves its results."""
    name = f"{group.name}-{version}" if version else group.name
    return config.shards_folder(name) / f"{run.index}of{run.total}"


def common_options(config: Config, group: Group) -> list[str]:
    """Return the pytest options that every run of `group` shares, full or selected."""
    workers = len_cores() if group.workers == AUTO else int(group.workers)
    options = ["-p", "paceline", "--paceline-group", group.name, f"--paceline-workers={workers}"]
    options += ["--durations-path", str(config.durations_file(group.name))]
    if group.marker:
        options += ["--paceline-marker", group.marker]
    if group.timeout != AUTO:
        options.append(f"--paceline-timeout={group.timeout}")
    return options


def command(config: Config, group: Group, python: Path, folder: Path, run: Arguments) -> list[str]:
    """Return the command line that runs one shard of `group` and leaves its results in `folder`."""
    options = common_options(config, group)
    options += [f"--paceline-result={folder}", f"--junitxml={folder / 'junit.xml'}"]
    options += [f"--paceline-source={measurable(name)}" for name in packages(config.root)]
    options.append("--cov-report=")
    options += ["--splits", str(run.total), "--group", str(run.index)]
    if run.keyword:
        options.append(f"--paceline-narrow-keyword={run.keyword}")
    if run.marker:
        options.append(f"--paceline-narrow-marker={run.marker}")
    paths = run.paths or group.paths
    if run.total > 1:
        # A shard stays the shard whatever part of it is run, so all of the group is collected.
        options += [f"--paceline-narrow-path={path}" for path in run.paths]
        paths = group.paths
    # A part of the suite cannot be held to the total, whatever addopts or the user says: last.
    whole = ["--cov-fail-under=0"]
    return [str(python), "-m", "pytest", *options, *run.rest, *whole, *paths]


def measurable(name: str) -> str:
    """Return how coverage is told to measure what lies at the top of the project as `name`."""
    # coverage takes folders and names of modules; a module's file it would never find.
    return Path(name).stem if name.endswith(".py") else name


def variables(folder: Path) -> dict[str, str]:
    """Return the environment variables of a shard's run."""
    return {"COVERAGE_FILE": str(folder / "coverage.data"), **fixed_hash_seed()}


def fixed_hash_seed() -> dict[str, str]:
    """Return the hash seed that makes set-ordered parametrization alike in all processes."""
    return {"PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "0")}


def explain(exit_code: int) -> str:
    """Return in plain words what pytest's `exit_code` means."""
    if exit_code < 0:
        return f"pytest was ended by signal {-exit_code}"
    return EXIT_CODES.get(exit_code, f"pytest ended with exit code {exit_code}")


def len_cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Windows and macOS
        return os.cpu_count() or 1
