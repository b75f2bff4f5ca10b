"""What people see of coverage, as a whole: terminal, Markdown summary, GitHub's annotations."""

from __future__ import annotations

import re
import textwrap
from dataclasses import replace

import pytest

from paceline.ci import gitlab
from paceline.coverage.check import Checked
from paceline.coverage.figures import FileFigures, Total, total
from paceline.coverage.gates import Limits, Unknown, judge
from paceline.coverage.reports import github_annotations, markdown, terminal, total_line

WHOLE = {
    file.path: file
    for file in (
        FileFigures(
            "pkg/a.py",
            executed=frozenset({1, 2, 3, 6}),
            missing=frozenset({4, 5, 9}),
            taken=frozenset({(2, 3)}),
            not_taken=frozenset({(2, 4), (6, -1)}),
            statements=frozenset({1, 2, 3, 4, 5, 6, 9}),
        ),
        FileFigures("pkg/b|c.py", frozenset({1, 2}), frozenset(), statements=frozenset({1, 2})),
        FileFigures("pkg/old.py", frozenset(), frozenset({1}), statements=frozenset({1})),
    )
}
CHANGED = {"pkg/a.py": WHOLE["pkg/a.py"].on_lines({3, 4, 5, 6}), "pkg/b|c.py": WHOLE["pkg/b|c.py"]}
LIMITS = Limits(total=40.0, changed=90.0, drop=0.5)
CHECKED = Checked(
    total(WHOLE.values()),
    WHOLE,
    CHANGED,
    "against origin/main",
    tuple(judge(WHOLE, LIMITS, CHANGED, Unknown("abc has no ci/coverage.json"))),
    ("templates/page",),
)


def text(checked: Checked, limit: int | None = None) -> str:
    return "\n".join(line.text for line in terminal(checked, limit))


def test_the_terminal_shows_what_matters() -> None:
    """Changed files with what their changed lines lack, the total, and the gates."""
    assert text(CHECKED) == textwrap.dedent("""\
        templates/page: traced, but not Python: left out
        changed against origin/main  lines  covered   whole file  not covered
        pkg/a.py                     4      40.00 %   50.00 %     4-5, 6->exit
        pkg/b|c.py                   2      100.00 %  100.00 %

        TOTAL  6 of 10 lines, 1 of 3 branches  53.84%

        coverage of    verdict    found
        total          passed     53.84 %, fail_under is 40
        changed lines  failed     57.14 %, diff_fail_under is 90
        drop           not known  abc has no ci/coverage.json""")


def test_without_a_base_everything_that_lacks_is_shown() -> None:
    """Where the changed lines are not known, it is said, and the files that lack most are named."""
    unknown = replace(CHECKED, changed=Unknown("no git"), verdicts=(), left_out=())
    assert text(unknown) == textwrap.dedent("""\
        changed lines are not known: no git
        not covered: pkg/a.py: 4-5, 9, 6->exit
        not covered: pkg/old.py: 1
        TOTAL  6 of 10 lines, 1 of 3 branches  53.84%""")
    assert github_annotations(unknown) == []
    assert "Changed lines are not known: no git." in markdown(unknown)


def test_without_changes_little_is_shown() -> None:
    """A change that touches no measured line says so in one line."""
    nothing = replace(CHECKED, changed={}, verdicts=(), left_out=())
    assert text(nothing).splitlines()[0] == "no measured line changed against origin/main"


def test_the_markdown_summary() -> None:
    """The summary has the total, each gate's verdict and the changed files; bars are escaped."""
    assert markdown(CHECKED) == textwrap.dedent("""\
        ## Coverage 53.84 %

        6 of 10 lines, 1 of 3 branches.

        | gate | verdict | found |
        |---|---|---|
        | total | ✅ passed | 53.84 %, fail_under is 40 |
        | changed lines | ❌ failed | 57.14 %, diff_fail_under is 90 |
        | drop | ❓ not known | abc has no ci/coverage.json |

        Changed against origin/main:

        | file | changed lines | covered | whole file | not covered |
        |---|--:|--:|--:|---|
        | pkg/a.py | 4 | 40.00 % | 50.00 % | 4-5, 6->exit |
        | pkg/b\\|c.py | 2 | 100.00 % | 100.00 % |  |
        """)


def test_annotations_name_the_changed_lines() -> None:
    """GitHub gets one warning for each stretch of changed lines, below the project's folder."""
    assert github_annotations(CHECKED, "sub/") == [
        "::warning file=sub/pkg/a.py,line=4,endLine=5,title=Not covered::no test runs lines 4 to 5",
        "::warning file=sub/pkg/a.py,line=6,endLine=6,title=Not covered::"
        "no test goes from line 6 to the exit",
    ]


def test_annotations_are_escaped_and_few() -> None:
    """Odd paths cannot break the command, and of many places the last says how many there are."""
    missing = frozenset(range(1, 41, 2))
    part = FileFigures(
        "a,b:%.py", frozenset(range(2, 41, 2)), missing, statements=frozenset(range(1, 41))
    )
    commands = github_annotations(replace(CHECKED, changed={part.path: part}))
    assert len(commands) == 10
    assert commands[0].startswith("::warning file=a%2Cb%3A%25.py,line=1,")
    assert commands[-1].endswith("and 11 more places: see the job's summary")


@pytest.mark.parametrize("figure", [Total(10, 9, 4, 2), Total(10, 10), Total(3, 2), Total(9, 0)])
def test_gitlab_reads_the_total(figure: Total) -> None:
    """GitLab's `coverage:` expression, as it is in the generated file, finds the figure."""
    pattern = gitlab._COVERAGE.strip("/")
    found = re.search(pattern, f"x\n{total_line(figure)}\n", re.MULTILINE)
    assert found
    assert float(found[1]) == pytest.approx(figure.percent, abs=0.01)
