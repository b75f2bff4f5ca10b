"""The tasks `ci.*`: files, drift, summary, parity and simulation of the pipeline."""

from __future__ import annotations

import dataclasses
import json as json_format
import os
import sys
from pathlib import Path

from paceline import console, store
from paceline.config.loading import load


def generate(root: Path) -> None:
    """Write the generated files that are missing or differ, and name them."""
    from paceline.ci import files

    for path in files.write(load(root)):
        console.out(f"wrote {path.as_posix()}")


def check(root: Path) -> int:
    """Return 1, with a diff on standard output, if the generated files drifted."""
    from paceline.ci import files

    drift = files.drift(load(root))
    if not drift:
        console.out("the pipeline files match the configuration")
        return 0
    console.out(drift)
    print("error: the pipeline files drifted; run `invoke ci.generate`", file=sys.stderr)
    return 1


def summary(root: Path) -> None:
    """Print what the shards did; on GitHub add it to the job's summary and annotate failures."""
    from paceline.ci import summary as text

    shards, problems = text.read_shards(root / ".paceline" / "shards")
    page = text.markdown(shards, problems)
    console.out(page)
    target = os.environ.get("GITHUB_STEP_SUMMARY")
    if target:
        store.append_text(Path(target), page)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in text.annotate(shards):
            console.out(line)


def parity(root: Path, json: bool) -> None:
    """Print who runs what where, and name the steps that only one side has."""
    from paceline.ci import files
    from paceline.ci.parity import compare

    config = load(root)
    lines = compare(config, files.kept_by_hand(config))
    if json:
        data = [{**dataclasses.asdict(line), "side": line.side} for line in lines]
        console.out(json_format.dumps(data, indent=1))
        return
    rows = [
        console.Row((line.name, line.local or "-", line.ci or "-", line.note)) for line in lines
    ]
    header = ("step", "local", "CI", "")
    console.out_lines(console.layout(header, rows, console.width()))
    for side, text in (("local", "only local"), ("ci", "only in CI"), ("none", "nowhere")):
        names = [line.name for line in lines if line.side == side]
        console.out(f"{text}: {', '.join(names) or 'nothing'}")
