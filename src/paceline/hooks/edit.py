"""Changes a hook configuration as text: what is not named keeps every character."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: A longer command is written a word a line.
LONGEST = 90


@dataclass(frozen=True)
class Item:
    """The lines of one entry in a list, counted from 0; `end` is the line after the last."""

    start: int
    end: int
    #: The column of its dash.
    indent: int


@dataclass(frozen=True)
class Replacement:
    """Hooks to take out, and the keys of the one to write in the first one's place; or none."""

    places: tuple[tuple[int, int], ...]
    keys: Mapping[str, Any]


def items(text: str) -> dict[tuple[int, int], Item]:
    """Return the lines of each hook that can be taken out of `text`, by its place.

    Left out are hooks of a list that is written in brackets, and those with an anchor, which
    other hooks may refer to.
    """
    import yaml

    lines = text.splitlines()
    anchors = {
        event.start_mark.line if event.start_mark else 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader)
        if getattr(event, "anchor", None) and not isinstance(event, yaml.AliasEvent)
    }
    found = {}
    for number, repo in enumerate(_value(yaml.compose(text, Loader=yaml.SafeLoader), "repos")):
        for index, hook in enumerate(_value(repo, "hooks")):
            item = _item(lines, hook.start_mark.line, hook.start_mark.column)
            if item is not None and not anchors & set(range(item.start, item.end)):
                found[number, index] = item
    return found


def replaced(text: str, replacements: Sequence[Replacement]) -> str:
    """Return `text` with each replacement made.

    Comments of the hooks that go are kept above the hook that comes.
    """
    known = items(text)
    lines = text.splitlines()
    inserted: dict[int, list[str]] = {}
    removed: set[int] = set()
    for replacement in replacements:
        members = [known[place] for place in replacement.places]
        comments: list[str] = []
        for member in members:
            head = _attached(lines, member)
            comments += [" " * members[0].indent + text for text in _comments(lines, head, member)]
            removed |= set(range(head, member.end))
        new = [*comments, *_written(replacement.keys, members[0].indent)]
        inserted[members[0].start] = new
    kept = _assembled(lines, removed, inserted)
    return "\n".join(_without_empty_repos(kept)) + "\n"


def _value(node: Any, key: str) -> list[Any]:
    pairs = node.value if node is not None and isinstance(node.value, list) else []
    for name, value in pairs:
        if name.value == key:
            return list(value.value)
    return []


def _item(lines: Sequence[str], line: int, column: int) -> Item | None:
    while line >= 0 and not lines[line][:column].strip():
        line -= 1  # the dash stands on a line of its own
        column = len(lines[line])
    match = re.match(r"( *)-( |$)", lines[line])
    if match is None:
        return None
    indent = len(match[1])
    end = line + 1
    while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > indent):
        end += 1
    while not lines[end - 1].strip():
        end -= 1
    return Item(line, end, indent)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _attached(lines: Sequence[str], item: Item) -> int:
    """Return the first line of the comment that stands directly above `item`."""
    start = item.start
    while start > 0 and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    return start


def _comments(lines: Sequence[str], head: int, item: Item) -> list[str]:
    """Return the comments of `item`, without indentation."""
    import yaml

    found = [line.strip() for line in lines[head : item.start]]
    text = "\n".join(lines[item.start : item.end])
    ends = [0]
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        # Only between tokens can a comment stand: inside one, "#" is text.
        found += _between(text[ends[-1] : token.start_mark.index])
        ends.append(token.end_mark.index)
    return found


def _between(gap: str) -> list[str]:
    return [match[0].strip() for match in re.finditer(r"#.*", gap)]


def _written(keys: Mapping[str, Any], indent: int) -> list[str]:
    lines = [line for key, value in keys.items() for line in _key(key, value)]
    if not lines:
        return []
    first, *rest = lines
    pad = " " * indent
    return [f"{pad}- {first}", *(f"{pad}  {line}" if line else "" for line in rest)]


def _key(key: str, value: Any) -> list[str]:
    import yaml

    if key == "files" and isinstance(value, str) and value.startswith("(?x)\n"):
        return [f"{key}: |-", *(f"  {line}" for line in value.splitlines())]
    if key == "entry" and len(str(value)) > LONGEST and not re.search(r"\s{2}|\n", value):
        return [f"{key}: >-", *(f"  {line}" for line in _folded(value))]
    # Lists in brackets, as most such files are written; the key itself in block style.
    pair: object = value if isinstance(value, list | dict) else {key: value}
    dumped: str = yaml.safe_dump(
        pair,
        default_flow_style=pair is value,
        width=10**6,
        allow_unicode=True,
        sort_keys=False,
    )
    return f"{key}: {dumped}".splitlines() if pair is value else dumped.splitlines()


def _folded(entry: str) -> list[str]:
    """Break `entry` at spaces; YAML's folding puts the same single spaces back."""
    lines = [""]
    for word in entry.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) >= LONGEST:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _assembled(
    lines: Sequence[str], removed: set[int], inserted: Mapping[int, list[str]]
) -> list[str]:
    kept: list[str] = []
    for number, line in enumerate(lines):
        kept += inserted.get(number, [])
        if number in removed:
            continue
        gap = not line.strip() and number - 1 in removed
        if gap and kept and not kept[-1].strip():
            continue  # the empty line that parted the hook from the next one
        kept.append(line)
    return kept


def _without_empty_repos(lines: Iterable[str]) -> list[str]:
    """Drop the entries of `repos` whose hooks are all gone; their comments stay."""
    import yaml

    kept = list(lines)
    document = yaml.compose("\n".join(kept), Loader=yaml.SafeLoader)
    for repo in reversed(_value(document, "repos")):
        hooks = [value for name, value in repo.value if name.value == "hooks"]
        item = _item(kept, repo.start_mark.line, repo.start_mark.column)
        if item is not None and hooks and hooks[0].value in ("", []):
            comments = [line for line in kept[item.start : item.end] if line.strip()[:1] == "#"]
            kept[item.start : item.end] = comments
    return kept
