"""Takes pytest's own arguments apart: targets, marker, keyword and the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


def words(text: str) -> frozenset[str]:
    """Return the words of `text`: a long set that is read more easily as lines."""
    return frozenset(text.split())


#: Options whose value is the next word, of pytest and of plugins in wide use.
WITH_VALUE = words("""
    -m -k -p -c -o -n -r -W --rootdir --config-file --override-ini --tb --maxfail --durations
    --durations-min --ignore --ignore-glob --deselect --confcutdir --basetemp --junitxml
    --junit-xml --junitprefix --junit-prefix --color --capture --import-mode --show-capture
    --pythonwarnings --assert --log-level --log-format --log-cli-level --log-cli-format
    --log-file --log-file-level --pdbcls --verbosity --doctest-glob --doctest-report
    --cov-config --cov-report --cov-fail-under --cov-context --dist --numprocesses
    --maxprocesses --max-worker-restart --tx --timeout --timeout-method --session-timeout
    --splits --group --durations-path --splitting-algorithm --count --reruns --reruns-delay
    --html --json-report-file --ds --dc --asyncio-mode --base-url --browser --env --lfnf
    --last-failed-no-failures --benchmark-json --benchmark-storage --instafail
    --hypothesis-profile --hypothesis-seed --snapshot-default-extension
""")
#: Options that never take a value: the word after them is a target even if it is gone.
NO_VALUE = words("""
    --quiet --verbose --exitfirst --strict --strict-markers --strict-config --no-header
    --no-summary --collect-only --no-cov --disable-warnings --disable-pytest-warnings
    --showlocals --full-trace --cache-clear --doctest-modules --pdb --trace --setup-show
    --runxfail --fixtures --pyargs --testmon --lf --ff --nf --sw --last-failed --failed-first
    --new-first --stepwise --no-testmon --keep-duplicates --noconftest
    --continue-on-collection-errors --cov-append --cov-branch --no-cov-on-fail --create-db
    --reuse-db --nomigrations --snapshot-update --runslow --run-slow
""")
#: Options that make a test's selection or verdict depend on what else is in the run.
OF_THE_WHOLE = {
    "--cov": "its coverage is that of its own tests",
    "--lf": "it selects by the last run",
    "--last-failed": "it selects by the last run",
    "--ff": "it orders by the last run",
    "--failed-first": "it orders by the last run",
    "--nf": "it orders by the last run",
    "--new-first": "it orders by the last run",
    "--sw": "it selects by the last run",
    "--stepwise": "it selects by the last run",
    "--testmon": "it selects by the last run",
    "--splits": "it runs a part of a whole",
    "--pyargs": "its targets are modules, not files",
}


@dataclass(frozen=True)
class Arguments:
    """pytest's arguments, taken apart."""

    #: All that is neither target, marker nor keyword, in order.
    options: tuple[str, ...] = ()
    #: The expression of `-m`; empty for none.
    marker: str = ""
    #: The expression of `-k`; empty for none.
    keyword: str = ""
    targets: tuple[str, ...] = ()

    def command(self) -> tuple[str, ...]:
        """Return the arguments as a command line."""
        chosen = [*(("-m", self.marker) if self.marker else ())]
        chosen += [*(("-k", self.keyword) if self.keyword else ())]
        return (*self.options, *chosen, *self.targets)

    @property
    def of_the_whole(self) -> str:
        """Why these arguments mean something else beside more tests; empty if they do not."""
        for option in self.options:
            name = option.split("=")[0]
            for known, reason in OF_THE_WHOLE.items():
                if name == known or (known == "--cov" and name.startswith("--cov-")):
                    return f"{name}: {reason}"
        return ""


def split(arguments: Sequence[str], root: Path) -> Arguments:
    """Return `arguments`, the words after `pytest`, taken apart.

    What follows an option that is not known counts as its target if it exists in `root`, else
    as its value. Who rebuilds a command from this must check it by collecting.
    """
    options: list[str] = []
    targets: list[str] = []
    chosen = {"-m": "", "-k": ""}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            targets += rest
            break
        if word in chosen:
            chosen[word] = rest.pop(0) if rest else ""
        elif word[:2] in chosen and len(word) > 2 and not word.startswith("--"):
            chosen[word[:2]] = word[2:].removeprefix("=")
        elif not word.startswith("-"):
            targets.append(word)
        else:
            options.append(word)
            if _takes_next(word, rest, root):
                options.append(rest.pop(0))
    return Arguments(tuple(options), chosen["-m"], chosen["-k"], tuple(targets))


def _takes_next(word: str, rest: Sequence[str], root: Path) -> bool:
    if not rest or "=" in word:
        return False
    if word in WITH_VALUE:
        return True
    unknown = word.startswith("--") and word not in NO_VALUE and not rest[0].startswith("-")
    return unknown and not target_exists(rest[0], root)


def target_exists(target: str, root: Path) -> bool:
    """Return whether the file or folder that `target` names is there."""
    return (root / target.split("::", maxsplit=1)[0]).exists()


def prune(targets: Sequence[str]) -> tuple[str, ...]:
    """Return `targets` without repeats and without those that another one holds already."""
    kept = list(dict.fromkeys(target.removeprefix("./") for target in targets))
    return tuple(t for t in kept if not any(_holds(other, t) for other in kept if other != t))


def _holds(outer: str, inner: str) -> bool:
    # A folder holds what is below it, a file its tests, a class its methods.
    if "[" in inner and outer == inner.split("[", maxsplit=1)[0]:
        return True
    if inner.startswith(f"{outer}::"):
        return True
    return "::" not in outer and inner.startswith(f"{outer.rstrip('/')}/")
