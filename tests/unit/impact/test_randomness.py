"""Random numbers that tests share: who seeds them, who draws what others left."""

from __future__ import annotations

import importlib
import pickle
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from paceline.impact.randomness import Randomness
from paceline.impact.replacing import replace

DREW, LEFT, NEITHER = ({"random"}, set[str]()), (set[str](), {"random"}), (set[str](), set[str]())
BOTH = ({"random"}, {"random"})


class Caller:
    """Says whose code seeds, as the stack does."""

    name = "project"


@pytest.fixture
def caller() -> Caller:
    """Let the project seed until the test says otherwise."""
    return Caller()


@pytest.fixture
def begin(caller: Caller) -> Iterator[Callable[[], Randomness]]:
    """Watch once this is called, until the test ends: pytest-randomly seeds before it begins."""
    undo: list[Callable[[], None]] = []

    def replaced(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        undo.append(replace(owner, name, make))

    def started() -> Randomness:
        found = Randomness(
            replaced, lambda _: caller.name, lambda _: caller.name == "pytest_randomly"
        )
        found.start()
        return found

    state = random.getstate()
    yield started
    for back in undo[::-1]:
        back()
    random.setstate(state)


def end(watched: Randomness) -> tuple[set[str], set[str]]:
    """Return what is told of `random`."""
    drew, left = watched.end(in_test=True)
    return drew & {"random"}, left & {"random"}


def test_what_nobody_seeded_is_chance(begin: Callable[[], Randomness]) -> None:
    """Who draws is told, and leaves nothing that another could build on."""
    watched = begin()
    assert end(watched) == NEITHER
    random.random()
    assert end(watched) == DREW


def test_who_draws_after_another_has_seeded_finds_what_that_one_left(
    begin: Callable[[], Randomness],
) -> None:
    """And leaves the rest to the next one; who seeds first builds on nobody."""
    watched = begin()
    random.seed(1)
    random.random()
    assert end(watched) == LEFT
    random.random()
    assert end(watched) == BOTH
    random.seed(1)
    assert end(watched) == LEFT


def test_who_seeds_too_late_found_what_was_left(begin: Callable[[], Randomness]) -> None:
    """It drew before, though nothing is left of that; a state is put back as one is seeded."""
    watched = begin()
    state = random.getstate()
    random.random()
    random.setstate(state)
    assert end(watched) == DREW
    random.seed(1)
    random.random()
    random.seed(1)
    assert end(watched) == LEFT


def test_a_plugin_that_seeds_for_each_test(begin: Callable[[], Randomness], caller: Caller) -> None:
    """Nobody builds on anybody, also where some test seeds them itself."""
    watched = begin()
    random.seed(1)
    assert end(watched) == LEFT
    caller.name = "pytest_randomly"
    random.seed(7)
    caller.name = "project"
    random.random()
    assert end(watched) == NEITHER


def test_hypothesis_puts_back_what_it_found(
    begin: Callable[[], Randomness], caller: Caller
) -> None:
    """What was seeded before goes on as if it had not been there."""
    watched = begin()
    random.seed(1)
    assert end(watched) == LEFT
    caller.name = "hypothesis"
    state = random.getstate()
    random.seed(0)
    random.random()
    random.setstate(state)
    caller.name = "project"
    assert end(watched) == NEITHER
    random.random()
    assert end(watched) == BOTH


def test_what_stands_for_a_function_can_be_handed_to_a_process(
    begin: Callable[[], Randomness],
) -> None:
    """A pool may be told to seed in each of its processes."""
    watched = begin()
    assert end(watched) == NEITHER
    assert pickle.loads(pickle.dumps(random.seed)) is random.seed


def test_numpy_is_watched_once_it_is_there(begin: Callable[[], Randomness]) -> None:
    """What code that was imported has drawn or seeded until then is no chance any more."""
    watched = begin()
    numpy = importlib.import_module("numpy.random")
    state = numpy.get_state()
    numpy.rand()
    assert watched.end(in_test=False) == (set(), {"numpy.random"})
    numpy.rand()
    assert watched.end(in_test=True) == ({"numpy.random"}, {"numpy.random"})
    numpy.seed(1)
    numpy.rand()
    assert watched.end(in_test=True) == (set(), {"numpy.random"})
    numpy.set_state(state)
