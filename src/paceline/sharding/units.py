"""What is handed out to shards: tests of one file that stay together."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import NamedTuple

from paceline.sharding.estimation import file_of, group_of


class Atom(NamedTuple):
    """An indivisible piece: one test, or all tests of one xdist group."""

    file: str
    scope: str
    tests: tuple[str, ...]
    load: float

    @property
    def key(self) -> str:
        """The smallest id, which breaks ties."""
        return self.tests[0]


class Unit(NamedTuple):
    """Neighbouring atoms of one file that move together."""

    load: float
    key: str
    atoms: tuple[Atom, ...]
    size: int


def make_atoms(weights: Mapping[str, float]) -> list[Atom]:
    """Return the atoms of the tests in `weights`, ordered by file, class and id."""
    atoms: list[Atom] = []
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for test, load in weights.items():
        group = group_of(test) if "@" in test else None
        if group is None:
            atoms.append(Atom(file_of(test), _scope(test), (test,), load))
        else:
            groups[group].append(test)
    for members in groups.values():
        members.sort()
        load = math.fsum(weights[test] for test in members)
        atoms.append(Atom(file_of(members[0]), _scope(members[0]), tuple(members), load))
    atoms.sort(key=lambda atom: atom[:3])
    return atoms


def make_unit(atoms: Iterable[Atom]) -> Unit:
    """Return the unit of `atoms`."""
    members = tuple(atoms)
    load = math.fsum(atom.load for atom in members)
    return Unit(load, members[0].key, members, sum(len(atom.tests) for atom in members))


def split(unit: Unit) -> list[Unit]:
    """Return one unit for each atom of `unit`."""
    return [make_unit([atom]) for atom in unit.atoms]


def cut(atoms: Iterable[Atom], limit: float) -> list[Unit]:
    """Return a unit for each file, cut where a file would take longer than `limit`.

    The cuts fall between classes where that is possible. `atoms` must be in order.
    """
    units: list[Unit] = []
    for _, members in groupby(atoms, key=lambda atom: atom.file):
        whole = make_unit(members)
        if whole.load <= limit:
            units.append(whole)
            continue
        pieces: list[Unit] = []
        for _, scope in groupby(whole.atoms, key=lambda atom: atom.scope):
            block = make_unit(scope)
            pieces.extend([block] if block.load <= limit else _pack(split(block), limit))
        units.extend(_pack(pieces, limit))
    return units


def _pack(pieces: Iterable[Unit], limit: float) -> list[Unit]:
    """Join neighbours while the sum stays within `limit`."""
    packed: list[list[Unit]] = []
    load = math.inf
    for piece in pieces:
        if load + piece.load <= limit:
            packed[-1].append(piece)
            load += piece.load
        else:
            packed.append([piece])
            load = piece.load
    return [
        run[0] if len(run) == 1 else make_unit(atom for piece in run for atom in piece.atoms)
        for run in packed
    ]


def _scope(test: str) -> str:
    """Return the class part of a node id, empty for a function of the module."""
    name = test.partition("::")[2].partition("[")[0]
    return name.rpartition("::")[0]
