"""Replay random single changes on a real test suite: does `pytest --impact` miss a failing test?

`python scripts/replay_mutations.py jinja2 --changes 200` takes jinja2's source distribution,
records its tests, and makes 200 seeded changes, one at a time: each time the tests all run, then
`--impact` selects with the records from before the change, then plain `--testmon` says what it
would run. A test
that fails in the full run and is not selected is a miss. Instead of a name, the path of a project
may be given, whose tests this Python can run. Results are kept a line a change, so that a later
call goes on where an earlier one stopped. The exit code is 1 if there was a miss.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from mutations import Mutation, Project, choose
from replay_suite import ROOT, TIMED_OUT, Result, Snapshot, Source, Suite, prepare

#: testmon cannot run without pytest's cache, and selects nothing where addopts has -m.
TESTMON = ("--testmon", "--testmon-forceselect")
IMPACT = ("--impact", "-p", "no:cacheprovider")
FULL = ("-p", "no:cacheprovider")
INTERNAL_ERROR = 3
NO_TESTS = 5
HANGS = "hangs"


@dataclass(frozen=True)
class Outcome:
    """What one change showed; shares are of the seconds that all tests take."""

    index: int
    kind: str
    what: str
    failing: int
    missed: list[str]
    testmon_missed: int
    impact_share: float
    testmon_share: float
    full_seconds: float
    impact_seconds: float
    note: str = ""


@dataclass(frozen=True)
class Baseline:
    """A recorded suite: how long each test takes, and where the records are kept."""

    suite: Suite
    durations: dict[str, float]
    limit_seconds: float
    #: How testmon is run; longer where it needs Paceline's guard not to crash.
    testmon: tuple[str, ...]

    @property
    def saved(self) -> Path:
        """The folder that the records are kept in."""
        return self.suite.root.parent / "saved"

    def share(self, result: Result) -> float:
        """Return the share of all tests' time that `result`'s tests take."""
        chosen = sum(self.durations.get(test, 0.0) for test in result.ran)
        return chosen / sum(self.durations.values())


def record(suite: Suite) -> Baseline:
    """Run all tests plainly, with --impact and with --testmon; keep both records."""
    saved = suite.root.parent / "saved"
    suite.run(FULL, 600)  # fills the caches, so that the next one is fair
    full = suite.run(FULL, 600)
    if not full.ran:
        sys.exit(f"{suite.name}: no test ran\n{full.output}")
    impact = suite.run(IMPACT, 1200)
    _check_recording(suite, "--impact", full, impact)
    suite.save(saved / "impact")
    suite.restore(saved / "none")
    testmon: tuple[str, ...] = TESTMON
    done = suite.run(testmon, 1200)
    if done.exit_code == INTERNAL_ERROR:
        testmon = (*TESTMON, "--paceline-group=replay")
        suite.restore(saved / "none")
        done = suite.run(testmon, 1200)
    _check_recording(suite, " ".join(testmon), full, done)
    suite.save(saved / "testmon")
    print(
        f"{suite.name}: {len(full.ran)} tests, {len(full.failed)} failing; seconds of CPU: "
        f"full {full.cpu_seconds:.1f}, --impact {impact.cpu_seconds:.1f}, "
        f"--testmon {done.cpu_seconds:.1f}",
        flush=True,
    )
    return Baseline(suite, dict(full.ran), 60 + 6 * full.wall_seconds, testmon)


def _check_recording(suite: Suite, option: str, full: Result, recorded: Result) -> None:
    if set(recorded.ran) != set(full.ran) or recorded.failed - full.failed:
        sys.exit(
            f"{suite.name}: with {option} {len(recorded.ran)} tests ran of {len(full.ran)}, "
            f"{len(recorded.failed)} failed of {len(full.failed)}\n{recorded.output[-4000:]}"
        )


def replay(baseline: Baseline, index: int, mutation: Mutation) -> Outcome:
    """Make one change, run all tests, let both options select, and take the change back."""
    suite, saved = baseline.suite, baseline.saved
    before = Snapshot(suite.root)
    undo = mutation.apply(suite.root)
    # The tests of a broken project may write anywhere in it.
    changed = Snapshot(suite.root)
    try:
        full = suite.run(FULL, baseline.limit_seconds)
        if full.exit_code == TIMED_OUT:
            return Outcome(index, mutation.kind, mutation.what, 0, [], 0, 0, 0, 0, 0, HANGS)
        limit = 2 * baseline.limit_seconds
        changed.restore()
        suite.restore(saved / "impact")
        impact = suite.run(IMPACT, limit)
        changed.restore()
        suite.restore(saved / "testmon")
        testmon = suite.select(baseline.testmon, limit)
    finally:
        undo()
        before.restore()
    return Outcome(
        index,
        mutation.kind,
        mutation.what,
        len(full.failed) + len(full.broken),
        missed(baseline, full, impact),
        len(missed(baseline, full, testmon, collected_only=True)),
        baseline.share(impact),
        baseline.share(testmon),
        full.wall_seconds,
        impact.wall_seconds,
        note(impact),
    )


def note(impact: Result) -> str:
    """Return what else went wrong with --impact, in a few words."""
    if impact.exit_code == TIMED_OUT:
        return "--impact hangs"
    return "--impact: internal error" if impact.exit_code == INTERNAL_ERROR else ""


def missed(
    baseline: Baseline, full: Result, chosen: Result, *, collected_only: bool = False
) -> list[str]:
    """Return what failed in the full run and was not run, collection errors included."""
    if chosen.exit_code == TIMED_OUT:
        return []  # it runs, and does not come to an end: slow, not green
    seen = set(chosen.ran) | chosen.broken
    lost = {test for test in full.failed if test not in seen}
    for file in full.broken - chosen.broken:
        # It cannot be collected: all its tests fail, and not even the file was looked at.
        known = {test for test in baseline.durations if test.partition("::")[0] == file}
        lost |= known - seen or {file}
    # Where the tests are only collected, the exit code tells nothing of them.
    ended_well = chosen.exit_code == 0 and not collected_only
    if full.exit_code not in (0, NO_TESTS) and ended_well and not lost:
        lost.add(f"(the full run ended with {full.exit_code}, the selected one with 0)")
    return sorted(lost)


def summary(name: str, seed: int, outcomes: list[Outcome], misses: int) -> str:
    """Return the figures of a suite's replay as Markdown."""
    counted = [outcome for outcome in outcomes if outcome.note != HANGS]
    right = [o for o in counted if not o.testmon_missed]
    #: Of the others `right` says little: where nothing fails, to run nothing is right by luck.
    kinds = {
        "": counted,
        " where testmon is right": right,
        " where tests fail and testmon finds all": [o for o in right if o.failing],
        " of changed function bodies where testmon is right": [
            o for o in right if o.kind == "body"
        ],
    }

    def median(values: Iterable[float]) -> str:
        found = list(values)
        return f"{statistics.median(found):.4f}" if found else "-"

    hanging = len(outcomes) - len(counted)
    rows = {
        "changes replayed": f"{len(counted)} (and {hanging} that hang)",
        "changes that break a test": sum(bool(o.failing) for o in counted),
        "changes with a miss, --impact": misses,
        "changes with a miss, plain --testmon": len(counted) - len(right),
    }
    for where, some in kinds.items():
        both = [o.impact_share / o.testmon_share for o in some if o.testmon_share]
        rows |= {
            f"share selected{where} ({len(some)}), --impact": median(o.impact_share for o in some),
            f"share selected{where}, --testmon": median(o.testmon_share for o in some),
            f"ratio of the two, change by change{where}": median(both),
        }
    rows |= {
        "wall seconds, full run": median(o.full_seconds for o in counted),
        "wall seconds, --impact": median(o.impact_seconds for o in counted),
    }
    title = "| figure (shares and seconds: median) | value |"
    head = [f"### {name}, seed {seed}", "", title, "|---|---|"]
    return "\n".join([*head, *(f"| {text} | {value} |" for text, value in rows.items())])


def arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("suites", nargs="+", help="jinja2, click, attrs, or a project's path")
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="copies of the suite side by side")
    parser.add_argument("--fresh", action="store_true", help="forget the results of earlier calls")
    parser.add_argument("--folder", type=Path, default=ROOT / ".paceline" / "replay")
    return parser.parse_args()


def main() -> int:
    """Replay every suite; return 1 if anything was missed."""
    args = arguments()
    failures = [name for name in args.suites if not replay_suite(name, args)]
    return int(bool(failures))


def replay_suite(name: str, args: argparse.Namespace) -> bool:
    """Replay one suite, going on where an earlier call stopped; return whether all was found."""
    folder = args.folder.resolve() / Path(name).name
    folder.mkdir(parents=True, exist_ok=True)
    results = folder / f"results-{args.seed}.jsonl"
    if args.fresh:
        results.unlink(missing_ok=True)
    done = load(results)
    todo = [index for index in range(args.changes) if index not in done]
    if todo:
        source = prepare(name, folder)
        with ProcessPoolExecutor(args.jobs) as pool:
            parts = [todo[job :: args.jobs] for job in range(args.jobs)]
            jobs = [
                pool.submit(work, source, folder / f"copy-{job}", part, args.seed, results)
                for job, part in enumerate(parts)
                if part
            ]
            for job in jobs:
                job.result()
    outcomes = [found for index, found in sorted(load(results).items()) if index < args.changes]
    bad = [found for found in outcomes if found.missed or found.note not in ("", HANGS)]
    print(summary(name, args.seed, outcomes, len(bad)))
    return not bad


def work(source: Source, folder: Path, indices: list[int], seed: int, results: Path) -> None:
    """Record a copy of the suite, and replay the changes `indices` in it, a line each."""
    baseline = record(source.copy(folder))
    project = Project(source.tree)
    for index in indices:
        mutation = choose(project, seed, index)
        outcome = replay(baseline, index, mutation)
        with results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(outcome)) + "\n")
        print(
            f"{source.name} {index}: {outcome.kind} {outcome.what}: {outcome.failing} failing, "
            f"{outcome.impact_share:.0%} selected (testmon {outcome.testmon_share:.0%}), "
            f"{len(outcome.missed)} missed (testmon {outcome.testmon_missed}) {outcome.note}",
            flush=True,
        )
        if outcome.missed:
            lines = ["MISSED", *outcome.missed[:10], mutation.diff(source.tree)]
            print("\n".join(lines), flush=True)


def load(results: Path) -> dict[int, Outcome]:
    """Return the outcomes of earlier calls by the number of their change."""
    lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    return {found.index: found for found in (Outcome(**json.loads(line)) for line in lines)}


if __name__ == "__main__":
    sys.exit(main())
