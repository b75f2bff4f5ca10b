"""The tasks `impact.*`: what would run and why, an audit, records from elsewhere."""

from __future__ import annotations

import json as jsonlib
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from paceline import console, environment, process, store, testrun
from paceline.config.loading import load
from paceline.config.model import Config, Group
from paceline.errors import UsageError
from paceline.impact import merging, status
from paceline.impact.database import Store
from paceline.impact.explanation import Explanation, explain
from paceline.impact.records import UNKNOWN_TESTS
from paceline.impact.run import AUDIT_FILE, records_file
from paceline.impact.status import Status

#: Reasons shown for each test.
_REASONS = 3


def run_status(root: Path, json: bool) -> None:
    """Print which tests would run now, for each profile that was ever recorded."""
    kept = Store(records_file(root))
    found = {
        profile: status.ask(root, kept, profile, os.environ) for profile in status.profiles(kept)
    }
    if json:
        data = {
            profile: {
                "unknown": one.unknown,
                "selected": {test: list(why) for test, why in one.reasons.items()},
                "waiting": sorted(one.waiting),
                "unaffected": len(one.unaffected),
                "unseen_files": list(one.unseen_files),
            }
            for profile, one in found.items()
        }
        console.out(jsonlib.dumps(data, indent=1, sort_keys=True))
        return
    if not found:
        console.out("no test was recorded yet; run `pytest --impact`")
    for profile, one in found.items():
        _print_status(profile or "pytest", one)


def _print_status(profile: str, one: Status) -> None:
    if one.unknown:
        console.out(f"{profile}: everything would run: {one.unknown}")
        return
    known = len(one.reasons) + len(one.unaffected)
    console.out(f"{profile}: {len(one.reasons)} of {known} tests would run")
    if one.waiting:
        console.out(f"  {len(one.waiting)} of them only if the others count on by another amount")
    for test, why in sorted(one.reasons.items()):
        name = test.removesuffix(UNKNOWN_TESTS)
        said = test if name == test else f"{name} may hold new tests"
        console.out(f"  {said}: {'; '.join(why[:_REASONS])}")
    for name in one.unseen_files:
        console.out(f"  {name} may hold new tests")


def run_explain(root: Path, test: str, json: bool) -> None:
    """Print what `test` depends on and what would select it now."""
    kept = Store(records_file(root))
    for profile in status.profiles(kept):
        last = status.last_surroundings(kept, profile)
        found = explain(kept.load(last.digest(os.environ)), test) if last else None
        if found is None:
            continue
        now = status.ask(root, kept, profile, os.environ).reasons.get(test, ())
        if json:
            data = {**asdict(found), "selected_because": list(now)}
            console.out(jsonlib.dumps(data, indent=1, sort_keys=True))
        else:
            _print_explanation(found, now)
        return
    raise UsageError(f"there is no record of {test}", "`invoke impact.status` lists tests")


def _print_explanation(found: Explanation, now: tuple[str, ...]) -> None:
    console.out(f"{found.test}: {found.status}, {found.seconds:.2f} s")
    for title, lines in (
        ("runs", found.runs),
        ("imports", found.imports),
        ("inputs", found.inputs),
        ("cannot be seen through", found.unseen),
        ("would run now, because", now or ("(unaffected)",)),
    ):
        if lines:
            console.out(f"  {title}:")
            for line in lines:
                console.out(f"    {line}")


def run_audit(root: Path, json: bool) -> int:
    """Run every test and report those that failed although selection would have left them out."""
    config = load(root)
    store.ignored_by_git(config.state)
    compared = 0
    escapes: dict[str, list[str]] = {}
    codes = []
    for group in config.groups:
        codes.append(_run_whole(config, group))
        count, found = _read_audit(config, group)
        compared += count
        escapes.update(found)
    if json:
        data = {"compared": compared, "escapes": escapes}
        console.out(jsonlib.dumps(data, indent=1, sort_keys=True))
    else:
        _print_audit(compared, escapes)
    return 1 if escapes or any(codes) else 0


def _run_whole(config: Config, group: Group) -> int:
    """Run and record every test of the group as `invoke prepush` does; return the exit code."""
    from paceline.prepush import grouptests  # not on the way to a status

    (config.root / AUDIT_FILE).unlink(missing_ok=True)
    ready = environment.tests(config, config.python[0] if config.python else None)
    options = [*testrun.common_options(config, group), "--impact-noselect", "--no-cov"]
    command = [str(ready.python), "-m", "pytest", *options, *group.paths]
    variables = {
        **ready.variables,
        **testrun.fixed_hash_seed(),
        **grouptests.record_variables(config, group),
    }
    return process.stream(command, cwd=config.root, env=variables)


def _read_audit(config: Config, group: Group) -> tuple[int, dict[str, list[str]]]:
    data: Any = store.read_json(config.root / AUDIT_FILE, "audit")
    try:
        escapes = {str(test): list(changes) for test, changes in data["escapes"].items()}
        return int(data["compared"]), escapes
    except (KeyError, TypeError, ValueError, AttributeError):
        return 0, {f"tests-{group.name}": ["the run left no audit"]}


def _print_audit(compared: int, escapes: dict[str, list[str]]) -> None:
    for test, changes in sorted(escapes.items()):
        console.out(f"escape: {test} failed, and selection would have left it out")
        console.out("  changed since, and not in its record:")
        for change in changes or ["nothing that any record knows"]:
            console.out(f"    {change}")
    if not compared and not escapes:
        console.out(
            "nothing to compare: selection would have left out no test that ran;"
            " what ran now is recorded for the next time"
        )
    elif not escapes:
        console.out(f"no escape: selection would have left out {compared} tests, and all passed")


def run_merge(root: Path, folders: list[str]) -> None:
    """Take over the records in `folders`: result folders of shards, or record files."""
    paths = [found for name in folders for found in _record_files(Path(name))]
    count = merging.merge(Store(records_file(root)), paths)
    console.out(f"merged the records of {count} tests from {len(paths)} files")


def _record_files(place: Path) -> list[Path]:
    if not place.is_dir():
        return [place]
    found = sorted(place.rglob("records.db"))
    if not found:
        raise UsageError(f"{place}: no impact records below it", "name folders that hold some")
    return found


def run_export(root: Path, target: str) -> None:
    """Write the records to one file, for another checkout to import."""
    merging.export(Store(records_file(root)), Path(target))
    console.out(f"wrote {target}")
