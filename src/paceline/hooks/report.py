"""What the audit and the consolidation say: tables for people, plain data for programs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from paceline.config.document import FILE
from paceline.console import Line, Row, layout
from paceline.hooks.audit import Audit, HookAudit
from paceline.hooks.consolidate import Consolidation, Note
from paceline.hooks.steps import Moved

#: The layout of the JSON; raised when a field changes its meaning or goes away.
VERSION = 1


def audit_lines(audit: Audit, start: float | None, limit: int | None) -> list[Line]:
    """Return the audit as lines of at most `limit` columns; `start` as `start_seconds` gave it."""
    stages = [Row((name, str(count))) for name, count in audit.stages]
    hooks = [Row(_cells(hook)) for hook in audit.hooks]
    lines = layout(("stage", "hooks"), stages, limit) if stages else [Line("no hooks")]
    if not audit.hooks:
        return [*lines, Line(""), Line(f"no hook runs at {audit.stage}")]
    header = (audit.stage, "files", "starts pytest on")
    lines += [Line(""), *layout(header, hooks, limit), Line(""), Line(totals(audit))]
    if audit.pytest_starts:
        lines.append(Line(waste(audit, start)))
    problems = [(hook.hook.id, text) for hook in audit.hooks for text in hook.problems]
    return [*lines, *(Line(f"{name}: {text}", "bold red") for name, text in problems)]


def totals(audit: Audit) -> str:
    """Return one line: how many hooks there are and what they start."""
    starting = sum(bool(hook.command.pytest) for hook in audit.hooks)
    return (
        f"{len(audit.hooks)} hooks at {audit.stage}: {starting} start pytest, "
        f"{audit.pytest_starts} times; Python is started {audit.interpreter_starts} times"
    )


def waste(audit: Audit, start: float | None) -> str:
    """Return one line: what the starts of pytest that are not needed cost."""
    more = audit.pytest_starts - audit.needed
    text = f"{audit.needed} starts of pytest may do, {more} fewer"
    if start is None:
        return f"{text}; what a start costs cannot be told: {shlex.join(audit.started_by)} fails"
    return (
        f"{text}: at least {more * start:.1f} s of a push in which all run "
        f"({start:.2f} s a start, by {shlex.join(audit.started_by)} --version)"
    )


def _cells(hook: HookAudit) -> tuple[str, str, str]:
    files = "-" if hook.files is None else str(hook.files)
    always = hook.hook.keys.get("always_run") is True
    starts = [
        " ".join([*call.arguments.command()] or ["(its configured paths)"])
        + (f" ({call.obstacle})" if call.obstacle else "")
        for call in hook.command.pytest
    ]
    if hook.command.unopened:
        starts.append(f"not looked into: what {hook.command.unopened} starts")
    if hook.hook.stages_unknown:
        starts.append(f"its stages may be set in {hook.hook.repo}, which is not read")
    return hook.hook.id, "always" if always else files, "; ".join(starts) or "-"


def audit_data(audit: Audit, start: float | None) -> dict[str, Any]:
    """Return the audit as plain data."""
    return {
        "version": VERSION,
        "stages": dict(audit.stages),
        "stage": audit.stage,
        "pytest_starts": audit.pytest_starts,
        "pytest_starts_needed": audit.needed,
        "interpreter_starts": audit.interpreter_starts,
        "start_seconds": start,
        "hooks": [_hook_data(hook) for hook in audit.hooks],
    }


def _hook_data(hook: HookAudit) -> dict[str, Any]:
    calls = [
        {
            "launcher": list(call.launcher),
            "environment": dict(call.environment),
            "options": list(call.arguments.options),
            "marker": call.arguments.marker,
            "keyword": call.arguments.keyword,
            "targets": list(call.arguments.targets),
            "obstacle": call.obstacle,
        }
        for call in hook.command.pytest
    ]
    return {
        "id": hook.hook.id,
        "repo": hook.hook.repo,
        "stages_unknown": hook.hook.stages_unknown,
        "pytest": calls,
        "interpreter_starts": hook.command.interpreters,
        "not_looked_into": hook.command.unopened,
        "files": hook.files,
        "problems": list(hook.problems),
    }


def consolidation_lines(found: Consolidation, limit: int | None) -> list[Line]:
    """Return what becomes of the hooks, with the proof, as lines of at most `limit` columns."""
    rows = [
        Row((group.id, str(len(group.tests)), ", ".join(member.id for member in group.members)))
        for group in found.merged
    ]
    lines = layout(("new hook", "tests", "instead of"), rows, limit) if rows else []
    lines += _notes("stays apart", "why", found.apart, "", limit)
    lines += _notes("broken already", "what is wrong", found.broken, "bold red", limit)
    return [*lines, Line(""), Line(summary(found))]


def _notes(
    title: str, second: str, notes: Sequence[Note], style: str, limit: int | None
) -> list[Line]:
    rows = [Row((note.id, note.text), style) for note in notes]
    return [Line(""), *layout((title, second), rows, limit)] if rows else []


def summary(found: Consolidation) -> str:
    """Return the result and its proof in few words."""
    tests = sum(len(group.tests) for group in found.merged)
    patterns = sum(len(group.members) for group in found.merged)
    if not found.merged:
        return f"{found.hooks_before} hooks: none can be merged"
    return (
        f"{found.hooks_before} hooks become {found.hooks_after}; collected before and after: "
        f"the same {tests} tests; all {patterns} files patterns still start theirs"
    )


def moved_lines(moved: Moved, limit: int | None) -> list[Line]:
    """Return which hooks became steps and which did not, as lines of at most `limit` columns."""
    text = f"{len(moved.names)} hooks become steps of {FILE}: {', '.join(moved.names) or 'none'}"
    lines = _notes("stays a hook", "why", moved.stays, "", limit)
    lines += [Line(""), Line(text)]
    if moved.names:
        lines.append(Line("then set up the hook that is left: invoke hooks.install --manager ..."))
    return lines


def consolidation_data(found: Consolidation, moved: Moved | None = None) -> dict[str, Any]:
    """Return the consolidation, and what was moved into steps, as plain data."""
    steps = None
    if moved is not None:
        stays = [vars(note) for note in moved.stays]
        steps = {"moved": list(moved.names), "stays": stays, "diff": moved.diff()}
    return {
        "to_steps": steps,
        "version": VERSION,
        "hooks_before": found.hooks_before,
        "hooks_after": found.hooks_after,
        "merged": [
            {
                "id": group.id,
                "entry": group.keys["entry"],
                "tests": sorted(test for _, _, test in group.tests),
                "members": [vars(member) for member in group.members],
            }
            for group in found.merged
        ],
        "apart": [vars(note) for note in found.apart],
        "broken": [vars(note) for note in found.broken],
        "diff": found.diff(),
    }
