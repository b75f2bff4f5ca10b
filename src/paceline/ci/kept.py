"""The regions of a generated file that people keep by hand: they survive regeneration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from paceline.errors import CheckFailed

_BEGIN, _END = "# kept by hand: ", "# end of kept by hand: "


def keep(text: str, found: Mapping[Path, str]) -> str:
    """Return the generated `text` with the regions of the files `found` filled in.

    Several files of one text (GitHub's) may have a region filled in one of them, or alike in
    several. Raises CheckFailed if regions differ, or one is open, double or unknown: what
    was written by hand must not vanish without a word.
    """
    filled: dict[str, tuple[Path, list[str]]] = {}
    known = regions(text, Path("the generated file"))
    for path, content in found.items():
        for name, lines in regions(content, path).items():
            if name not in known:
                _refuse(path, f"has a region {name!r} that is not generated any more")
            if not lines:
                continue
            if name in filled and filled[name][1] != lines:
                _refuse(path, f"and {filled[name][0].as_posix()} differ in the region {name!r}")
            filled.setdefault(name, (path, lines))
    return "".join(_filled(text, {name: lines for name, (_, lines) in filled.items()}))


def _filled(text: str, regions: Mapping[str, list[str]]) -> list[str]:
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        lines.append(line)
        if line.lstrip().startswith(_BEGIN):
            lines += regions.get(_name(line, _BEGIN), [])
    return lines


def regions(text: str, path: Path) -> dict[str, list[str]]:
    """Return each region of `text` by its name, as lines; raise CheckFailed for a damaged one."""
    found: dict[str, list[str]] = {}
    inside: str | None = None
    for line in text.splitlines(keepends=True):
        if line.lstrip().startswith(_BEGIN):
            if inside is not None or _name(line, _BEGIN) in found:
                _refuse(path, "begins a region twice")
            inside = _name(line, _BEGIN)
            found[inside] = []
        elif line.lstrip().startswith(_END):
            if inside != _name(line, _END):
                _refuse(path, "ends a region that it does not begin")
            inside = None
        elif inside is not None:
            # Line ends of an editor must not make the region differ for ever.
            found[inside].append(line.rstrip("\r\n") + "\n")
    if inside is not None:
        _refuse(path, f"does not end the region {inside!r}")
    return found


def _name(line: str, marker: str) -> str:
    return line.lstrip().removeprefix(marker).split(" (")[0].strip()


def _refuse(path: Path, text: str) -> None:
    raise CheckFailed(
        f"{path.as_posix()} {text}",
        f"mend its lines `{_BEGIN}...` and `{_END}...`, then run this again",
    )
