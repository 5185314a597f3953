"""Tables of text, and the formats they are shown in: console, HTML, Markdown, CSV and LaTeX."""

import csv
import html
import io
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

_NAME_WIDTH, _CELL_WIDTH = 42, 22


class Table(NamedTuple):
    """A table.

    Attributes:
      heading: Title of the table; it stands above the first column, which names the rows.
      rows: Cells of each row, the first of which is the name of the row.
      meaning: Explanation of the numbers, and which direction is good.
      columns: Names of the columns after the first; empty if there is one and it needs no name.
    """

    heading: str
    rows: Sequence[Sequence[str]]
    meaning: str = ""
    columns: Sequence[str] = ()

    @property
    def lines(self) -> list[list[str]]:
        """The heading with the names of the columns, and the rows below it."""
        return [[self.heading, *self.columns], *map(list, self.rows)]


def print_tables(tables: Sequence[Table]) -> None:
    """Prints tables, aligned with each other."""
    for table in tables:
        print(f"\n{to_text(table)}")


def to_text(table: Table) -> str:
    """Formats a table for a console."""
    head, *rows = table.lines
    lines = [head, *([f"  {name}", *cells] for name, *cells in rows)]
    return "\n".join(_align(*line) for line in lines)


def _align(name: str, *cells: str) -> str:
    return (name.ljust(_NAME_WIDTH) + "".join(cell.ljust(_CELL_WIDTH) for cell in cells)).rstrip()


def to_html(table: Table) -> str:
    """Formats the rows and the names of the columns as an HTML table; heading and meaning are left to the page."""
    names = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in table.columns)
    head = f"<thead><tr><td></td>{names}</tr></thead>\n" if names else ""
    style = ' class="wide"' if names else ""
    rows = []
    for name, *cells in table.rows:
        row = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        rows.append(f'<tr><th scope="row">{html.escape(name)}</th>{row}</tr>\n')
    return f"<table{style}>\n{head}<tbody>\n{''.join(rows)}</tbody>\n</table>"


def to_markdown(table: Table) -> str:
    """Formats a table as Markdown."""
    head, *rows = (f"| {' | '.join(line)} |" for line in table.lines)
    return "\n".join([head, "|" + "---|" * (1 + len(table.columns)), *rows])


def to_csv(table: Table) -> str:
    """Formats a table as comma-separated values."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table.lines)
    return text.getvalue().rstrip("\n")


def to_latex(table: Table) -> str:
    """Formats a table as a LaTeX `tabular` with the rules of the package `booktabs`."""
    head, *rows = (" & ".join(map(_escape_latex, line)) + r" \\" for line in table.lines)
    body = "\n".join(["\\toprule", head, "\\midrule", *rows, "\\bottomrule"])
    numeric = [any(re.search(r"\d", cell) for cell in cells) for _, *cells in zip(*table.lines, strict=True)][1:]
    alignment = "l" + "".join("r" if numbers else "l" for numbers in numeric)
    return f"\\begin{{tabular}}{{{alignment}}}\n{body}\n\\end{{tabular}}"


def _escape_latex(text: str) -> str:
    return text.replace("±", r"$\pm$").replace("f_ψ", r"$f_\psi$")


FORMATS: dict[str, Callable[[Table], str]] = {"md": to_markdown, "csv": to_csv, "tex": to_latex}  # by suffix
