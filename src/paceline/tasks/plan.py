"""The task `plan`: collect each group once and freeze which shard runs which test."""

from __future__ import annotations

import functools
import gc
import json as json_format
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from paceline import console, environment, process, store, testrun
from paceline.config.loading import load
from paceline.config.model import AUTO, Config, Group
from paceline.errors import CheckFailed, UsageError
from paceline.sharding import durations, groups, history, result, stored
from paceline.sharding.assignment import expected
from paceline.sharding.estimation import Knowledge, knowledge
from paceline.sharding.groups import Groups
from paceline.sharding.plan import Plan, from_json, make_plan, read_plans, to_json, write_plans
from paceline.sharding.target import advise
from paceline.sharding.wall import DISTRIBUTIONS, Workers

MINUTES = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)?")
SECONDS = {None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Wish:
    """What the task was asked for; 0 shards and 0 workers mean the configured number."""

    shards: int = 0
    workers: int = 0
    dist: str = "load"
    target_seconds: float | None = None
    overhead_seconds: float = 0.0


def wish(shards: int, workers: int, dist: str, target: str, overhead: str) -> Wish:
    """Check the options; raise UsageError for an impossible one."""
    if shards < 0:
        raise UsageError(f"--shards: found {shards}, allowed: 1 or more")
    if workers < 0:
        raise UsageError(f"--workers: found {workers}, allowed: 1 or more")
    if dist not in DISTRIBUTIONS:
        raise UsageError(f'--dist: found "{dist}", allowed: {", ".join(DISTRIBUTIONS)}')
    limit = _seconds("--target", target) if target else None
    return Wish(shards, workers, dist, limit, _seconds("--overhead", overhead or "0"))


def plan_groups(root: Path, only: str, asked: Wish, json: bool) -> None:
    """Collect and plan every group (or the one called `only`) and write the plan file.

    With a target it only tells how many shards meet it. Raises UsageError for an unknown
    group, CheckFailed if collecting fails.
    """
    config = load(root)
    chosen = [group for group in config.groups if only in ("", group.name)]
    if not chosen:
        known = ", ".join(group.name for group in config.groups)
        raise UsageError(f'--group: found "{only}", allowed: {known}')
    file = store.ignored_by_git(root / ".paceline") / "plan.json"
    plans = read_plans(file)
    shown: dict[str, object] = {}
    for group in chosen:
        tests, marked, collection_seconds = _collect(config, group)
        workers = asked.workers or _workers(group)
        task = _Task(
            group.name,
            tests,
            config.durations_file(group.name),
            marked,
            Workers(workers, asked.dist),
            collection_seconds=collection_seconds,
        )
        if asked.target_seconds is not None:
            shown[group.name] = _advise(task, asked, asked.target_seconds, json)
            continue
        plan = task.plan(asked.shards or group.shards, plans.get(group.name))
        plans[group.name] = plan
        shown[group.name] = to_json(plan)
        if not json:
            _show(plan, task.knowledge)
    if asked.target_seconds is None:
        write_plans(file, plans)
    if json:
        console.out(json_format.dumps(shown))


def plan_file(tests: str, known: str, previous: str, asked: Wish, json: bool) -> None:
    """Plan the test ids in the file `tests` with the durations file `known`; collect nothing."""
    # Hundreds of thousands of small tuples, none in a cycle: looking for some takes a quarter
    # of the time, and ever more the more there are.
    gc.disable()
    # Not splitlines: an id may hold any character but a line break.
    lines = [line.rstrip("\r") for line in _text(tests).split("\n")]
    ids = [line for line in lines if line.strip()]
    unique = tuple(dict.fromkeys(ids))
    if len(unique) < len(ids):
        console.err(f"warning: {tests}: {len(ids) - len(unique)} repeated ids are planned once")
    if known and not Path(known).is_file():
        console.err(f"warning: {known}: no such file, planning without durations")
    file = Path(known) if known else None
    task = _Task("tests", unique, file, None, Workers(asked.workers or 1, asked.dist))
    if asked.target_seconds is not None:
        advice = _advise(task, asked, asked.target_seconds, json)
        if json:
            console.out(json_format.dumps(advice))
        return
    plan = task.plan(asked.shards or 1, _previous(previous) if previous else None)
    if json:
        console.out(json_format.dumps(to_json(plan)))
    else:
        _show(plan, task.knowledge)


class _Task:
    """What one plan is made from."""

    def __init__(
        self,
        name: str,
        tests: tuple[str, ...],
        file: Path | None,
        marked: Groups | None,
        workers: Workers,
        *,
        collection_seconds: float = 0.0,
    ) -> None:
        self.name, self.tests, self.workers = name, tests, workers
        self.collection_seconds = collection_seconds
        self.durations = durations.read(file) if file else {}
        self.shared = history.estimates(history.read(history.beside(file))).shared if file else {}
        self.knowledge = knowledge(tests, self.durations)
        self._file, self._marked = file, marked

    @functools.cached_property
    def weights(self) -> dict[str, float]:
        """The expected seconds of each test."""
        return expected(self.tests, self.durations)

    def groups(self, shards: int) -> Groups:
        """Return what must stay together; without marks the ids tell."""
        marked = self._marked
        if marked is None:
            marked = groups.in_ids(self.weights, self.durations, shards)
        return stored.units(self._file, marked)[0] if self._file else marked

    def plan(self, shards: int, previous: Plan | None) -> Plan:
        """Return the plan for `shards` shards."""
        return make_plan(
            self.name,
            self.tests,
            self.durations,
            shards,
            previous,
            # Bare ids of a suite without a history tell by themselves, in one pass.
            groups=None if self._marked is None and not self.shared else self.groups(shards),
            workers=self.workers,
            shared=self.shared,
            collection_seconds=self.collection_seconds,
        )


def _advise(task: _Task, asked: Wish, target: float, json: bool) -> dict[str, object]:
    overhead = asked.overhead_seconds + task.collection_seconds
    found = advise(task.weights, task.groups(1), target, overhead, task.workers)
    if not json:
        if found.shards is None:
            console.out(
                f"{task.name}: no number of shards meets {target:.0f} s; "
                f"the least is {found.wall_seconds:.1f} s"
            )
        else:
            console.out(
                f"{task.name}: {_meets(found.shards)} {target:.0f} s "
                f"(predicted {found.wall_seconds:.1f} s)"
            )
        console.out(
            f"more than {found.useful} do not help: "
            f"{found.longest} alone takes {found.longest_seconds:.1f} s"
        )
    return {
        "shards": found.shards,
        "wall": found.wall_seconds,
        "useful": found.useful,
        "longest": found.longest,
        "longest_seconds": found.longest_seconds,
    }


def _seconds(option: str, text: str) -> float:
    found = MINUTES.fullmatch(text.strip())
    if not found:
        raise UsageError(f'{option}: found "{text}", allowed: seconds, or such as 90s, 5m, 1h')
    return float(found[1]) * SECONDS[found[2]]


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 ({error.reason})") from error


def _previous(path: str) -> Plan | None:
    """Read a plan as this task prints it; a damaged one costs a warning and some moved tests."""
    try:
        return from_json(json_format.loads(_text(path)))
    except ValueError as error:
        console.err(f"warning: {path}: damaged plan is ignored ({error})")
        return None


def _workers(group: Group) -> int:
    return testrun.len_cores() if group.workers == AUTO else int(group.workers)


def _collect(config: Config, group: Group) -> tuple[tuple[str, ...], Groups, float]:
    """Return the ids of the group's tests, what must stay together, and how long that took."""
    version = config.python[0] if config.python else None
    ready = environment.tests(config, version)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = testrun.command(config, group, ready.python, folder, testrun.Arguments())
        variables = {**ready.variables, **testrun.variables(folder)}
        options = ["--collect-only", "-q", "-n0", "--no-cov"]
        done = process.run([*command, *options], cwd=config.root, env=variables)
        if done.exit_code:
            raise CheckFailed(
                f"collecting {group.name} failed: {testrun.explain(done.exit_code)}\n{done.output}"
            )
        marked = store.read_json(folder / groups.FILE, "test groups")
        found = result.read(folder)
        return found.collected, marked or {}, found.wall_seconds


def _show(plan: Plan, known: Knowledge) -> None:
    rows = [
        console.Row(
            (
                str(shard.index),
                str(len(shard.tests)),
                f"{shard.predicted:.2f} s",
                f"{shard.wall:.2f} s",
                shard.longest,
            )
        )
        for shard in plan.shards
    ]
    console.out(f"{plan.group}: plan {plan.digest}, largest load {plan.ratio:.3f} of the bound")
    header = ("shard", "tests", "predicted", "wall", "bounded by")
    console.out_lines(console.layout(header, rows, console.width()))
    console.out(f"{'warning: ' if known.outdated else ''}{known}")


def _meets(shards: int) -> str:
    return "1 shard meets" if shards == 1 else f"{shards} shards meet"
