"""The report page of a run, `report/index.html`: numbers, pictures and movies in one file that needs nothing else.

Pictures are in the page as data URIs, and stay beside it too, for papers. The page has no scripts, and its content
security policy keeps it from asking for anything.
"""

import base64
import html
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.run.provenance import Provenance

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_MEDIA_TYPES = {".png": "image/png", ".gif": "image/gif"}
_MOVIES = (".gif",)
_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff; overflow-wrap: break-word; }
h1, h2, h3 { line-height: 1.2; }
h1 { font-size: clamp(1.4rem, 6vw, 2rem); }
h2 { margin-top: 3rem; border-bottom: 2px solid #0072b2; }
a { color: #005a8d; }
p, figcaption { max-width: 46rem; }
p.meaning, figcaption { color: #444; }
figure { margin: 1rem 0 2rem; }
.scroll { overflow-x: auto; }
img { max-width: 100%; height: auto; }
table { border-collapse: collapse; }
td, th { padding: 0.2rem 1.5rem 0.2rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid #ddd; }
tbody th { font-weight: normal; }
td { font-variant-numeric: tabular-nums; }
table.wide td { white-space: nowrap; }
summary { cursor: pointer; }
pre { background: #f4f4f4; padding: 0.8rem; white-space: pre-wrap; overflow-wrap: anywhere; }
@media (max-width: 45rem) { .scroll img { max-width: 44rem; } td, th { padding-right: 0.8rem; } }
"""


class Table(NamedTuple):
    """Numbers, and what they mean.

    Attributes:
      heading: what they are.
      rows: name to values, one for each column.
      meaning: how to read them, and which direction is good.
      columns: names; none for a table of one column.
    """

    heading: str
    rows: Mapping[str, Sequence[str]]
    meaning: str = ""
    columns: Sequence[str] = ()


class Picture(NamedTuple):
    """A picture or movie in the directory of the page, what it is called, and what it shows."""

    name: str
    heading: str
    caption: str


def print_tables(tables: Sequence[Table]) -> None:
    """Prints the numbers of tables."""
    for table in tables:
        print()
        for name, values in {table.heading: table.columns, **{f"  {k}": v for k, v in table.rows.items()}}.items():
            print((f"{name:<42}" + "".join(f"{value:<22}" for value in values)).rstrip())


def write_page(
    directory: pathlib.Path,
    title: str,
    lead: Sequence[str],
    tables: Sequence[Table],
    pictures: Sequence[Picture],
    provenance: Provenance,
) -> None:
    """Writes `index.html`, whole or not at all.

    Args:
      directory: where the pictures are.
      title: of the page.
      lead: paragraphs that say what the model is and what the run shows.
      tables: in the order they are shown.
      pictures: in the order they are shown; those that were not drawn are left out.
      provenance: how the run came about.
    """
    sections = {
        "Numbers": "\n".join(_table(table) for table in tables),
        "Pictures and movies": "\n".join(
            _figure(directory, picture) for picture in pictures if (directory / picture.name).exists()
        ),
        "How to reproduce it": _reproduction(provenance),
        "Configuration": _configuration(provenance.config),
    }
    links = " · ".join(f'<a href="#{_anchor(heading)}">{heading}</a>' for heading in sections)
    paragraphs = "\n".join(f"<p>{html.escape(text)}</p>" for text in lead)
    parts = [f"<h1>{html.escape(title)}</h1>", paragraphs, f'<nav aria-label="Sections">{links}</nav>']
    parts += [f'<h2 id="{_anchor(heading)}">{heading}</h2>\n{content}' for heading, content in sections.items()]
    part = directory / "index.html.part"
    part.write_text(
        "<!doctype html>\n"
        f'<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n" + "\n".join(parts) + "\n</main>\n</body>\n</html>\n",
        encoding="utf-8",
    )
    part.replace(directory / "index.html")


def _anchor(heading: str) -> str:
    return heading.lower().replace(" ", "-")


def _scroll(label: str, content: str) -> str:
    """What may be wider than a telephone, in a box of its own that the keyboard can scroll."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{html.escape(label)}">\n{content}\n</div>'


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in table.columns)
    head = f"<thead><tr><td></td>{head}</tr></thead>\n" if head else ""
    opening = '<table class="wide">' if head else "<table>"
    rows = "\n".join(
        f'<tr><th scope="row">{html.escape(name)}</th>'
        + "".join(f"<td>{html.escape(value)}</td>" for value in values)
        + "</tr>"
        for name, values in table.rows.items()
    )
    body = _scroll(table.heading, f"{opening}\n{head}<tbody>\n{rows}\n</tbody>\n</table>")
    meaning = f'\n<p class="meaning">{html.escape(table.meaning)}</p>' if table.meaning else ""
    return f"<h3>{html.escape(table.heading)}</h3>\n{body}{meaning}"


def _figure(directory: pathlib.Path, picture: Picture) -> str:
    """A picture with its caption; a movie can be folded away by those whom it disturbs."""
    name, heading, caption = (html.escape(text) for text in picture)
    suffix = pathlib.PurePath(picture.name).suffix
    data = base64.b64encode((directory / picture.name).read_bytes()).decode("ascii")
    image = f'<img src="data:{_MEDIA_TYPES[suffix]};base64,{data}" alt="{heading}">'
    movie = f"<details open>\n<summary>movie (close to stop)</summary>\n{image}\n</details>"
    content = movie if suffix in _MOVIES else _scroll(picture.heading, image)
    return (
        f"<h3>{heading}</h3>\n<figure>\n{content}\n<figcaption>{caption} <small>Beside this page: <code>{name}</code>."
        "</small></figcaption>\n</figure>"
    )


def _reproduction(provenance: Provenance) -> str:
    parts = []
    if provenance.command:
        parts = [
            "<p>This trains and measures the same again, in a new directory:</p>",
            f"<pre>{html.escape(provenance.command)}</pre>",
            '<p class="meaning">On the same device with the same versions it is the same run; elsewhere rounding '
            "differs, and with it the course of the training.</p>",
        ]
    if provenance.beyond_flags:
        fields = ", ".join(provenance.beyond_flags)
        parts.append(f"<p>No flag can set these fields as they were: {html.escape(fields)}.</p>")
    rows = {name: (value,) for name, value in provenance.facts.items()}
    return "\n".join([*parts, _table(Table("The run", rows))])


def _configuration(config: Mapping[str, str]) -> str:
    lines = html.escape("\n".join(f"{name} = {value}" for name, value in config.items()))
    return f"<details>\n<summary>all {len(config)} fields, as in config.json</summary>\n<pre>{lines}</pre>\n</details>"
