"""Which tests have to run together, because one uses what another left behind."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from paceline.impact.recorder import Kind
from paceline.impact.records import Records


@dataclass(frozen=True)
class Order:
    """Which tests use what other tests left behind, such as a filled cache.

    `before` maps a segment to those it builds on, `names` tells the tests among them, `starts`
    the present segment of each test.
    """

    before: Mapping[int, Sequence[int]]
    names: Mapping[int, str]
    starts: Mapping[str, int]

    @classmethod
    def of(cls, known: Records) -> Order:
        """Read it from the records."""
        kinds = (Kind.TEST, Kind.STATE, Kind.COUNT, Kind.FIXTURE)
        chosen = {
            number: segment for number, segment in known.segments.items() if segment.kind in kinds
        }
        return cls(
            {
                number: [link for link in one.links if link in chosen]
                for number, one in chosen.items()
            },
            {number: one.name for number, one in chosen.items() if one.kind is Kind.TEST},
            {name: test.segment for name, test in known.tests.items()},
        )

    def with_company(self, running: Iterable[str], changed: Iterable[str]) -> set[str]:
        """Return `running` and all that has to run with them.

        That is whoever uses what a `changed` test (another one now, or gone) left behind, and
        whoever left behind what one that runs uses.
        """
        after: defaultdict[int, list[int]] = defaultdict(list)
        for number, links in self.before.items():
            for link in links:
                after[link].append(number)
        gone = set(changed)
        makers = [number for number, name in self.names.items() if name in gone]
        current = {number: name for name, number in self.starts.items()}
        users = {current[one] for one in _closure(makers, after) if one in current} - gone
        wanted = {*running, *users}
        starts = [self.starts[test] for test in wanted if test in self.starts]
        return wanted | {
            self.names[one] for one in _closure(starts, self.before) if one in self.names
        }

    def as_json(self) -> str:
        """Return what `from_json` reads."""
        return json.dumps([list(self.before.items()), list(self.names.items()), dict(self.starts)])

    @classmethod
    def from_json(cls, text: str) -> Order:
        """Return what `as_json` wrote."""
        before, names, starts = json.loads(text)
        return cls(dict(before), dict(names), starts)


def _closure(starts: Iterable[int], links: Mapping[int, Sequence[int]]) -> set[int]:
    found: set[int] = set()
    queue = list(starts)
    while queue:
        number = queue.pop()
        if number not in found:
            found.add(number)
            queue += links.get(number, ())
    return found
