"""What people look at: the terminal's tables, the Markdown summary, GitHub's annotations."""

from __future__ import annotations

from collections.abc import Iterator

from paceline.console import Line, Row, layout
from paceline.coverage.check import Checked
from paceline.coverage.figures import FileFigures, Total, named, partial, ranges, shown, total
from paceline.coverage.gates import State, Unknown, not_covered

#: GitHub shows ten annotations of a step; the last place says how many there are more.
ANNOTATIONS = 10
#: Rows of a table in the summary, which GitHub limits in size.
ROWS = 50
_STYLES = {State.PASSED: "green", State.FAILED: "bold red", State.UNKNOWN: "yellow"}
_MARKS = {State.PASSED: "✅", State.FAILED: "❌", State.UNKNOWN: "❓"}


def terminal(checked: Checked, limit: int | None) -> list[Line]:
    """Return the lines for a terminal of `limit` columns (None: any)."""
    lines = [Line(f"{name}: traced, but not Python: left out") for name in checked.left_out]
    lines += _changed_table(checked, limit)
    lines.append(Line(total_line(checked.total), "bold"))
    if checked.verdicts:
        rows = [
            Row((verdict.gate, verdict.state.value, verdict.text), _STYLES[verdict.state])
            for verdict in checked.verdicts
        ]
        lines += [Line(""), *layout(("coverage of", "verdict", "found"), rows, limit)]
    return lines


def total_line(figure: Total) -> str:
    """Return the line that CI reads the total from, such as by GitLab's `coverage:`."""
    parts = f"{figure.covered_lines} of {figure.lines} lines"
    if figure.branches:
        parts += f", {figure.covered_branches} of {figure.branches} branches"
    return f"TOTAL  {parts}  {shown(figure.percent).replace(' %', '%')}"


def _changed_table(checked: Checked, limit: int | None) -> list[Line]:
    if isinstance(checked.changed, Unknown):
        # Without a base everything may matter: then the files that lack most.
        texts = not_covered(checked.files.values())
        head = f"changed lines are not known: {checked.changed.reason}"
        return [Line(head, "yellow"), *(Line(f"not covered: {text}") for text in texts)]
    touched = _touched(checked)
    if not touched:
        return [Line(f"no measured line changed {checked.against}")]
    rows = [Row(_cells(checked, file), "" if _covered(file) else "red") for file in touched[:ROWS]]
    header = (f"changed {checked.against}", "lines", "covered", "whole file", "not covered")
    more = len(touched) - ROWS
    rest = [Line(f"and {more} more files")] if more > 0 else []
    return [*layout(header, rows, limit), *rest, Line("")]


def _touched(checked: Checked) -> list[FileFigures]:
    """Return the changed parts that hold something to cover, those that lack first."""
    if isinstance(checked.changed, Unknown):
        return []
    parts = [part for part in checked.changed.values() if not total([part]).empty]
    return sorted(parts, key=lambda part: (_covered(part), part.path))


def _covered(part: FileFigures) -> bool:
    return not (part.missing or part.not_taken)


def _cells(checked: Checked, part: FileFigures) -> tuple[str, ...]:
    lines = str(len(part.executed) + len(part.missing))
    whole = shown(total([checked.files[part.path]]).percent)
    return part.path, lines, shown(total([part]).percent), whole, named(part)


def markdown(checked: Checked) -> str:
    """Return the summary for a pull request, in GitHub's and GitLab's Markdown."""
    figure = checked.total
    parts = [
        f"## Coverage {shown(figure.percent)}",
        "",
        f"{figure.covered_lines} of {figure.lines} lines, "
        f"{figure.covered_branches} of {figure.branches} branches.",
        "",
    ]
    if checked.verdicts:
        parts += ["| gate | verdict | found |", "|---|---|---|"]
        parts += [
            f"| {_cell(verdict.gate)} | {_MARKS[verdict.state]} {verdict.state.value} "
            f"| {_cell(verdict.text)} |"
            for verdict in checked.verdicts
        ]
        parts.append("")
    return "\n".join([*parts, *_markdown_changes(checked)]) + "\n"


def _markdown_changes(checked: Checked) -> Iterator[str]:
    if isinstance(checked.changed, Unknown):
        yield f"Changed lines are not known: {checked.changed.reason}."
        return
    touched = _touched(checked)
    if not touched:
        yield f"No measured line changed {checked.against}."
        return
    yield f"Changed {checked.against}:"
    yield ""
    yield "| file | changed lines | covered | whole file | not covered |"
    yield "|---|--:|--:|--:|---|"
    for part in touched[:ROWS]:
        yield "| " + " | ".join(map(_cell, _cells(checked, part))) + " |"
    if len(touched) > ROWS:
        yield ""
        yield f"and {len(touched) - ROWS} more files."


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def github_annotations(checked: Checked, prefix: str = "") -> list[str]:
    """Return GitHub's workflow commands for the changed lines that are not covered.

    `prefix` leads from the repository to the project: empty, or a path that ends with a slash.
    """
    commands = [command for part in _touched(checked) for command in _commands(part, prefix)]
    more = len(commands) - ANNOTATIONS + 1
    if more <= 1:
        return commands
    rest = f"::warning title=Not covered::and {more} more places: see the job's summary"
    return [*commands[: ANNOTATIONS - 1], rest]


def _commands(part: FileFigures, prefix: str) -> Iterator[str]:
    path = f"{prefix}{part.path}"
    for first, last in ranges(part.missing, part.statements):
        text = f"line {first}" if first == last else f"lines {first} to {last}"
        yield _warning(path, first, last, f"no test runs {text}")
    for start, end in partial(part):
        target = f"line {end}" if end > 0 else "the exit"
        yield _warning(path, start, start, f"no test goes from line {start} to {target}")


def _warning(path: str, first: int, last: int, text: str) -> str:
    """Return one command; escaped as GitHub's own toolkit does (actions/toolkit, command.ts)."""
    place = _escaped(path).replace(":", "%3A").replace(",", "%2C")
    return f"::warning file={place},line={first},endLine={last},title=Not covered::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
