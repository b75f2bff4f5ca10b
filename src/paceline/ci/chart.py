"""A schedule as a picture: bars of text for a terminal, SVG for a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from paceline.ci.schedule import Schedule
from paceline.ci.timing import minutes

_BAR = "\N{FULL BLOCK}"
_ROW, _TOP, _PAD, _AXIS, _RIGHT = 22, 46, 12, 640, 70
# Read by people who cannot tell red from green too: dark blue against light blue.
_CRITICAL, _OTHER = "#1f4e8c", "#a9c7ea"


@dataclass(frozen=True)
class Row:
    """One job of the picture, all of its shards together."""

    name: str
    start: float
    end: float
    critical: bool


def rows(schedule: Schedule) -> list[Row]:
    """Return a row for each job, in the order they start."""
    slots: dict[str, list[tuple[float, float]]] = {}
    for slot in schedule.slots:
        slots.setdefault(slot.job, []).append((slot.start, slot.end))
    return [
        Row(
            f"{job} x{len(times)}" if len(times) > 1 else job,
            min(start for start, _ in times),
            max(end for _, end in times),
            job in schedule.critical,
        )
        for job, times in slots.items()
    ]


def as_text(schedule: Schedule, width: int) -> str:
    """Return the schedule as lines of at most `width` columns (but 60); `*` is critical."""
    found = rows(schedule)
    names = max(len(row.name) for row in found)
    room = max(width, 60) - names - 21  # a bar at the very end is still one column wide
    scale = room / (schedule.wall_seconds or 1)
    lines = []
    for row in found:
        begin = round(row.start * scale)
        bar = " " * begin + _BAR * max(1, round(row.end * scale) - begin)
        times = f"{minutes(row.start):>7}  {minutes(row.end):>7}"
        lines.append(f"{'*' if row.critical else ' '} {row.name:<{names}}{times}  {bar}")
    return "\n".join(lines)


def as_svg(schedule: Schedule, title: str) -> str:
    """Return the schedule as an SVG picture that needs nothing else."""
    found = rows(schedule)
    left = _PAD * 2 + 8 * max(len(row.name) for row in found)
    width, height = left + _AXIS + _RIGHT, _TOP + _ROW * len(found) + _PAD
    scale = _AXIS / (schedule.wall_seconds or 1)
    label = f"{title}: {minutes(schedule.wall_seconds)} minutes"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="12">',
        f"<title>{escape(label)}</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{_PAD}" y="18" font-size="14" font-weight="bold">{escape(label)}</text>',
        *_ticks(schedule.wall_seconds, left, height, scale),
    ]
    for number, row in enumerate(found):
        y = _TOP + number * _ROW
        x, length = left + row.start * scale, max(1.5, (row.end - row.start) * scale)
        color, weight = (_CRITICAL, "bold") if row.critical else (_OTHER, "normal")
        after = min(x + length + 4, left + _AXIS + 4)
        lines += [
            f'<text x="{left - _PAD}" y="{y + 14}" text-anchor="end" font-weight="{weight}">'
            f"{escape(row.name)}</text>",
            f'<rect x="{x:.1f}" y="{y + 3}" width="{length:.1f}" height="{_ROW - 7}" rx="2" '
            f'fill="{color}"/>',
            f'<text x="{after:.1f}" y="{y + 14}" fill="#444">{minutes(row.end - row.start)}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _ticks(seconds: float, left: int, height: int, scale: float) -> Iterator[str]:
    """Yield lines at whole minutes, ten at most."""
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 240, 600)
    step = next((size for size in steps if seconds / 60 / size <= 10), steps[-1])
    for minute in range(0, int(seconds // 60) + 1, step):
        x = left + minute * 60 * scale
        yield (
            f'<path d="M{x:.1f} {_TOP - 4}V{height - _PAD}" stroke="#ddd"/>'
            f'<text x="{x:.1f}" y="{_TOP - 8}" text-anchor="middle" fill="#666">{minute}</text>'
        )
