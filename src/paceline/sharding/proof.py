"""Proof that the shards of one group and Python together ran every test exactly once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from paceline.errors import IncompleteEvidence
from paceline.sharding.result import ShardResult

SHOWN = 10
"""How many tests a message names before it only counts."""


def prove(results: Sequence[ShardResult]) -> None:
    """Raise IncompleteEvidence with every problem that keeps `results` from being proof.

    Whether the tests passed is not asked here, only whether all of them ran, once, on
    the same code, by the same plan.
    """
    if not results:
        raise IncompleteEvidence(["no shard has a result"], "run the shards first")
    ordered = sorted(results, key=lambda result: (result.total, result.index))
    incomplete = _numbering(ordered)
    problems = [
        *incomplete,
        *_agreement(ordered),
        *_collections(ordered),
        *_partition(ordered, complete=not incomplete),
        *(problem for result in ordered for problem in _run(result)),
    ]
    if problems:
        raise IncompleteEvidence(problems, "run the shards named above again, on one commit")


def _numbering(results: Sequence[ShardResult]) -> list[str]:
    """Return what is wrong with the numbers of the shards: mixed, missing, double."""
    problems: list[str] = []
    totals: defaultdict[int, list[int]] = defaultdict(list)
    for result in results:
        totals[result.total].append(result.index)
    if len(totals) > 1:
        names = ", ".join(f"shard {result.name}" for result in results)
        problems.append(f"results of different shard counts are mixed: {names}")
    for total, indexes in totals.items():
        counts = Counter(indexes)
        problems.extend(
            f"shard {index}of{total} is missing: it has no result"
            for index in range(1, total + 1)
            if index not in counts
        )
        problems.extend(
            f"shard {index}of{total} has {count} results, expected one"
            for index, count in counts.items()
            if count > 1
        )
        problems.extend(
            f"shard {index}of{total} does not exist: shards are numbered 1 to {total}"
            for index in counts
            if not 1 <= index <= total
        )
    return problems


def _agreement(results: Sequence[ShardResult]) -> list[str]:
    """Return where shards were run with different groups, Pythons, plans or commits."""
    kinds: dict[str, Callable[[ShardResult], str]] = {
        "groups": lambda result: result.group,
        "Pythons": lambda result: result.python,
        "plans": lambda result: result.plan_digest,
        "commits": lambda result: result.commit or "no commit",
    }
    problems: list[str] = []
    for kind, value in kinds.items():
        shards: defaultdict[str, list[str]] = defaultdict(list)
        for result in results:
            shards[value(result)].append(result.name)
        if len(shards) > 1:
            parts = "; ".join(
                f"{found} in shard {', '.join(names)}" for found, names in shards.items()
            )
            problems.append(f"the shards have different {kind}: {parts}")
    return problems


def _collections(results: Sequence[ShardResult]) -> list[str]:
    """Return which shards did not collect what another one collected."""
    everything = {test for result in results for test in result.collected}
    return [
        f"shard {result.name} did not collect {_some(lacking)}, which another shard did"
        for result in results
        if (lacking := everything.difference(result.collected))
    ]


def _partition(results: Sequence[ShardResult], *, complete: bool) -> list[str]:
    """Return the tests that are in no shard or in several.

    With a shard missing, the first is a consequence and would only hide the cause.
    """
    shards: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for result in results:
        for test in result.selected:
            shards[test][result.name] = None
    problems: list[str] = []
    collected = {test for result in results for test in result.collected}
    if complete and (nowhere := collected - shards.keys()):
        names = ", ".join(result.name for result in results)
        problems.append(f"in no shard ({names}): {_some(nowhere)}")
    several: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for test, names_of in shards.items():
        if len(names_of) > 1:
            several[tuple(names_of)].append(test)
    problems.extend(
        f"in more than one shard ({', '.join(names)}): {_some(tests)}"
        for names, tests in several.items()
    )
    return problems


def _run(result: ShardResult) -> list[str]:
    """Return what one shard did not do, did twice or should not have done."""
    shard = f"shard {result.name}"
    selected = set(result.selected)
    ran = {test for test, times in result.ran.items() if times > 0}
    repeated = [test for test, times in result.ran.items() if times > 1]
    doubled = [test for test, times in Counter(result.selected).items() if times > 1]
    found = [
        (f"{shard} selected more than once", doubled),
        (f"{shard} selected without collecting", selected.difference(result.collected)),
        (f"{shard} did not run", selected - ran),
        (f"{shard} ran more than once", repeated),
        (f"{shard} ran without selecting", ran - selected),
    ]
    problems = [f"{text} {_some(tests)}" for text, tests in found if tests]
    if result.exit_code is None:
        problems.insert(0, f"{shard} did not finish: it has no exit code")
    return problems


def _some(tests: Iterable[str]) -> str:
    """Return the first tests by name and the number of the others."""
    ordered = sorted(tests)
    more = len(ordered) - SHOWN
    text = ", ".join(ordered[:SHOWN])
    return f"{text} and {more} more" if more > 0 else text
