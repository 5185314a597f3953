"""Tests of `experiments.reporting.tables`: the same cells in every format."""

import csv
import html.parser

from experiments.reporting import tables
from experiments.reporting.tables import Table

_TABLE = Table(
    "Errors", [("HGN (no f_ψ)", "train", "1.5 ± 0.1"), ("HNN", "test", "missing")], "", ("split", "pendulum")
)


class _Cells(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.rows, self.inside = [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.inside = tag in ("td", "th")
        if tag == "tr":
            self.rows.append([])
        elif self.inside:
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.inside:
            self.rows[-1][-1] += data.strip()


def test_console(capsys):
    tables.print_tables([_TABLE, Table("One column", [("x", "2")])])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        [], ["Errors", "split", "pendulum"],
        ["HGN", "(no", "f_ψ)", "train", "1.5", "±", "0.1"], ["HNN", "test", "missing"],
        [], ["One", "column"], ["x", "2"],
    ]  # fmt: skip
    assert len({lines[1].index("split"), lines[2].index("train"), lines[3].index("test")}) == 1
    assert len({lines[1].index("pendulum"), lines[2].index("1.5"), lines[3].index("missing")}) == 1


def test_markdown():
    head, rule, *rows = tables.to_markdown(_TABLE).splitlines()
    assert rule == "|---|---|---|"
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in (head, *rows)]
    assert cells == _TABLE.lines


def test_csv():
    assert list(csv.reader(tables.to_csv(_TABLE).splitlines())) == _TABLE.lines


def test_latex():
    lines = tables.to_latex(_TABLE).splitlines()
    assert lines[0] == r"\begin{tabular}{llr}"  # numbers are aligned to the right
    assert lines[4] == r"HGN (no $f_\psi$) & train & 1.5 $\pm$ 0.1 \\"
    assert all(line.isascii() for line in lines)


def test_html():
    assert _Cells(tables.to_html(_TABLE)).rows == [["", *_TABLE.columns], *_TABLE.lines[1:]]
    text = tables.to_html(Table("", [("a < b", "1 & 2")]))
    assert "a &lt; b" in text and "1 &amp; 2" in text and "<thead>" not in text
