"""The session coverage: nothing is reported before the shards are proven complete."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import nox

from paceline import console, environment, git, store
from paceline.config.model import Config
from paceline.coverage import baseline, check, reports
from paceline.coverage.check import Checked
from paceline.coverage.shards import combine_shards
from paceline.errors import CheckFailed, IncompleteEvidence, PacelineError
from paceline.sharding import balance, durations, proof, result, stored


def run_coverage(session: nox.Session, config: Config) -> None:
    """Prove exactly-once, combine durations and coverage, report, apply the gates.

    Raises IncompleteEvidence if a shard or a test is missing or double, or a gate cannot be
    computed; CheckFailed if a shard's tests or a gate failed.
    """
    results = _proven(config)
    _merge_durations(session, config, results)
    # A shard of more shards than tests is empty and measured nothing.
    folders = [found.folder for found in results if found.selected]
    ready = environment.tests(config, config.newest_python)
    folder = config.root / ".paceline" / "reports"
    measured = combine_shards(config.root, folders, folder, ready.python, ready.variables)
    checked = check.check(config, measured)
    _report(config, checked, folder)
    _refuse_failures(results)
    if "--store-coverage" in session.posargs:
        file = baseline.write(config.root, checked.total)
        session.log(f"recorded the total: {_shown(file, config.root)}")
    check.demand(checked.verdicts)
    session.log(f"{len(results)} shards, each test exactly once")


def _report(config: Config, checked: Checked, folder: Path) -> None:
    """Show what matters on the terminal, and hand it to the CI provider where there is one."""
    console.out_lines(reports.terminal(checked, console.width()))
    console.out(f"report: {_shown(folder / 'html' / 'index.html', config.root)}")
    summary = reports.markdown(checked)
    store.write_text(folder / "coverage.md", summary)
    if os.environ.get("GITHUB_STEP_SUMMARY"):
        store.append_text(Path(os.environ["GITHUB_STEP_SUMMARY"]), summary)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        place = git.place(config.root)
        for command in reports.github_annotations(checked, place.prefix if place else ""):
            console.out(command)


def _proven(config: Config) -> list[result.ShardResult]:
    found: list[result.ShardResult] = []
    problems: list[str] = []
    for group in config.groups:
        for version in config.python or (None,):
            name = f"{group.name}-{version}" if version else group.name
            try:
                folder = config.shards_folder(name)
                paths = [*result.discover(folder), *result.copies(folder)]
                results = [result.read(path) for path in paths]
                proof.prove(results)
                found += results
            except IncompleteEvidence as error:
                problems += [f"group {name}: {problem}" for problem in error.problems]
    problems += _mixed_commits(found)
    problems += _other_commit(found, git.head(config.root))
    if problems:
        raise IncompleteEvidence(problems, "run the shards named above, then this again")
    return found


def _mixed_commits(results: list[result.ShardResult]) -> list[str]:
    commits = {found.commit for found in results}
    if len(commits) < 2:
        return []
    return [f"the groups were run on different commits: {', '.join(map(str, commits))}"]


def _other_commit(results: list[result.ShardResult], here: str | None) -> list[str]:
    """Return a problem if the shards ran on another commit than the one that is checked out."""
    commits = {found.commit for found in results}
    if len(commits) != 1 or commits == {here}:
        return []
    return [f"the shards were run on commit {commits.pop()}, but {here} is checked out"]


def _merge_durations(
    session: nox.Session, config: Config, results: list[result.ShardResult]
) -> None:
    by_group: defaultdict[str, list[result.ShardResult]] = defaultdict(list)
    for found in results:
        by_group[found.group].append(found)
    store = "--store-durations" in session.posargs
    for group, shards in by_group.items():
        merged = config.root / ".paceline" / "durations" / f"{group}.json"
        target = config.durations_file(group) if store else merged
        collected = {test for found in shards for test in found.collected}
        stored.update(target, [found.folder for found in shards], collected)
        session.log(f"durations of {group}: {_shown(target, config.root)}")
        _show_balance(shards)


def _show_balance(shards: list[result.ShardResult]) -> None:
    if shards[0].total == 1:
        return
    times = durations.merge(durations.read(found.folder / stored.DURATIONS) for found in shards)
    rows = [console.Row(cells) for cells in balance.rows(shards, times)]
    console.out_lines(console.layout(balance.HEADER, rows, console.width()))
    first = balance.split_first(shards[0].total, times)
    if first:
        console.out(f"tests to split first: {', '.join(first)}")


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _refuse_failures(results: list[result.ShardResult]) -> None:
    failed = [
        f"shard {found.folder.name} of {found.group}: pytest exit code {found.exit_code}"
        for found in results
        if found.exit_code
    ]
    if failed:
        error: PacelineError = CheckFailed("; ".join(failed), "see that shard's own output")
        raise error
