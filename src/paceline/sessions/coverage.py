"""The session coverage: nothing is reported before the shards are proven complete."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import nox

from paceline.config.model import Config
from paceline.coverage.combine import combine
from paceline.errors import CheckFailed, IncompleteEvidence, PacelineError
from paceline.sharding import durations, proof, result


def run_coverage(session: nox.Session, config: Config) -> None:
    """Prove exactly-once, combine durations and coverage, report, apply `fail_under`.

    Raises IncompleteEvidence if a shard or a test is missing or double, CheckFailed if a
    shard's tests failed or the total is below the limit.
    """
    results = _proven(config)
    _merge_durations(session, config, results)
    # A shard of more shards than tests is empty and measured nothing.
    folders = [found.folder for found in results if found.selected]
    reports = config.root / ".paceline" / "reports"
    combined = combine(folders, reports / ".coverage", config.fail_under)
    print(combined.report)
    _refuse_failures(results)
    if round(combined.total, 2) < combined.fail_under:
        raise CheckFailed(
            f"coverage is {combined.total:.2f} %, fail_under is {combined.fail_under:g} %",
            "cover the missing lines above",
        )
    session.log(f"coverage {combined.total:.2f} %, {len(results)} shards, each test exactly once")


def _proven(config: Config) -> list[result.ShardResult]:
    found: list[result.ShardResult] = []
    problems: list[str] = []
    for group in config.groups:
        for version in config.python or (None,):
            name = f"{group.name}-{version}" if version else group.name
            try:
                results = [
                    result.read(path) for path in result.discover(config.shards_folder(name))
                ]
                proof.prove(results)
                found += results
            except IncompleteEvidence as error:
                problems += [f"group {name}: {problem}" for problem in error.problems]
    problems += _mixed_commits(found)
    if problems:
        raise IncompleteEvidence(problems, "run the shards named above, then this again")
    return found


def _mixed_commits(results: list[result.ShardResult]) -> list[str]:
    commits = {found.commit for found in results}
    if len(commits) < 2:
        return []
    return [f"the groups were run on different commits: {', '.join(map(str, commits))}"]


def _merge_durations(
    session: nox.Session, config: Config, results: list[result.ShardResult]
) -> None:
    by_group: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for found in results:
        by_group[found.group].update(durations.read(found.folder / "durations.json"))
    store = "--store-durations" in session.posargs
    for group, times in by_group.items():
        merged = config.root / ".paceline" / "durations" / f"{group}.json"
        target = config.durations_file(group) if store else merged
        collected = {test for found in results if found.group == group for test in found.collected}
        durations.update(target, times, collected)
        session.log(f"durations of {group}: {_shown(target, config.root)}")


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
