"""From coverage data, wherever it is from, to verdicts: figures, changed lines, gates."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from paceline.config.model import Config
from paceline.coverage import baseline, settings
from paceline.coverage.changes import Changes, since_base, statements
from paceline.coverage.figures import FileFigures, Total, total
from paceline.coverage.gates import Changed, Limits, State, Unknown, Verdict, judge, worst
from paceline.coverage.measure import Measured
from paceline.errors import CheckFailed, IncompleteEvidence

_HISTORY = "the job needs the whole history (fetch-depth: 0), or set ci.branch to the base branch"


@dataclass(frozen=True)
class Checked:
    """Everything the reports show."""

    total: Total
    files: Mapping[str, FileFigures]
    changed: Changed | Unknown
    #: What the changes were taken against, in words.
    against: str
    verdicts: tuple[Verdict, ...]
    left_out: tuple[str, ...] = ()


def check(config: Config, measured: Measured) -> Checked:
    """Return the verdicts of the project's gates on `measured`, and what led to them."""
    changes = since_base(config.root, config.ci.branch, os.environ)
    changed = _changed(config.root, measured.files, changes)
    verdicts = judge(
        measured.files,
        limits(config, measured),
        changed,
        baseline.recorded(config.root, changes),
    )
    return Checked(
        total(measured.files.values()),
        measured.files,
        changed,
        changes.reason,
        tuple(verdicts),
        measured.left_out,
    )


def limits(config: Config, measured: Measured) -> Limits:
    """Return what is demanded: Paceline's own setting, else addopts', else coverage's."""
    own = config.fail_under or settings.fail_under_of_pytest(config.root)
    return Limits(
        total=measured.fail_under if own is None else own,
        paths=config.fail_under_paths,
        changed=config.diff_fail_under,
        drop=config.max_drop,
        precision=measured.precision,
    )


def _changed(root: Path, files: Mapping[str, FileFigures], changes: Changes) -> Changed | Unknown:
    if changes.files is None:
        return Unknown(changes.reason, _HISTORY)
    found: dict[str, FileFigures] = {}
    for name in sorted(changes.files.keys() & files.keys()):
        lines = changes.files[name]
        try:
            first = statements(_text(root / name)) if name.endswith(".py") else {}
        except (OSError, ValueError) as error:
            return Unknown(f"{name}: {error}")
        found[name] = files[name].on_lines({first.get(line, line) for line in lines})
    return found


def _text(path: Path) -> str:
    # Python's own rule: the coding line, else UTF-8.
    import tokenize

    with tokenize.open(path) as file:
        return file.read()


def demand(verdicts: tuple[Verdict, ...]) -> None:
    """Raise CheckFailed if a gate failed, IncompleteEvidence if one could not be computed."""
    bad = [verdict for verdict in verdicts if verdict.state is not State.PASSED]
    texts = [
        line
        for verdict in bad
        for line in (
            f"coverage of {verdict.gate}: {verdict.state.value}: {verdict.text}",
            *(f"  {detail}" for detail in verdict.details),
        )
    ]
    if worst(bad) is State.FAILED:
        raise CheckFailed("\n       ".join(texts), "cover these lines, or change the limit")
    if bad:
        raise IncompleteEvidence(texts, "a gate that could not be computed is not passed")
