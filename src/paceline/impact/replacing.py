"""Puts functions in the place of others, so that nobody notices who does not look for it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any


def replace(owner: Any, name: str, make: Callable[[Any], Any]) -> Callable[[], None]:
    """Replace the attribute `name` of `owner` by what `make` makes of it; return what undoes it.

    The replacement has the original's name, text and signature, and is found where it stands, as
    pickle does.
    """
    original = getattr(owner, name)
    replacement = make(original)
    if isinstance(replacement, FunctionType):  # else one that was replaced itself
        functools.update_wrapper(replacement, original)
        if isinstance(owner, ModuleType):  # where a method may stand, as random.seed does
            replacement.__module__, replacement.__qualname__ = owner.__name__, name
        else:
            replacement.__module__ = owner.__module__
    setattr(owner, name, replacement)

    def undo() -> None:
        setattr(owner, name, original)

    return undo
