"""Who runs what where: each local step beside each CI job, and what only one side has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from paceline.ci.building import build
from paceline.ci.pipeline import Job, TestsJob
from paceline.config.model import Config, Group, Step

#: What a job of CI is for, where there is nothing to run by hand before a push.
_CI_ALONE = {
    "plan": "divides the tests for all shards at once",
    "coverage": "proves that every test ran once, and applies the gates",
    "required": "the gate",
    "test-image": "builds the image that jobs run in",
    "audit": "compares impact selection with a full run",
    "bench": "times the pipeline",
}


@dataclass(frozen=True)
class Line:
    """One step: what runs it on a developer's machine, what in CI; empty where nothing does."""

    name: str
    local: str
    ci: str
    #: Why one side has it alone, or how the two differ.
    note: str = ""

    @property
    def side(self) -> str:
        """Where the step runs: "both", "local" or "ci"; "none" if nowhere."""
        return {(True, True): "both", (True, False): "local", (False, True): "ci"}.get(
            (bool(self.local), bool(self.ci)), "none"
        )


def compare(config: Config, kept: Mapping[str, str]) -> list[Line]:
    """Return a line for every step and job of `config`, local steps first.

    `kept` has the text of the regions kept by hand, by the file they are in.
    """
    jobs = {job.name: job for job in build(config).jobs}
    lines = [_step(step, jobs.pop(step.name, None)) for step in config.steps]
    lines += [_group(config, group, jobs.pop(f"tests-{group.name}")) for group in config.groups]
    lines += [_ci_alone(job) for job in jobs.values()]
    for file, text in kept.items():
        note = f"kept by hand in {file}: the gate does not know it"
        lines += [Line(name, "", name, note) for name in _names(text)]
    return lines


def _step(step: Step, job: TestsJob | Job | None) -> Line:
    local = "invoke prepush" if step.prepush else f"nox -s {step.name}"
    if not step.run and step.name != "deps":
        return Line(step.name, "", "", step.missing or "nothing is set up")
    if job is None:
        return Line(step.name, local, "", "no job: its checks have jobs of their own, or none")
    note = "" if step.prepush else "not part of invoke prepush"
    return Line(step.name, local, _command(job), note)


def _group(config: Config, group: Group, job: TestsJob | Job) -> Line:
    versions = len(config.python)
    shards = f"{group.shards} shards" if group.shards > 1 else "1 shard"
    everywhere = f"all tests, {shards}"
    if versions > 1:
        everywhere += f" on {versions} Python versions"
    if config.ci.select == "impact":
        everywhere += "; pull requests the affected tests"
    local = "invoke prepush" if group.prepush else f"nox -s {job.name}"
    here = "affected tests" if group.prepush else "not part of invoke prepush"
    if versions > 1 and group.prepush:
        here += f" on Python {config.python[0]}"
    return Line(job.name, local, _command(job), f"local: {here}; CI: {everywhere}")


def _ci_alone(job: TestsJob | Job) -> Line:
    note = _CI_ALONE.get(job.name, "")
    if isinstance(job, Job) and job.when.value != "every run":
        note = f"{note}; {job.when.value} only".lstrip("; ")
    return Line(job.name, "", _command(job), note)


def _command(job: TestsJob | Job) -> str:
    """Return the command that the job is there for, as a developer would paste it."""
    if isinstance(job, TestsJob):
        return f"nox -s {job.name}"
    return job.commands[-1]


def _names(text: str) -> list[str]:
    """Return the names of the jobs or steps in a region kept by hand."""
    lines = [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    margin = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    top = [line[margin:] for line in lines]
    found = [re.match(r"(?:- name: )?['\"]?([\w .-]+?)['\"]?:?\s*$", line) for line in top]
    return [match[1] for match in found if match]
