"""The sessions `tests-<group>`: one shard (or the whole) of a group, results left in its folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

from paceline import environment, process, store, testrun
from paceline.config.model import Config, Group
from paceline.coverage import evidence
from paceline.errors import CheckFailed, IncompleteEvidence
from paceline.hang import FOLDER_VARIABLE, Watch, running
from paceline.sharding import result, stored


def run_tests(session: nox.Session, config: Config, group: Group, version: str | None) -> None:
    """Run the shard that the session's arguments name; raise CheckFailed unless pytest passed."""
    run = testrun.parse(session.posargs, config.root)
    ready = environment.tests(config, version)
    store.ignored_by_git(config.root / ".paceline")
    folder = _empty_folder(testrun.result_folder(config, group, version, run))
    notes = folder / "running"
    command = testrun.command(config, group, ready.python, folder, run)
    session.log(" ".join(command))
    variables = {**ready.variables, **testrun.variables(folder), FOLDER_VARIABLE: str(notes)}
    with Watch(notes) as watch:
        exit_code = process.stream(command, cwd=config.root, env=variables)
    evidence.write(folder, config.root, session.posargs)
    died_in = running(notes)
    shutil.rmtree(notes, ignore_errors=True)
    # pytest's own verdict decides, before anything else can get in its way.
    finished = _finished(folder)
    if died_in and not watch.hung and not finished:
        tests = ", ".join(died_in)
        raise CheckFailed(f"pytest ended with exit code {exit_code} while running {tests}")
    if exit_code or watch.hung:
        problems = [*watch.hung, testrun.explain(exit_code)] if exit_code else watch.hung
        raise CheckFailed("; ".join(problems))
    if not finished:
        raise CheckFailed("pytest ended with exit code 0, but before it had finished")
    if run.store_durations:
        _store_durations(session, config, group, folder)


def _finished(folder: Path) -> bool:
    """Return whether pytest came to its end; a test can end the process, even with exit code 0."""
    try:
        return result.read(folder).exit_code is not None
    except IncompleteEvidence:
        return False


def _empty_folder(folder: Path) -> Path:
    """Make `folder` anew, and drop the results of other shard counts: they are superseded.

    A stale result must not stand in for a run that was killed.
    """
    for other in result.discover(folder.parent):
        if other.name.split("of")[1] != folder.name.split("of")[1]:
            shutil.rmtree(other)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _store_durations(session: nox.Session, config: Config, group: Group, folder: Path) -> None:
    done = result.read(folder)
    file = config.durations_file(group.name)
    stored.update(file, [folder], set(done.collected))
    session.log(f"stored the durations in {file.relative_to(config.root)}")
