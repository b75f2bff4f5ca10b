"""Where code looks at itself: at lines of code that runs, at source text, at code objects."""

from __future__ import annotations

import ast
from collections.abc import Collection, Set
from dataclasses import dataclass

from paceline.impact.mentions import SHOWN_CODE, mentioning
from paceline.impact.source import Source

#: What code mentions that looks at frames or tracebacks, which are of code that runs.
SEES_LINES = frozenset(
    (
        "tb_lineno", "f_lineno", "tb_lasti", "f_lasti", "getframeinfo", "getinnerframes",
        "getouterframes", "currentframe", "_getframe", "extract_stack", "extract_tb",
        "format_exc", "format_exception", "format_stack", "format_tb", "print_exc",
        "print_exception", "print_stack", "walk_tb", "walk_stack", "TracebackException",
        "StackSummary", "caplog", "findCaller", "get_object_traceback", "getrepr",
        "_getreprcrash", "reprcrash",
    )
)  # fmt: skip

#: What code mentions that looks at code objects, of whatever function. What looks at source text,
#: as inspect.getsource does, asks linecache for the file, and the watch sees that.
SEES_TEXTS = frozenset(
    (
        "co_firstlineno", "co_lines", "co_linetable", "co_lnotab", "co_positions", "co_code",
        "co_consts", "co_names", "co_varnames", "co_nlocals", "co_stacksize", "co_freevars",
        "co_cellvars", SHOWN_CODE, "getlineno", "dis",
    )
)  # fmt: skip

#: What code mentions that looks at docstrings, of whatever object.
SEES_DOCSTRINGS = ("__doc__", "getdoc", "shortDescription")


#: What code mentions that has to do with warnings and log records, which know their line.
_RECORDS = frozenset(
    ("catch_warnings", "recwarn", "warns", "LogRecord", "emit", "addHandler", "makeRecord")
)


@dataclass(frozen=True, slots=True)
class Looks:
    """The lines of a file that look at lines of running code, and at texts."""

    lines: frozenset[int] = frozenset()
    texts: frozenset[int] = frozenset()


def looks_of(path: str, tree: ast.Module, parsed: Source) -> Looks | None:
    """Return where the file at `path` looks at such things; None if it does nowhere."""
    names = frozenset[str]().union(*(block.names for block in parsed.blocks))
    # Elsewhere it is mostly that of something else, such as of a parsed text.
    of_records = not names.isdisjoint(("logging", "LogRecord", "warnings", "catch_warnings"))
    lines = SEES_LINES | ({"lineno"} if _is_test_code(path) or of_records else set())
    lines |= {"stack", "trace"} if "inspect" in names else set()
    lines |= {name for name in names if "(lineno)" in name or "{lineno" in name}  # of a log
    if not names & (lines | SEES_TEXTS):
        return None
    return Looks(*mentioning(tree, lines, SEES_TEXTS))


def keeps_lines(names: Collection[Set[str]]) -> bool:
    """Return whether code that mentions `names` looks at the lines of warnings or log records."""
    return any("lineno" in some for some in names) and any(
        not _RECORDS.isdisjoint(some) for some in names
    )


def _is_test_code(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.startswith(("test_", "conftest")) or name.endswith("_test.py")
