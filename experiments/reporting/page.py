"""The report page of a run, `report/index.html`: numbers, pictures and movies in a single file.

Pictures are embedded in the page as data URIs; their files stay in the same directory. The page has no scripts, and
its content security policy forbids all requests.
"""

import base64
import html
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.reporting.tables import Table, to_html
from experiments.run.provenance import Provenance
from hgn_jax.whole_files import whole_file

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


class Picture(NamedTuple):
    """A picture or movie of a page.

    Attributes:
      name: Name of its file, in the directory of the page.
      heading: Heading above it.
      caption: Text below it.
    """

    name: str
    heading: str
    caption: str


def write_page(
    directory: pathlib.Path,
    title: str,
    lead: Sequence[str],
    tables: Sequence[Table],
    pictures: Sequence[Picture],
    provenance: Provenance,
) -> None:
    """Writes `index.html`; an error leaves the page that was there before.

    Args:
      directory: Directory of the page and its pictures.
      title: Title of the page.
      lead: Opening paragraphs.
      tables: Tables, in the order shown; a page without any has no section for numbers.
      pictures: Pictures, in the order shown; those without a file are left out.
      provenance: Origin of the run.
    """
    sections = {
        "Numbers": "\n".join(_table(table) for table in tables),
        "Pictures and movies": "\n".join(
            _figure(directory, picture) for picture in pictures if (directory / picture.name).exists()
        ),
        "How to reproduce it": _reproduction(provenance),
        "Configuration": _configuration(provenance.config),
    }
    sections = {heading: content for heading, content in sections.items() if content}
    links = " · ".join(f'<a href="#{_anchor(heading)}">{heading}</a>' for heading in sections)
    paragraphs = "\n".join(f"<p>{html.escape(text)}</p>" for text in lead)
    parts = [f"<h1>{html.escape(title)}</h1>", paragraphs, f'<nav aria-label="Sections">{links}</nav>']
    parts += [f'<h2 id="{_anchor(heading)}">{heading}</h2>\n{content}' for heading, content in sections.items()]
    text = (
        "<!doctype html>\n"
        f'<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n" + "\n".join(parts) + "\n</main>\n</body>\n</html>\n"
    )
    with whole_file(directory / "index.html") as part:
        part.write_text(text, encoding="utf-8")


def _anchor(heading: str) -> str:
    return heading.lower().replace(" ", "-")


def _scroll(label: str, content: str) -> str:
    """Puts content that may be wider than a telephone into a box that can be scrolled, by keyboard too."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{html.escape(label)}">\n{content}\n</div>'


def _table(table: Table) -> str:
    meaning = f'\n<p class="meaning">{html.escape(table.meaning)}</p>' if table.meaning else ""
    return f"<h3>{html.escape(table.heading)}</h3>\n{_scroll(table.heading, to_html(table))}{meaning}"


def _figure(directory: pathlib.Path, picture: Picture) -> str:
    """Returns a picture with its caption; a movie can be folded away by readers whom it disturbs."""
    name, heading, caption = (html.escape(text) for text in picture)
    suffix = pathlib.PurePath(picture.name).suffix
    data = base64.b64encode((directory / picture.name).read_bytes()).decode("ascii")
    image = f'<img src="data:{_MEDIA_TYPES[suffix]};base64,{data}" alt="{heading}">'
    movie = f"<details open>\n<summary>movie (close to stop)</summary>\n{image}\n</details>"
    content = movie if suffix in _MOVIES else _scroll(picture.heading, image)
    return (
        f"<h3>{heading}</h3>\n<figure>\n{content}\n<figcaption>{caption} <small>File: <code>{name}</code>.</small>"
        "</figcaption>\n</figure>"
    )


def _reproduction(provenance: Provenance) -> str:
    parts = []
    if provenance.command:
        parts = [
            "<p>This command repeats the run in a new directory:</p>",
            f"<pre>{html.escape(provenance.command)}</pre>",
            '<p class="meaning">The same device and the same versions give the same numbers. Elsewhere rounding '
            "differs, and so does the course of the training.</p>",
        ]
    rows = list(provenance.facts.items())
    return "\n".join([*parts, _table(Table("The run", rows))])


def _configuration(config: Mapping[str, str]) -> str:
    lines = html.escape("\n".join(f"{name} = {value}" for name, value in config.items()))
    return f"<details>\n<summary>all {len(config)} fields, as in config.json</summary>\n<pre>{lines}</pre>\n</details>"
