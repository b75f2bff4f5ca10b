"""What `[tool.paceline]` may contain, derived from the dataclasses of `model`.

Keys and types come from the fields; only limits that a type cannot express stand here.
"""

from __future__ import annotations

import difflib
import json
import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, get_args, get_type_hints

from paceline.config.model import (
    AUTO,
    Ci,
    Config,
    Deployment,
    Group,
    Image,
    Prepush,
    Step,
)

#: Fields that Paceline fills in itself, so nobody writes them.
INTERNAL = frozenset({"root", "home", "origins", "name", "missing"})
#: Keys that may be written in a second way.
SPELLINGS = {"optional-tool": "optional_tool"}
#: Beyond this a number is a typing mistake, and `float` would overflow.
LARGEST = 10**9

_COMMANDS = tuple[tuple[str, ...], ...]
_LIST = tuple[str, ...]
_VARIABLES = tuple[tuple[str, str], ...]
_PERCENTS = tuple[tuple[str, float], ...]
_ALLOWED: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    _LIST: "a list of non-empty strings",
    _COMMANDS: "a list of commands, each a string or a list of strings",
    _VARIABLES: "a table of strings",
}


class Rejected(Exception):
    """A value that is not allowed: the text for people, and a likely intention."""

    def __init__(self, text: str, suggestion: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.suggestion = suggestion


@dataclass(frozen=True)
class Rule:
    """A limit on a value, or on each item when the value is a list."""

    allowed: str
    accepts: Callable[[Any], bool]
    choices: tuple[str, ...] = ()


def _choice(*choices: str) -> Rule:
    return Rule(", ".join(map(show, choices)), choices.__contains__, choices)


def show(value: object) -> str:
    """Return `value` the way it is written in TOML, near enough for a message."""
    return json.dumps(value, ensure_ascii=False, default=str)


def dotted(*parts: str) -> str:
    """Join key parts as TOML does, quoting those that are not bare keys."""
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else show(part) for part in parts)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the known name that `word` most likely stands for, or an empty string."""
    names = {name.lower().replace("-", "_"): name for name in known}
    close = difflib.get_close_matches(word.lower().replace("-", "_"), names, n=1)
    return names[close[0]] if close else ""


def _matching(allowed: str, pattern: str) -> Rule:
    return Rule(allowed, lambda value: bool(re.fullmatch(pattern, value)))


_SECRET = _matching("names of environment variables", r"[A-Za-z_][A-Za-z0-9_]*")
_CRON = _matching("five fields of a cron expression, or nothing", r"([0-9*,/-]+( [0-9*,/-]+){4})?")
_PERCENT = Rule("a number from 0 to 100", lambda value: 0 <= value <= 100)
RULES: dict[tuple[type, str], Rule] = {
    (Group, "services"): _choice("postgres", "redis"),
    (Ci, "select"): _choice("all", "impact"),
    (Ci, "nightly"): _CRON,
    (Ci, "weekly"): _CRON,
    (Ci, "test_image"): _matching(
        "an image name without a tag", r"([a-z0-9.-]+(:[0-9]+)?/)?[a-z0-9._/-]+|"
    ),
    (Ci, "cache_bucket"): _matching("a bucket name", r"[a-z0-9.-]*"),
    (Ci, "cache_endpoint"): _matching("an http(s) address", r"(https?://[A-Za-z0-9.:/_-]+)?"),
    (Image, "secrets"): _SECRET,
    (Deployment, "secrets"): _SECRET,
    (Group, "shards"): Rule("a number from 1", lambda value: value >= 1),
    (Group, "workers"): Rule(f"{show(AUTO)} or a number from 0", lambda v: v == AUTO or v >= 0),
    (Group, "timeout"): Rule(f"{show(AUTO)} or a positive number", lambda v: v == AUTO or v > 0),
    (Ci, "providers"): _choice(*Ci().providers),
    (Ci, "timeout_minutes"): Rule("a number from 1", lambda value: value >= 1),
    (Ci, "branch"): Rule(
        "a branch name", lambda value: bool(re.fullmatch(r"[^\s~^:?*\[\\\x00-\x1f]+", value))
    ),
    (Step, "kind"): _choice("reads", "fixes"),
    (Step, "weight"): Rule("a number from 1", lambda value: value >= 1),
    (Step, "timeout"): Rule("a number of seconds, 0 for no limit", lambda value: value >= 0),
    (Prepush, "budget"): Rule(
        'a time like "60s" or "5m"',
        lambda value: bool(re.fullmatch(r"([1-9][0-9]{0,5}[smh])?", value)),
    ),
    (Prepush, "over_budget"): _choice("fail", "pass"),
    (Prepush, "receipt_days"): Rule("a number from 0", lambda value: value >= 0),
    (Config, "environment"): _choice("uv", "current"),
    (Config, "fail_under"): _PERCENT,
    (Config, "diff_fail_under"): _PERCENT,
    (Config, "max_drop"): _PERCENT,
    (Config, "fail_under_paths"): _PERCENT,
    (Config, "python"): Rule(
        'versions as strings like "3.10"',
        lambda value: bool(re.fullmatch(r"(pypy)?3\.[0-9]+(\.[0-9]+)?t?", value)),
    ),
}
#: Lists where naming the same thing twice would run it twice.
_UNIQUE = frozenset({(Config, "python"), (Ci, "providers"), (Group, "services")})
#: Argument lists that may also be written as one string.
_COMMAND = frozenset({(Ci, "install")})


#: Evaluating annotations is slow, and every start of nox loads the configuration.
_HINTS: dict[type, dict[str, Any]] = {}


def hints(owner: type) -> dict[str, Any]:
    """Return name and type of each field of `owner` that a person may write."""
    if owner not in _HINTS:
        _HINTS[owner] = get_type_hints(owner)
    types = _HINTS[owner]
    written = (entry.name for entry in fields(owner) if entry.name not in INTERNAL)
    return {name: types[name] for name in written}


def is_table(hint: object) -> bool:
    """Whether a field is written as a TOML table: a dataclass or a tuple of them."""
    args = get_args(hint)
    return is_dataclass(args[0] if args else hint)


def convert(owner: type, name: str, value: object) -> Any:
    """Return `value` as the type of field `name` of `owner`; raise Rejected if it is not."""
    hint, rule = hints(owner)[name], RULES.get((owner, name))
    allowed = rule.allowed if rule else _ALLOWED[hint]
    if (owner, name) in _COMMAND:
        return _command(value, "a string or a list of strings")
    if hint == _COMMANDS:
        if not isinstance(value, list):
            raise Rejected(f"found {show(value)}, allowed: {allowed}")
        return tuple(_command(item, allowed) for item in value)
    if hint == _VARIABLES:
        return _variables(value, allowed)
    if hint == _LIST:
        if not isinstance(value, list):
            raise Rejected(f"found {show(value)}, allowed: a list of {_plural(allowed)}")
        items = tuple(_single(item, str, rule, allowed) for item in value)
        _no_repeats(items, unique=(owner, name) in _UNIQUE)
        return items
    if hint == _PERCENTS:
        if not isinstance(value, dict):
            raise Rejected(f"found {show(value)}, allowed: a table of paths and numbers")
        return tuple((path, _percent(path, part, rule, allowed)) for path, part in value.items())
    return _single(value, hint, rule, allowed)


def _percent(path: str, value: object, rule: Rule | None, allowed: str) -> float:
    try:
        return float(_single(value, float, rule, allowed))
    except Rejected as problem:
        raise Rejected(f"{show(path)}: {problem.text}") from None


def _plural(allowed: str) -> str:
    return allowed.removeprefix("a list of ")


def _no_repeats(items: tuple[str, ...], *, unique: bool) -> None:
    for item in items if unique else ():
        if items.count(item) > 1:
            raise Rejected(f"found {show(item)} {items.count(item)} times, allowed: once")


def _single(value: Any, hint: Any, rule: Rule | None, allowed: str) -> Any:
    in_list = allowed == _ALLOWED[_LIST]
    if not _fits(value, hint) or (rule and not rule.accepts(value)) or (in_list and not value):
        known = rule.choices if rule else ()
        suggestion = did_you_mean(value, known) if isinstance(value, str) else ""
        raise Rejected(f"found {show(value)}, allowed: {allowed}", suggestion)
    return float(value) if hint is float else value


def _fits(value: Any, hint: Any) -> bool:
    if hint is bool or isinstance(value, bool):
        return hint is bool and isinstance(value, bool)
    if hint is str:
        return isinstance(value, str)
    if hint is int or hint is float:
        kinds = int if hint is int else (int, float)
        # `nan` fails the comparison too, which is what we want.
        return isinstance(value, kinds) and -LARGEST < value < LARGEST
    # What is left is a union of a number with the word "auto".
    return value == AUTO or any(_fits(value, part) for part in get_args(hint) if part is not str)


def _variables(value: object, allowed: str) -> tuple[tuple[str, str], ...]:
    good = isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
    if not isinstance(value, dict) or not good or any(not key or "=" in key for key in value):
        raise Rejected(f"found {show(value)}, allowed: {allowed}")
    return tuple(sorted(value.items()))


def _command(value: object, allowed: str) -> tuple[str, ...]:
    refusal = f"found {show(value)}, allowed: {allowed}"
    if isinstance(value, str):
        try:
            words = shlex.split(value)
        except ValueError as error:
            raise Rejected(f"found {show(value)}, which cannot be split: {error}") from None
    elif isinstance(value, list) and all(isinstance(word, str) for word in value):
        words = value
    else:
        raise Rejected(refusal)
    if not words or not words[0]:
        raise Rejected(f"found {show(value)}, which names no program")
    return tuple(words)


def table_fields(owner: type) -> tuple[str, ...]:
    """Return the fields of `owner` that are tables of their own."""
    return tuple(name for name, hint in hints(owner).items() if is_table(hint))
