"""Showing the effective configuration, each value with where it came from."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any

from paceline.config.model import Config
from paceline.config.schema import show


def as_text(config: Config) -> str:
    """Return the configuration as aligned lines `key = value  # origin`, in blocks."""
    blocks = groupby(config.origins, key=lambda entry: entry[0].rpartition(".")[0])
    return "\n\n".join(_block(config, list(entries)) for _, entries in blocks)


def as_json(config: Config) -> str:
    """Return a JSON object: each dotted key with its `value` and `origin`."""
    content = {
        key: {"value": _value(config, key), "origin": origin} for key, origin in config.origins
    }
    return json.dumps(content, ensure_ascii=False, indent=2)


def _block(config: Config, entries: list[tuple[str, str]]) -> str:
    keys = max(len(key) for key, _ in entries)
    rows = [(key, show(_value(config, key)), origin) for key, origin in entries]
    # One long command must not push every other origin off the screen.
    width = max((len(value) for _, value, _ in rows if len(value) <= 40), default=0)
    lines = [f"{key:<{keys}} = {value:<{width}}  # {origin}" for key, value, origin in rows]
    return "\n".join([*lines, *_why_missing(config, entries[0][0])])


def _why_missing(config: Config, key: str) -> list[str]:
    section, _, rest = key.partition(".")
    missing = config.step(rest.partition(".")[0]).missing if section == "steps" else ""
    return [f"# not set up: {missing}"] if missing else []


def _value(config: Config, key: str) -> Any:
    section, *rest = key.split(".")
    # Names hold no dots (loading checks them), so a key splits in one way only.
    if section == "groups":
        return getattr(config.group(rest[0]), rest[1])
    if section == "steps":
        return getattr(config.step(rest[0]), rest[1])
    if not rest:
        return getattr(config, section)
    if len(rest) == 3:
        named = {entry.name: entry for entry in getattr(config.ci, rest[0])}
        return getattr(named[rest[1]], rest[2])
    return getattr(getattr(config, section), rest[0])
