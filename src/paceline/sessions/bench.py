"""The session bench: time the project's own suite in turns, and keep the result."""

from __future__ import annotations

import datetime
import os
import sys
from dataclasses import dataclass, replace

import nox

from paceline import console, environment, testrun
from paceline.bench import history, report
from paceline.bench.sample import Sample
from paceline.bench.scenario import Scenario, run_scenarios
from paceline.config.model import Config
from paceline.errors import CheckFailed, UsageError

ROUNDS = 3


def run_bench(session: nox.Session, config: Config) -> None:
    """Time every scenario, `-- --rounds N` times, store the result and judge it.

    With `-- --hooks FOLDER`, time pushes of the project in that folder instead, with its hooks
    as they are and consolidated.

    Raises CheckFailed if a scenario got slower.
    """
    chosen = _arguments(session.posargs)
    if chosen.hooks is not None:
        _run_hooks(session, config, chosen)
        return
    scenarios = _scenarios(config)

    def progress(scenario: Scenario, sample: Sample) -> None:
        session.log(f"{scenario.name}: {sample.wall_seconds:.2f} s")

    measures = run_scenarios(scenarios, chosen.rounds, cwd=config.root, on_sample=progress)
    earlier = history.load(config.root)
    when = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    history.add(config.root, earlier, history.Run(when, tuple(measures)))
    report.show(measures, earlier)
    slower = report.regressions(measures, earlier)
    if slower:
        raise CheckFailed(f"slower than the run before: {', '.join(slower)}")


def _run_hooks(session: nox.Session, config: Config, chosen: _Arguments) -> None:
    from paceline.bench import hooks

    folder = config.root / str(chosen.hooks)
    ready = environment.tests(config, config.python[0] if config.python else None)
    os.environ["PATH"] = ready.variables["PATH"]  # the hooks' programs are found as in tests
    found, scenarios = hooks.scenarios(folder)
    measures = run_scenarios(
        scenarios,
        chosen.rounds,
        cwd=folder,
        on_sample=lambda scenario, taken: session.log(
            f"{scenario.name}: {taken.wall_seconds:.2f} s, CPU {taken.cpu_seconds:.2f} s"
        ),
    )
    report.show(measures, [])
    console.out("\n".join(["", *hooks.summary(found, measures)]))


@dataclass(frozen=True)
class _Arguments:
    rounds: int = ROUNDS
    #: The project whose hooks to time; None for the ordinary benchmark.
    hooks: str | None = None


def _arguments(words: list[str]) -> _Arguments:
    found = _Arguments()
    rest = list(words)
    while rest:
        name, value = rest[0], rest[1] if len(rest) > 1 else ""
        if name == "--rounds" and value.isdigit():
            found = replace(found, rounds=max(1, int(value)))
        elif name == "--hooks" and value:
            found = replace(found, hooks=value)
        else:
            allowed = "--rounds N, --hooks FOLDER"
            raise UsageError(f"bench: found {' '.join(words)}, allowed: {allowed}")
        rest = rest[2:]
    return found


def _scenarios(config: Config) -> list[Scenario]:
    group = config.groups[0]
    ready = environment.tests(config, config.python[0] if config.python else None)
    folder = config.root / ".paceline" / "bench"
    shard = folder / group.name
    shard.mkdir(parents=True, exist_ok=True)
    env = {
        **ready.variables,
        **testrun.variables(shard),
        "TESTMON_DATAFILE": str(folder / "testmondata"),
    }
    full = testrun.command(config, group, ready.python, shard, testrun.Arguments())
    plain = [str(ready.python), "-m", "pytest", *testrun.common_options(config, group)]
    cores = testrun.len_cores()
    record = (*plain, "--testmon-noselect", "--no-cov", *group.paths)

    def scenario(
        name: str, text: str, command: list[str], prepare: tuple[str, ...] = ()
    ) -> Scenario:
        return Scenario(name, text, tuple(command), env, prepare)

    tail = ["--no-cov", *group.paths]
    return [
        scenario("full", "the whole group as its session runs it, with coverage", full),
        scenario("quick", "invoke prepush, checks included", _prepush()),
        scenario("one worker", "no coverage, -n 1", [*plain, "-n1", *tail]),
        scenario(f"{cores} workers", "no coverage", [*plain, f"-n{cores}", *tail]),
        scenario(
            "incremental", "pytest --testmon, nothing changed", [*plain, "--testmon", *tail], record
        ),
    ]


def _prepush() -> list[str]:
    return [sys.executable, "-m", "invoke", "prepush"]
