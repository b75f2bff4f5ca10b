"""Measure what recording costs on a real suite: CPU seconds, the four kinds of run in turn.

`python scripts/benchmark_recording.py [SUITE] [--rounds N]` runs all tests with plain `--testmon`,
with `--impact`, with pytest-cov's branch coverage, and with both, from an empty store each time,
and with the report that pytest-cov prints at the end.
It prints the median CPU seconds, the two ratios with their limits and the size of the store, and
exits with 1 if a limit is passed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections import defaultdict
from pathlib import Path

from replay_suite import ROOT, Suite, prepare

#: testmon needs Paceline's guard where a source file has no extension.
TESTMON = ("--testmon", "--testmon-noselect", "--paceline-group=cost")
COVERAGE = ("--cov", "--cov-branch")
RUNS = {
    "--testmon": TESTMON,
    "--impact": ("--impact",),
    "--cov --cov-branch": COVERAGE,
    "--impact --cov --cov-branch": ("--impact", *COVERAGE),
}
#: What may cost how many times as much as what.
LIMITS = (
    ("--impact", "--testmon", 1.15),
    ("--impact --cov --cov-branch", "--cov --cov-branch", 1.3),
)
LIMIT_SECONDS = 1200


def measure(suite: Suite, rounds: int) -> dict[str, list[float]]:
    """Return the CPU seconds of each kind of run, a round after the other."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    suite.run((), LIMIT_SECONDS)  # fills the caches, so that the first is no slower
    for _ in range(rounds):
        for name, options in RUNS.items():
            suite.restore(suite.root.parent / "none")
            done = suite.run(options, LIMIT_SECONDS)
            if done.exit_code:
                sys.exit(f"{name} ended with {done.exit_code}\n{done.output[-2000:]}")
            found[name].append(done.cpu_seconds)
    return found


def main() -> int:
    """Measure, print, and say whether the limits hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("suite", nargs="?", default="jinja2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=ROOT / ".paceline" / "replay")
    args = parser.parse_args()
    folder = args.folder.resolve() / Path(args.suite).name
    folder.mkdir(parents=True, exist_ok=True)
    suite = prepare(args.suite, folder).copy(folder / "cost")
    found = measure(suite, args.rounds)
    medians = {name: statistics.median(seconds) for name, seconds in found.items()}
    for name, seconds in found.items():
        spread = f"{min(seconds):.1f} to {max(seconds):.1f}"
        print(f"{name:28} {medians[name]:6.1f} s CPU, median of {len(seconds)} ({spread})")
    over = False
    for name, base, limit in LIMITS:
        ratio = medians[name] / medians[base]
        over |= ratio > limit
        print(f"{name} costs {ratio:.2f} times {base} (limit {limit})")
    size = (suite.root / ".paceline" / "impact" / "records.db").stat().st_size
    print(f"store with coverage: {size / 1e6:.1f} MB")
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
