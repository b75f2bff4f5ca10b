"""Turning pyproject.toml and what is discovered into one `Config`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from paceline.config import discovery, references
from paceline.config.document import FILE, read
from paceline.config.model import Ci, Config, Deployment, Group, Image, Prepush, Step
from paceline.config.schema import (
    SPELLINGS,
    Rejected,
    convert,
    did_you_mean,
    dotted,
    hints,
    is_table,
    show,
    table_fields,
)
from paceline.errors import ConfigurationError, Problem

Entry = TypeVar("Entry", Group, Step)
Values = dict[str, Any]

DEPENDENCY_KEYS = ("test_groups", "test_extras", "test_requirements")
NAME = re.compile(r"[a-z0-9_-]+")
#: How origins name the two sources; what is in neither is a "default".
DISCOVERED = "discovered"


def load(root: Path, home: Path | None = None) -> Config:
    """Return the effective configuration of the project in `root`.

    `home` is the checkout that keeps the state, where `root` is a temporary one.

    Raises ConfigurationError with every problem found in pyproject.toml.
    """
    root = root.absolute()
    document = read(root)
    reader = _Reader()
    written = reader.document(document)
    found = discovery.discover(root, document)
    config = _combine(found, written, reader)
    # Values that were rejected are not in `config`, so nothing is reported twice.
    missing = references.problems(config, document)
    written_keys = {dotted("tool", "paceline", *key) for key in written.keys_written()}
    # Nobody wrote what was discovered, so nobody could mend it.
    reader.problems.extend(problem for problem in missing if problem.key in written_keys)
    if reader.problems:
        raise ConfigurationError(reader.problems)
    return replace(config, home=home, origins=tuple(_origins(config, written)))


@dataclass
class _Written:
    """The valid values somebody wrote, table by table."""

    top: Values = field(default_factory=dict)
    groups: dict[str, Values] = field(default_factory=dict)
    steps: dict[str, Values] = field(default_factory=dict)
    ci: Values = field(default_factory=dict)
    prepush: Values = field(default_factory=dict)
    images: dict[str, Values] = field(default_factory=dict)
    deploy: dict[str, Values] = field(default_factory=dict)

    def keys_written(self) -> set[tuple[str, ...]]:
        """Return the path of each value, below `tool.paceline`."""
        keys: set[tuple[str, ...]] = {(key,) for key in self.top}
        keys |= {("ci", key) for key in self.ci}
        keys |= {("prepush", key) for key in self.prepush}
        sections = {
            ("groups",): self.groups,
            ("steps",): self.steps,
            ("ci", "images"): self.images,
            ("ci", "deploy"): self.deploy,
        }
        for section, tables in sections.items():
            keys |= {(*section, name, key) for name, values in tables.items() for key in values}
        return keys


class _Reader:
    """Reads tables against the model and collects every problem on the way."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def document(self, document: Mapping[str, Any]) -> _Written:
        tool = document.get("tool")
        raw = tool.get("paceline", {}) if isinstance(tool, dict) else {}
        top = self.table(raw, ())
        tables = {name: self.table(top.get(name, {}), (name,)) for name in table_fields(Config)}
        return _Written(
            self.values(Config, top, ()),
            self.named(Group, tables["groups"], "groups"),
            self.named(Step, tables["steps"], "steps"),
            self.values(Ci, tables["ci"], ("ci",)),
            self.values(Prepush, tables["prepush"], ("prepush",)),
            self.named(Image, tables["ci"].get("images", {}), "ci", "images"),
            self.named(Deployment, tables["ci"].get("deploy", {}), "ci", "deploy"),
        )

    def report(self, key: tuple[str, ...], text: str, suggestion: str = "") -> None:
        self.problems.append(Problem(FILE, dotted("tool", "paceline", *key), text, suggestion))

    def table(self, raw: object, key: tuple[str, ...]) -> Values:
        if isinstance(raw, dict):
            return raw
        self.report(key, f"found {show(raw)}, allowed: a table")
        return {}

    def values(self, owner: type, table: Values, key: tuple[str, ...]) -> Values:
        """Return the valid entries of `table`, reporting the others."""
        known, valid = hints(owner), {}
        for written, value in table.items():
            name = SPELLINGS.get(written, written)
            if name not in known:
                suggestion = did_you_mean(name, known)
                text = "unknown key" if suggestion else f"unknown key, allowed: {', '.join(known)}"
                self.report((*key, name), text, suggestion)
            elif not is_table(known[name]):
                try:
                    valid[name] = convert(owner, name, value)
                except Rejected as problem:
                    self.report((*key, name), problem.text, problem.suggestion)
        return valid

    def named(self, owner: type, tables: object, *section: str) -> dict[str, Values]:
        """Return the values of each table in a section of freely named tables."""
        found = {}
        for name, raw in self.table(tables, section).items():
            key = (*section, name)
            if NAME.fullmatch(name):
                found[name] = self.values(owner, self.table(raw, key), key)
            else:
                allowed = "a name of a-z, 0-9, _ and -"
                self.report(key, f"found {show(name)}, allowed: {allowed}")
        return found


