"""The invoke adapter. A tasks file needs one line: `from paceline.tasks import ns`.

Only declarations live here and only invoke is imported: `invoke --list` must stay fast.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from paceline.errors import PacelineError
from paceline.tasks.folders import TaskOfFolders

_JSON = {"json": "Print JSON on standard output, messages on standard error."}


def project_root(start: Path | None = None) -> Path:
    """Return the nearest folder from `start` upwards that holds a tasks.py or pyproject.toml."""
    here = (start or Path.cwd()).resolve()
    for name in ("tasks.py", "pyproject.toml"):
        for folder in (here, *here.parents):
            if (folder / name).is_file():
                return folder
    return here


def _exits(body: Callable[..., int | None]) -> Callable[..., None]:
    """Turn a body's exit code, and an error a person can act on, into the program's exit code."""

    @functools.wraps(body)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            code = body(*args, **kwargs)
        except PacelineError as error:
            print(error, file=sys.stderr)
            code = error.exit_code
        if code:
            raise Exit(code=code)

    return run


@task(
    help={
        "full": "Run every step and every test, whatever changed.",
        "commit": "Check this commit as it is, instead of the working tree.",
        "only": "Run this step only, whatever changed.",
        **_JSON,
    }
)
@_exits
def prepush(
    context: Context, full: bool = False, commit: str = "", only: str = "", json: bool = False
) -> int:
    """Check what the change against the upstream can have affected."""
    from paceline.tasks.prepush import run_prepush

    return run_prepush(project_root(), full=full, json=json, commit=commit, only=only)


@task(
    help={
        "group": "Plan this group only.",
        "shards": "Number of shards instead of the configured one.",
        "tests": "A file with one test id a line: plan these, without collecting.",
        "durations": "The durations file for --tests.",
        "previous": "A plan file (JSON of this task) to stay close to.",
        "workers": "Number of xdist workers in a shard.",
        "dist": "How xdist shares tests out (its --dist).",
        "target": "Tell how many shards end within this time, such as 5m.",
        "overhead": "What a job costs besides its tests, such as 40s; for --target.",
        **_JSON,
    }
)
@_exits
def plan(
    context: Context,
    group: str = "",
    shards: int = 0,
    tests: str = "",
    durations: str = "",
    previous: str = "",
    workers: int = 0,
    dist: str = "load",
    target: str = "",
    overhead: str = "",
    json: bool = False,
) -> None:
    """Freeze the assignment of tests to shards in .paceline/plan.json."""
    from paceline.tasks.plan import plan_file, plan_groups, wish

    asked = wish(shards, workers, dist, target, overhead)
    if tests:
        plan_file(tests, durations, previous, asked, json)
    else:
        plan_groups(project_root(), group, asked, json)


@task(
    klass=TaskOfFolders,
    positional=["folder"],
    iterable=["also"],
    help={
        "folder": "The result folder of a shard, or a folder above several; further ones follow.",
        "also": "A further folder; may be given more than once.",
        "into": "The durations file to merge into; default ci/durations/<group>.json.",
    },
)
@_exits
def merge(context: Context, folder: str, also: list[str], into: str = "") -> None:
    """Merge the durations that shards measured into the stored ones."""
    from paceline.tasks.durations import merge_folders

    merge_folders(project_root(), [Path(name) for name in (folder, *also)], into)


@task(help=_JSON)
@_exits
def config(context: Context, json: bool = False) -> None:
    """Print the effective configuration and where each value came from."""
    from paceline.config import report
    from paceline.config.loading import load

    found = load(project_root())
    print(report.as_json(found) if json else report.as_text(found))


@task
@_exits
def generate(context: Context) -> None:
    """Write the pipeline files from the configuration."""
    from paceline.tasks import ci

    ci.generate(project_root())


@task
@_exits
def check(context: Context) -> int:
    """Fail, with a diff, if the pipeline files drifted from the configuration."""
    from paceline.tasks import ci

    return ci.check(project_root())


@task
@_exits
def summary(context: Context) -> None:
    """Print what the shards did; on GitHub also as job summary and annotations."""
    from paceline.tasks import ci

    ci.summary(project_root())


@task(help={"drop": "Drop those of this step, or whose name starts so; all: every one.", **_JSON})
@_exits
def receipts(context: Context, drop: str = "", json: bool = False) -> None:
    """List the proofs of steps that passed, or drop some."""
    from paceline.tasks.receipts import run_receipts

    run_receipts(project_root(), drop, json)


@task(help={"manager": "git (a hook of its own), pre-commit or prek (an entry in theirs)."})
@_exits
def install(context: Context, manager: str = "git") -> None:
    """Install the pre-push hook; one that is there already is kept and called."""
    from paceline.tasks.hooks_install import run_install

    run_install(project_root(), manager)


@task(
    help={
        "file": "A pipeline with times, TOML or JSON; else the project's own is simulated.",
        "times": "Measured seconds of the project's jobs, or GitHub's list of a run's jobs.",
        "shards": "What if: job=number, several with commas.",
        "workers": "What if: job=number, several with commas.",
        "early": "What if images were built and scanned beside the tests.",
        "cache": "What if this share of caches (0 to 1) were found.",
        "runners": "What if so many jobs could run at once; 0: any number.",
        "price": "The price of a runner's minute.",
        "target": "Find the steps to a wall time, such as 10m.",
        "svg": "Write a picture of the last step to this file.",
        **_JSON,
    }
)
@_exits
def simulate(
    context: Context,
    file: str = "",
    times: str = "",
    shards: str = "",
    workers: str = "",
    early: bool = False,
    cache: str = "",
    runners: int = -1,
    price: str = "",
    target: str = "",
    svg: str = "",
    json: bool = False,
) -> None:
    """Show the pipeline's critical path and cost, and what changes to it would bring."""
    from paceline.tasks.simulate import Wishes, run_simulate

    wishes = Wishes(file, times, shards, workers, early, cache, runners, price, target, svg, json)
    run_simulate(project_root(), wishes)


