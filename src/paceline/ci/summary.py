"""What the shards did, as a Markdown summary and as annotations of GitHub's log."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from paceline.errors import IncompleteEvidence
from paceline.sharding import result
from paceline.sharding.result import ShardResult

#: Outcomes that make a shard fail.
BAD = frozenset({"failed", "error"})
#: More would push everything else off the page, and GitHub shows no more than ten a step.
SHOWN = 10


def read_shards(folder: Path) -> tuple[list[ShardResult], list[str]]:
    """Return every shard result below `folder`, and in words those that cannot be used."""
    found: list[ShardResult] = []
    problems: list[str] = []
    groups = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    for group in groups:
        for path in result.discover(group):
            try:
                found.append(result.read(path))
            except IncompleteEvidence:
                problems.append(f"{group.name} {path.name}: left no usable result")
    return found, problems


def markdown(shards: Sequence[ShardResult], problems: Sequence[str]) -> str:
    """Return the summary: a row a shard, then what failed, by name."""
    lines = ["### Tests", ""]
    if not shards:
        lines.append("No shard left a result.")
    else:
        lines += ["| group | shard | tests | failed | seconds |", "|---|---|--:|--:|--:|"]
        lines += [_row(shard) for shard in shards]
    failed = [test for shard in shards for test in _failed(shard)]
    if failed or problems:
        lines += ["", *(f"- {_code(text)}" for text in [*problems, *failed[:SHOWN]])]
    if len(failed) > SHOWN:
        lines.append(f"- and {len(failed) - SHOWN} more")
    return "\n".join(lines) + "\n"


def annotate(shards: Iterable[ShardResult]) -> list[str]:
    """Return a workflow command of GitHub for each of the first failed tests."""
    failed = [test for shard in shards for test in _failed(shard)][:SHOWN]
    return [
        f"::error file={_property(test.partition('::')[0])},title=test failed::{_data(test)}"
        for test in failed
    ]


def _failed(shard: ShardResult) -> Iterator[str]:
    return (test for test, outcome in sorted(shard.outcomes.items()) if outcome in BAD)


def _row(shard: ShardResult) -> str:
    group = f"{shard.group} {shard.folder.parent.name.removeprefix(shard.group).lstrip('-')}"
    failed = len(list(_failed(shard)))
    cells = (group.strip(), shard.name, len(shard.ran), failed, f"{_seconds(shard):.1f}")
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _seconds(shard: ShardResult) -> float:
    """Return the shard's summed test times, 0 where it left none."""
    try:
        times = json.loads((shard.folder / "durations.json").read_text(encoding="utf-8"))
        return float(sum(times.values()))
    except (OSError, ValueError, TypeError, AttributeError):
        return 0.0


def _code(text: str) -> str:
    """Return `text` as Markdown code that nothing inside it can end."""
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    fence = "`"
    while fence in shown:
        fence += "`"
    return f"{fence} {shown} {fence}" if "`" in shown else f"`{shown}`"


def _data(text: str) -> str:
    """Escape the message of a workflow command (GitHub's toolkit, `escapeData`)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escape a property of a workflow command (GitHub's toolkit, `escapeProperty`)."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