def _combine(found: Config, written: _Written, reader: _Reader) -> Config:
    # Who names one source of test dependencies means that one, not a guess beside it.
    if any(key in written.top for key in DEPENDENCY_KEYS):
        found = replace(found, test_groups=(), test_extras=(), test_requirements=())
    steps = _steps(found.steps, written.steps, reader)
    values: Values = {
        "groups": _groups(found.groups, written.groups),
        "steps": steps,
        "tools": discovery.tools(steps),
        "ci": replace(
            found.ci,
            images=tuple(Image(name, **values) for name, values in written.images.items()),
            deploy=tuple(Deployment(name, **values) for name, values in written.deploy.items()),
            **written.ci,
        ),
        "prepush": replace(found.prepush, **written.prepush),
    }
    return replace(found, **{**values, **written.top})


def _groups(found: tuple[Group, ...], written: dict[str, Values]) -> tuple[Group, ...]:
    """Return the groups in effect.

    Tables that only tune discovered groups leave the others in place; one that selects
    tests itself, or has a name of its own, means that the tables are the whole list.
    """
    known = {group.name: group for group in found}
    selects = any(
        name not in known or values.keys() & {"paths", "marker"} for name, values in written.items()
    )
    names = written if selects else known
    return tuple(_tuned(known.get(name, Group(name)), written) for name in names)


def _tuned(entry: Entry, written: dict[str, Values]) -> Entry:
    return replace(entry, **written.get(entry.name, {}))


def _steps(
    found: tuple[Step, ...], written: dict[str, Values], reader: _Reader
) -> tuple[Step, ...]:
    known = {step.name: step for step in found}
    steps = []
    for name in dict.fromkeys([*known, *written]):
        step = _tuned(known.get(name, Step(name)), written)
        if "run" in written.get(name, {}):
            step = replace(step, missing="" if step.run else f"run is empty in {FILE}")
        elif name not in known and not _reported(reader, "steps", name, "run"):
            reader.report(
                ("steps", name), 'a step of your own needs "run"', did_you_mean(name, known)
            )
        steps.append(step)
    return tuple(steps)


def _reported(reader: _Reader, *key: str) -> bool:
    full = dotted("tool", "paceline", *key)
    return any(problem.key == full for problem in reader.problems)


def _origins(config: Config, written: _Written) -> Iterable[tuple[str, str]]:
    """Yield each key of the configuration with where its value came from."""
    keys = written.keys_written()

    def of(entry: object, default: object, *path: str) -> Iterable[tuple[str, str]]:
        for name in hints(type(entry)):
            key = (*path, name)
            if is_table(hints(type(entry))[name]):
                continue
            changed = getattr(entry, name) != getattr(default, name)
            yield dotted(*key), FILE if key in keys else DISCOVERED if changed else "default"

    yield from of(config, Config(config.root))
    for group in config.groups:
        yield from of(group, Group(group.name), "groups", group.name)
    for step in config.steps:
        yield from of(step, Step(step.name), "steps", step.name)
    yield from of(config.ci, Ci(), "ci")
    yield from of(config.prepush, Prepush(), "prepush")
    for image in config.ci.images:
        yield from of(image, Image(image.name), "ci", "images", image.name)
    for environment in config.ci.deploy:
        yield from of(environment, Deployment(environment.name), "ci", "deploy", environment.name)
