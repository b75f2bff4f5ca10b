"""How long does it take to carry the coverage of many tests over a one-line change?

`python scripts/benchmark_ledger.py` makes records and a ledger of tests of three sizes (1,000,
3,000 and 10,000), changes one line, and times what a run adds for it: reading the ledger, finding
what can be carried, moving it to the present lines, and writing coverage's data file. Each test
runs code in 12 of 40 files, in 4 of them in its own way, in 8 as the tests beside it; the suites of
jinja2 and click have 7 to 12 files a test, and 1 to 4 ways. The median of five is shown, and the
size stored.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from coverage import Coverage

from paceline.coverage.carrying import Carrier, add_to
from paceline.coverage.ledger import Arc, Settings, Writer
from paceline.impact import inputs, rows, source
from paceline.impact.database import Store
from paceline.impact.recorder import Kind
from paceline.impact.records import SegmentRecord, SourceRecord

FILES, FUNCTIONS = 40, 40
TESTS_A_FILE = 50
SETTINGS = Settings.of("benchmark", "all")
ENVIRONMENT = "benchmark"
ARCS = ((2, 3), (3, 4), (3, 5), (4, 5), (5, 6), (6, 7), (6, 8), (7, 8))


def text(place: int) -> str:
    """Return a file of functions of eight lines each."""
    functions = (
        f"def function_{place}_{number}(value):\n"
        "    total = 0\n"
        "    if value > 3:\n"
        "        total += 1\n"
        "    total += value\n"
        "    if total:\n"
        "        total -= 1\n"
        "    return total\n"
        for number in range(FUNCTIONS)
    )
    return "\n".join(functions)


def ways(chance: random.Random) -> set[Arc]:
    """Return the arcs of some of the functions of a file, run in some way."""
    ran: set[Arc] = set()
    for function in chance.sample(range(FUNCTIONS), 12):
        start = function * 9
        ran.update((start + a, start + b) for a, b in chance.sample(ARCS, 6))
        ran |= {(-start - 1, start + 2), (start + 8, -start - 1)}
    return ran


def blocks_of(ran: set[Arc]) -> int:
    """Return the bits of the functions that were run."""
    functions = {abs(line) // 9 for arc in ran for line in arc}
    return sum(2 << function for function in functions if function < FUNCTIONS)


def make(root: Path, tests: int) -> Store:
    """Write the files, and a store that knows `tests` tests of them."""
    chance = random.Random(1)
    store = Store(root / "records.db")
    with store.open() as connection:
        environment = rows.environment_number(connection, ENVIRONMENT, "", here=True)
        writer = Writer(connection, SETTINGS)
        numbers = []
        for place in range(FILES):
            content = text(place).encode()
            (root / f"code_{place}.py").write_bytes(content)
            record = SourceRecord(f"code_{place}.py", inputs.digest(content), source.parse(content))
            numbers.append(rows.source_number(connection, record))
            writer.add_source(numbers[-1], "", content)
        for test in range(1, tests + 1):
            if test % TESTS_A_FILE == 1:
                files = chance.sample(numbers, 12)
                shared = {file: ways(chance) for file in files[:8]}
            code = {**shared, **{file: ways(chance) for file in files[8:]}}
            blocks = {file: blocks_of(ran) for file, ran in code.items()}
            name = f"tests/test_{test // TESTS_A_FILE}.py::test_{test}"
            segment = SegmentRecord(
                Kind.TEST, name, blocks, (), (), (), frozenset(), frozenset(), ()
            )
            rows.insert_segment(connection, environment, segment, test)
            connection.execute(
                "INSERT INTO test VALUES (?, ?, 'passed', 0.01, ?)", (environment, name, test)
            )
            writer.add(test, {source: frozenset(arcs) for source, arcs in code.items()})
        writer.close()
    return store


def carry(root: Path, store: Store) -> float:
    """Carry all tests but those that the change affects; return the seconds it took.

    Reading the records themselves is left out: every run with `--impact` does that.
    """
    known = store.load(ENVIRONMENT)
    started = time.perf_counter()
    carrier = Carrier(known, store.load_ledger(ENVIRONMENT), SETTINGS, root)
    obstacles = carrier.obstacles(known.tests)
    carried = carrier.carried(known.tests.keys() - obstacles.keys())
    with tempfile.TemporaryDirectory() as folder:
        measured = Coverage(data_file=str(Path(folder) / ".coverage"), branch=True)
        measured.load()
        add_to(measured, carried, Path(folder), root)
    seconds = time.perf_counter() - started
    if not obstacles or len(obstacles) > len(known.tests) // 2:
        sys.exit(f"{len(obstacles)} of {len(known.tests)} tests could not be carried")
    return seconds


def main() -> int:
    """Show the seconds at each size; return 1 if the largest takes a second or more."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 3_000, 10_000])
    seconds = 0.0
    for tests in parser.parse_args().sizes:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            store = make(root, tests)
            changed = root / "code_0.py"
            before = changed.read_text(encoding="utf-8")
            changed.write_text(f"\n{before}".replace("total += 1", "total += 2", 1), "utf-8")
            taken = [carry(root, store) for _ in range(5)]
            seconds = statistics.median(taken)
            size = store.path.stat().st_size / 1e6
            print(
                f"{tests} tests: {seconds:.2f} s (from {min(taken):.2f} to {max(taken):.2f}), "
                f"{size:.1f} MB stored with the records",
                flush=True,
            )
    return 1 if seconds >= 1 else 0


if __name__ == "__main__":
    sys.exit(main())
