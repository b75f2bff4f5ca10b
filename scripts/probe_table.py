"""Run the public table of probes against `pytest --impact` and plain `pytest --testmon`.

`python scripts/probe_table.py` prints the table as Markdown and exits with 1 if a probe shows
anything but "ok" with `--impact`. It must be run by a Python that has Paceline and what its own
tests need. `--write docs/probes.md` writes the table there, `--show` prints what pytest said in
each probe that is not ok.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROBES = ROOT / "tests" / "integration" / "probes"
sys.path.insert(0, str(PROBES))

from probe_model import Probe, load  # noqa: E402 - found through the line above
from probe_run import Outcome, measure, missing_needs  # noqa: E402

PACKAGES = ("pytest", "pytest-testmon", "coverage", "pytest-xdist", "pytest-cov")
WORDS = {
    "ok": "ok",
    "missed": "**missed**",
    "needless": "ran needlessly",
    "crash": "**crashed**",
    "wrong": "**the probe is wrong**",
}


def arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--options", nargs="*", default=["--impact", "--testmon"])
    parser.add_argument("--only", nargs="*", default=[], help="ids or kinds of probes")
    parser.add_argument("--jobs", type=int, default=2, help="probes run side by side")
    parser.add_argument("--write", type=Path, help="the Markdown file to write")
    parser.add_argument("--show", action="store_true", help="print pytest's words where not ok")
    # argparse takes "--impact" for an option of its own: `--options=--impact` is one word.
    parser.add_argument("--option", action="append", default=[], help="only this one of pytest's")
    return parser.parse_args()


def run(probe: Probe, option: str, verify: bool) -> Outcome:
    """Run one probe; a wrong one is an outcome as well."""
    with tempfile.TemporaryDirectory(prefix="probe-") as folder:
        try:
            return measure(probe, option, Path(folder).resolve(), verify=verify)
        except AssertionError as error:
            return Outcome(probe, (), (), (), "wrong", str(error))


def word(outcome: Outcome) -> str:
    """Return the outcome as the table shows it."""
    return WORDS["wrong" if outcome.broken == "wrong" else outcome.verdict]


def table(probes: list[Probe], results: dict[str, dict[str, str]]) -> str:
    """Return the Markdown table, a heading a kind."""
    options = list(results)
    head = " | ".join(f"`pytest {option}`" for option in options)
    lines = []
    kind = ""
    for probe in probes:
        if probe.kind != kind:
            kind = probe.kind
            lines += ["", f"## {kind}", "", f"| probe | what changes | {head} |"]
            lines += ["|---|---|" + "---|" * len(options)]
        cells = " | ".join(results[option].get(probe.id, "not run") for option in options)
        lines.append(f"| {probe.id} | {probe.what} | {cells} |")
    return "\n".join(lines)


def totals(results: dict[str, dict[str, str]]) -> str:
    """Return one line an option: how many probes ended how."""
    lines = []
    for option, words in results.items():
        counts = Counter(words.values())
        parts = ", ".join(f"{name} {count}" for name, count in counts.most_common())
        lines.append(f"- `pytest {option}`: {parts}")
    return "\n".join(lines)


def versions() -> str:
    """Return what was measured with, in a line."""
    packages = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return f"Python {platform.python_version()} on {platform.system()}, {packages}"


def main() -> int:
    """Run the probes, print the table, and say whether all is well."""
    args = arguments()
    wanted = [p for p in load() if not args.only or {p.id, p.kind} & set(args.only)]
    options = args.option or args.options
    probes = []
    for probe in wanted:
        lacks = missing_needs(probe)
        if lacks:
            print(f"not run: {probe.id}: {lacks} is not installed", file=sys.stderr)
        else:
            probes.append(probe)
    results: dict[str, dict[str, str]] = {option: {} for option in options}
    with ThreadPoolExecutor(args.jobs) as pool:
        jobs = [(o, p, pool.submit(run, p, o, o == options[0])) for p in probes for o in options]
        for option, probe, job in jobs:
            outcome = job.result()
            results[option][probe.id] = word(outcome)
            print(f"{probe.id} {option}: {outcome.verdict} {outcome.broken}", file=sys.stderr)
            if word(outcome) != "ok":
                report(outcome, args.show)
    measured = f"Measured with {versions()}."
    page = "\n\n".join([HEADING, measured, totals(results)]) + "\n" + table(probes, results)
    if args.write:
        args.write.write_text(page + "\n", encoding="utf-8")
    print(page)
    return int(any(word != "ok" for word in results[options[0]].values()))


def report(outcome: Outcome, show: bool) -> None:
    """Print what was missed or run needlessly, and pytest's words if wanted."""
    ran = f"  ran {outcome.ran}, missed {outcome.missed}, needless {outcome.needless}"
    print(f"{ran}\n{outcome.output}" if show else ran, file=sys.stderr)


HEADING = """# Probes: what a change of one thing selects

Each probe is a small project in which one thing changes. It is recorded, the change is made, a
copy is run whole without any option, and then the option selects. *missed*: a test that fails in
the whole run did not fail in the selected one. *ran needlessly*: a test ran that the change
cannot affect. *crashed*: pytest broke. The projects are in `tests/integration/probes/*.toml`;
this page is written by `python scripts/probe_table.py --write docs/probes.md`."""

if __name__ == "__main__":
    sys.exit(main())
