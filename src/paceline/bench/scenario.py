"""What is timed, and in which order: in turns, so that a slow minute hits every scenario."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from paceline import process
from paceline.bench import sample, stats
from paceline.errors import CheckFailed


@dataclass(frozen=True)
class Scenario:
    """One command to time."""

    name: str
    description: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    #: Run before every round and not timed, such as clearing a cache; empty for nothing.
    prepare: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measure:
    """What the rounds of one scenario came to: medians, in seconds."""

    scenario: str
    wall: float
    cpu: float
    #: Median absolute deviation of the wall time.
    noise: float
    #: Median time of the calibration loop in the same rounds.
    calibration: float
    rounds: int


def interleave(scenarios: Sequence[Scenario], rounds: int) -> Iterator[Scenario]:
    """Yield the scenarios in the order to run them: A B C, A B C, ... for `rounds` rounds."""
    for _ in range(rounds):
        yield from scenarios


def run_scenarios(
    scenarios: Sequence[Scenario],
    rounds: int,
    *,
    cwd: Path,
    on_sample: Callable[[Scenario, sample.Sample], None] = lambda _scenario, _sample: None,
) -> list[Measure]:
    """Time `scenarios` in turns and return one measure each, in their order.

    Raises CheckFailed if a command fails: the time of a failure compares with nothing.
    """
    samples: dict[str, list[sample.Sample]] = {scenario.name: [] for scenario in scenarios}
    loops: dict[str, list[float]] = {scenario.name: [] for scenario in scenarios}
    if rounds < 1 or len(samples) != len(scenarios):
        raise ValueError("needs at least one round and scenarios with different names")
    for scenario in interleave(scenarios, rounds):
        _prepare(scenario, cwd)
        loops[scenario.name].append(sample.calibrate())
        taken = sample.measure(scenario.command, cwd=cwd, env=scenario.env)
        _demand_success(scenario, scenario.command, taken.exit_code)
        samples[scenario.name].append(taken)
        on_sample(scenario, taken)
    return [summarise(name, samples[name], loops[name]) for name in samples]


def summarise(name: str, samples: Sequence[sample.Sample], loops: Sequence[float]) -> Measure:
    """Return the measure of scenario `name` from its samples and calibration times."""
    walls = [taken.wall_seconds for taken in samples]
    cpus = [taken.cpu_seconds for taken in samples]
    return Measure(
        scenario=name,
        wall=stats.median(walls),
        cpu=stats.median(cpus),
        noise=stats.noise(walls),
        calibration=stats.median(loops),
        rounds=len(samples),
    )


def _prepare(scenario: Scenario, cwd: Path) -> None:
    if scenario.prepare:
        done = process.run(scenario.prepare, cwd=cwd, env=scenario.env)
        _demand_success(scenario, scenario.prepare, done.exit_code)


def _demand_success(scenario: Scenario, command: Sequence[str], code: int) -> None:
    if code != 0:
        raise CheckFailed(
            f"benchmark {scenario.name}: a command ended with exit code {code}",
            f"see why with: {shlex.join(command)}",
        )
