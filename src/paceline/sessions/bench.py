"""The session bench: time the project's own suite in turns, and keep the result."""

from __future__ import annotations

import datetime
import sys

import nox

from paceline import environment, testrun
from paceline.bench import history, report
from paceline.bench.sample import Sample
from paceline.bench.scenario import Scenario, run_scenarios
from paceline.config.model import Config
from paceline.errors import CheckFailed, UsageError

ROUNDS = 3


def run_bench(session: nox.Session, config: Config) -> None:
    """Time every scenario, `-- --rounds N` times, store the result and judge it.

    Raises CheckFailed if a scenario got slower.
    """
    scenarios = _scenarios(config)
    rounds = _rounds(session.posargs)

    def progress(scenario: Scenario, sample: Sample) -> None:
        session.log(f"{scenario.name}: {sample.wall_seconds:.2f} s")

    measures = run_scenarios(scenarios, rounds, cwd=config.root, on_sample=progress)
    earlier = history.load(config.root)
    when = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    history.add(config.root, earlier, history.Run(when, tuple(measures)))
    report.show(measures, earlier)
    slower = report.regressions(measures, earlier)
    if slower:
        raise CheckFailed(f"slower than the run before: {', '.join(slower)}")


def _rounds(arguments: list[str]) -> int:
    if not arguments:
        return ROUNDS
    if len(arguments) == 2 and arguments[0] == "--rounds" and arguments[1].isdigit():
        return max(1, int(arguments[1]))
    raise UsageError(f"bench: found {' '.join(arguments)}, allowed: --rounds N")


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
