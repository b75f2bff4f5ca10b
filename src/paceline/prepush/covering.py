"""The step coverage: the limits that CI applies, on the exact coverage of the same tests.

Where a limit is set, the test groups run with `--impact` and with coverage, so that each leaves
the data of all its tests, those that were left out too. Their union is judged as in CI.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from paceline import console, environment, testrun
from paceline.config.discovery import packages
from paceline.config.model import Config, Group
from paceline.coverage import check, evidence, reports, settings
from paceline.coverage.shards import combine_shards
from paceline.errors import CheckFailed, IncompleteEvidence, MissingTool, PacelineError
from paceline.prepush.grouptests import record_variables
from paceline.prepush.result import StepResult, Verdict
from paceline.prepush.steps import PlannedStep

NAME = "coverage"
#: It needs the tests of all groups, so it cannot be repeated alone.
AGAIN = "invoke prepush"


def is_limited(config: Config) -> bool:
    """Return whether CI holds the coverage to any limit."""
    own = (config.fail_under, config.fail_under_paths, config.diff_fail_under)
    if any(own) or config.max_drop < 100.0:
        return True
    return bool(settings.fail_under_of_pytest(config.root) or settings.fail_under(config.root))


def left_to_ci(config: Config) -> str:
    """Return why the total cannot be known here, "" if it can."""
    others = [group.name for group in config.groups if not group.prepush]
    if others:
        return f"the total needs the tests of {', '.join(others)} too, which run in CI only"
    if len(config.python) > 1:
        return "the total is that of several Python versions, which run in CI only"
    return ""


def keeps_proof(config: Config) -> bool:
    """Return whether the verdict depends on the files alone, not on what else is in git."""
    return not config.diff_fail_under and config.max_drop >= 100.0


def planned(steps: Sequence[PlannedStep]) -> PlannedStep:
    """Return what stands for the judgement of what the groups' `steps` measure."""
    identity = tuple(command for step in steps for command in step.identity)
    packages = " ".join(step.packages for step in steps)
    return PlannedStep(NAME, (), identity=identity, packages=packages)


def measuring(config: Config, group: Group, step: PlannedStep, *, full: bool) -> PlannedStep:
    """Return the whole group's `step` as one that measures, and runs what a change can affect."""
    folder = _folder(config, group)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    base = (*step.commands[0][:3], *testrun.common_options(config, group))
    sources = [f"--paceline-source={testrun.measurable(name)}" for name in packages(config.root)]
    options = ["--impact-noselect" if full else "--impact", "--paceline-measure", *sources]
    # A group is a part of the suite: the whole is held to the total, by the step coverage.
    options += ["--cov-report=", "--cov-fail-under=0"]
    env = {
        **step.env,
        "COVERAGE_FILE": str(folder / evidence.DATA),
        **record_variables(config, group),
    }
    return replace(step, commands=((*base, *options, *group.paths),), env=env)


def judge(config: Config, groups: Sequence[Group], results: Sequence[StepResult]) -> StepResult:
    """Return what the limits say of the coverage of all groups, whose tests have run."""
    names = {f"tests-{group.name}" for group in groups}
    open_ones = [one.name for one in results if one.name in names and one.verdict != "passed"]
    if open_ones:
        return StepResult(
            NAME, "unchecked", reason=f"{', '.join(open_ones)} did not pass", again=AGAIN
        )
    started = time.monotonic()
    try:
        output = _judge(config, groups)
    except CheckFailed as error:
        return _result("failed", started, error)
    except (IncompleteEvidence, MissingTool) as error:
        return _result("could not check", started, error)
    return StepResult(NAME, "passed", time.monotonic() - started, output=output, again=AGAIN)


def _result(verdict: Verdict, started: float, error: PacelineError) -> StepResult:
    seconds = time.monotonic() - started
    first = error.message.splitlines()[0]
    return StepResult(NAME, verdict, seconds, first, str(error), again=AGAIN)


def _judge(config: Config, groups: Sequence[Group]) -> str:
    folders = [_folder(config, group) for group in groups]
    for folder in folders:
        evidence.write(folder, config.root)
    ready = environment.tests(config, config.newest_python)
    target = config.state / "reports" / "prepush"
    measured = combine_shards(config.root, folders, target, ready.python, ready.variables)
    checked = check.check(config, measured)
    check.demand(checked.verdicts)
    return "\n".join(line.text for line in reports.terminal(checked, console.width()))


def _folder(config: Config, group: Group) -> Path:
    return config.state / "prepush" / "measured" / group.name / "all"
