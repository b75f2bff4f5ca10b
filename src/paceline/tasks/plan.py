"""The task `plan`: collect each group once and freeze which shard runs which test."""

from __future__ import annotations

import json as json_format
import tempfile
from pathlib import Path

from paceline import console, environment, process, store, testrun
from paceline.config.loading import load
from paceline.config.model import Config, Group
from paceline.errors import CheckFailed, UsageError
from paceline.sharding import durations, result
from paceline.sharding.plan import Plan, from_json, make_plan, read_plans, to_json, write_plans


def plan_groups(root: Path, only: str, shards: int, json: bool) -> None:
    """Collect and plan every group (or the one called `only`) and write the plan file.

    Raises UsageError for an unknown group, CheckFailed if collecting fails.
    """
    config = load(root)
    groups = [group for group in config.groups if only in ("", group.name)]
    if not groups:
        known = ", ".join(group.name for group in config.groups)
        raise UsageError(f'--group: found "{only}", allowed: {known}')
    file = store.ignored_by_git(root / ".paceline") / "plan.json"
    plans = read_plans(file)
    for group in groups:
        times = durations.read(config.durations_file(group.name))
        tests = _collect(config, group)
        count = shards or group.shards
        plans[group.name] = make_plan(group.name, tests, times, count, plans.get(group.name))
    write_plans(file, plans)
    chosen = [plans[group.name] for group in groups]
    if json:
        console.out(json_format.dumps({plan.group: to_json(plan) for plan in chosen}, indent=1))
    else:
        for plan in chosen:
            _show(plan)


def plan_file(tests: str, known: str, shards: int, previous: str, json: bool) -> None:
    """Plan the test ids in the file `tests` with the durations file `known`; collect nothing."""
    ids = [line for line in _text(tests).splitlines() if line.strip()]
    times = durations.read(Path(known)) if known else {}
    before = from_json(json_format.loads(_text(previous))) if previous else None
    plan = make_plan("tests", ids, times, shards, before)
    if json:
        console.out(json_format.dumps(to_json(plan), indent=1))
    else:
        _show(plan)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error


def _collect(config: Config, group: Group) -> tuple[str, ...]:
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
        return result.read(folder).collected


def _show(plan: Plan) -> None:
    rows = [
        console.Row((str(shard.index), str(len(shard.tests)), f"{shard.predicted:.2f} s"))
        for shard in plan.shards
    ]
    console.out(f"{plan.group}: plan {plan.digest}, largest load {plan.ratio:.3f} of the bound")
    console.out_lines(console.layout(("shard", "tests", "predicted"), rows, console.width()))
