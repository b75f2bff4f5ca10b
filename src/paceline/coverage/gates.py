"""The gates: limits on coverage, judged on figures. What cannot be computed is not passed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from paceline.config.schema import did_you_mean
from paceline.coverage.figures import FileFigures, Total, named, shown, total

#: How many files a verdict names before it only counts.
SHOWN = 10


class State(Enum):
    """What came of a gate."""

    PASSED = "passed"
    FAILED = "failed"
    #: It could not be computed, which is not a pass.
    UNKNOWN = "not known"


@dataclass(frozen=True)
class Verdict:
    """What came of one gate: a sentence, and the files and lines that speak for it."""

    gate: str
    state: State
    text: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limits:
    """What is demanded, in percent."""

    #: Of everything; 0 demands nothing.
    total: float = 0.0
    #: Of a file, a folder or a package.
    paths: tuple[tuple[str, float], ...] = ()
    #: Of the changed lines; 0 demands nothing.
    changed: float = 0.0
    #: By how many points the total may be below the recorded one; 100 allows any drop.
    drop: float = 100.0
    #: Digits after the point to which coverage rounds before it compares.
    precision: int = 0


@dataclass(frozen=True)
class Unknown:
    """Something a gate needs and that could not be had: the reason, and what to do about it."""

    reason: str
    hint: str = ""


#: The changed part of each measured file that changed.
Changed = Mapping[str, FileFigures]


def judge(
    files: Mapping[str, FileFigures],
    limits: Limits,
    changed: Changed | Unknown,
    recorded: Total | Unknown,
) -> list[Verdict]:
    """Return the verdict of each gate that is set."""
    verdicts: list[Verdict] = []
    if limits.total:
        verdicts.append(_under("total", files.values(), limits.total, limits.precision))
    verdicts += [_path(files, path, limit, limits.precision) for path, limit in limits.paths]
    if limits.changed:
        verdicts.append(_changed(changed, limits))
    if limits.drop < 100.0:
        verdicts.append(_drop(total(files.values()), recorded, limits.drop))
    return verdicts


def _under(gate: str, files: Iterable[FileFigures], limit: float, precision: int) -> Verdict:
    listed = list(files)
    percent = total(listed).percent
    if fails(percent, limit, precision):
        text = f"{shown(percent)}, fail_under is {limit:g}"
        return Verdict(gate, State.FAILED, text, not_covered(listed))
    rounded = f" (coverage's precision is {precision})" if percent < limit else ""
    return Verdict(gate, State.PASSED, f"{shown(percent)}, fail_under is {limit:g}{rounded}")


def fails(percent: float, limit: float, precision: int) -> bool:
    """Return whether coverage itself would say that `percent` is under `limit`."""
    # Imported here: listing the sessions must not pay for coverage.
    from coverage.results import should_fail_under

    return bool(should_fail_under(percent, limit, precision))


def _path(files: Mapping[str, FileFigures], path: str, limit: float, precision: int) -> Verdict:
    chosen = [file for name, file in files.items() if belongs(name, path)]
    if chosen:
        return _under(path, chosen, limit, precision)
    folders = {name.rpartition("/")[0] for name in files}
    likely = did_you_mean(path, folders | set(files))
    hint = f'; did you mean "{likely}"?' if likely else ""
    return Verdict(path, State.UNKNOWN, f"no measured file belongs to it{hint}")


def belongs(name: str, path: str) -> bool:
    """Return whether the file `name` is `path`, is below it, or is in the package `path`."""
    folder = path.rstrip("/")
    if name == folder or name.startswith(f"{folder}/"):
        return True
    if "/" in path:
        return False
    module = path.replace(".", "/")
    inside = name.removeprefix("src/")
    return inside == f"{module}.py" or inside.startswith(f"{module}/")


def _changed(changed: Changed | Unknown, limits: Limits) -> Verdict:
    gate = "changed lines"
    if isinstance(changed, Unknown):
        return Verdict(gate, State.UNKNOWN, changed.reason, _hints(changed))
    whole = total(changed.values())
    if whole.empty:
        return Verdict(gate, State.PASSED, "no changed line to cover")
    limit = limits.changed
    text = f"{shown(whole.percent)}, diff_fail_under is {limit:g}"
    if fails(whole.percent, limit, limits.precision):
        return Verdict(gate, State.FAILED, text, not_covered(changed.values()))
    return Verdict(gate, State.PASSED, text)


def _drop(now: Total, recorded: Total | Unknown, allowed: float) -> Verdict:
    if isinstance(recorded, Unknown):
        return Verdict("drop", State.UNKNOWN, recorded.reason, _hints(recorded))
    drop = recorded.percent - now.percent
    text = f"{shown(now.percent)}, recorded at the base {shown(recorded.percent)}"
    # Binary fractions: a drop of exactly what is allowed is allowed.
    if drop > allowed + 1e-9:
        return Verdict("drop", State.FAILED, f"{text}, max_drop is {allowed:g}")
    return Verdict("drop", State.PASSED, text)


def _hints(unknown: Unknown) -> tuple[str, ...]:
    return (unknown.hint,) if unknown.hint else ()


def not_covered(files: Iterable[FileFigures]) -> tuple[str, ...]:
    """Return what is not covered, a text a file, those that lack most first."""
    lacking = sorted(
        (file for file in files if file.missing or file.not_taken),
        key=lambda file: (-len(file.missing) - len(file.not_taken), file.path),
    )
    more = len(lacking) - SHOWN
    texts = tuple(f"{file.path}: {named(file)}" for file in lacking[:SHOWN])
    return (*texts, f"and {more} more files") if more > 0 else texts


def worst(verdicts: Sequence[Verdict]) -> State:
    """Return the state of all gates together."""
    states = {verdict.state for verdict in verdicts}
    for state in (State.FAILED, State.UNKNOWN):
        if state in states:
            return state
    return State.PASSED