_STAGE = {"stage": "The stage whose hooks are meant, such as pre-commit."}


@task(name="audit", help={**_STAGE, **_JSON})
@_exits
def hooks_audit(context: Context, stage: str = "pre-push", json: bool = False) -> None:
    """Show which hooks start pytest, on what, and what that costs."""
    from paceline.tasks.hooks import run_audit

    run_audit(project_root(), stage=stage, json=json)


@task(name="measure", help={**_STAGE, "rounds": "How often to run each hook.", **_JSON})
@_exits
def hooks_measure(
    context: Context, stage: str = "pre-push", rounds: int = 3, json: bool = False
) -> int:
    """Time each hook over all files, slowest first; fixing hooks do change files."""
    from paceline.tasks.hooks import run_measure

    return run_measure(project_root(), stage=stage, rounds=rounds, json=json)


@task(
    name="consolidate",
    help={
        **_STAGE,
        "to_steps": "Move what is left into [tool.paceline.steps]; one hook remains.",
        "write": "Write the files; else only show the diff.",
        **_JSON,
    },
)
@_exits
def hooks_consolidate(
    context: Context,
    stage: str = "pre-push",
    to_steps: bool = False,
    write: bool = False,
    json: bool = False,
) -> int:
    """Merge the hooks that start pytest, and prove that the same tests are collected."""
    from paceline.tasks.hooks import run_consolidate

    return run_consolidate(project_root(), stage=stage, to_steps=to_steps, write=write, json=json)


@task(help=_JSON)
@_exits
def parity(context: Context, json: bool = False) -> None:
    """Show who runs what where: each local step beside each CI job."""
    from paceline.tasks import ci

    ci.parity(project_root(), json)


@task(name="status", help=_JSON)
@_exits
def impact_status(context: Context, json: bool = False) -> None:
    """Show which tests would run now, and why; pytest is not started."""
    from paceline.tasks.impact import run_status

    run_status(project_root(), json)


@task(name="explain", positional=["test"], help={"test": "The test's id.", **_JSON})
@_exits
def impact_explain(context: Context, test: str, json: bool = False) -> None:
    """Show what a test depends on, and what would select it now."""
    from paceline.tasks.impact import run_explain

    run_explain(project_root(), test, json)


@task(name="audit", help=_JSON)
@_exits
def impact_audit(context: Context, json: bool = False) -> int:
    """Run every test; report failures that selection would have left out."""
    from paceline.tasks.impact import run_audit

    return run_audit(project_root(), json)


@task(name="merge", iterable=["folder"], help={"folder": "A folder or file with records."})
@_exits
def impact_merge(context: Context, folder: list[str]) -> None:
    """Take over impact records, such as those of shards (--folder, once for each)."""
    from paceline.tasks.impact import run_merge

    run_merge(project_root(), folder)


@task(name="export", positional=["file"], help={"file": "The file to write."})
@_exits
def impact_export(context: Context, file: str) -> None:
    """Write the impact records to one file."""
    from paceline.tasks.impact import run_export

    run_export(project_root(), file)


@task(name="import", positional=["file"], help={"file": "A file that impact.export wrote."})
@_exits
def impact_import(context: Context, file: str) -> None:
    """Take over impact records from a file."""
    from paceline.tasks.impact import run_merge

    run_merge(project_root(), [file])


ns = Collection(prepush, plan, config, receipts)
ns.add_collection(Collection("ci", generate, check, summary, simulate, parity))
ns.add_collection(
    Collection(
        "impact",
        impact_status,
        impact_explain,
        impact_audit,
        impact_merge,
        impact_export,
        impact_import,
    )
)
ns.add_collection(Collection("hooks", install, hooks_audit, hooks_measure, hooks_consolidate))
ns.add_collection(Collection("durations", merge))
