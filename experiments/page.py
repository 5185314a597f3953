"""The report page of a run, `report/index.html`: tables of numbers, pictures and movies, in one file beside them."""

import html
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
img { max-width: 100%; height: auto; }
figure { margin: 2rem 0; }
figcaption { color: #555; }
table { border-collapse: collapse; }
td, th { padding: 0.2rem 1rem 0.2rem 0; text-align: left; border-bottom: 1px solid #ddd; }
td + td { font-variant-numeric: tabular-nums; }
"""


class Picture(NamedTuple):
    """A picture or movie in the directory of the page, and what it shows."""

    name: str
    caption: str


def write_page(
    directory: pathlib.Path, title: str, tables: Mapping[str, Mapping[str, str]], pictures: Sequence[Picture]
) -> None:
    """Writes `index.html` into `directory`.

    Args:
      directory: where the pictures are.
      title: of the page.
      tables: by heading, the rows of each, name to value.
      pictures: in the order they are shown.
    """
    parts = [f"<h1>{html.escape(title)}</h1>"]
    for heading, rows in tables.items():
        cells = "\n".join(f"<tr><td>{html.escape(k)}</td><td>{html.escape(v)}</td></tr>" for k, v in rows.items())
        parts.append(f"<h2>{html.escape(heading)}</h2>\n<table>\n{cells}\n</table>")
    for name, caption in pictures:
        text = html.escape(caption)
        parts.append(
            f'<figure>\n<img src="{html.escape(name)}" alt="{text}">\n<figcaption>{text}</figcaption>\n</figure>'
        )
    (directory / "index.html").write_text(
        "<!doctype html>\n"
        f'<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{_STYLE}</style>\n</head>\n<body>\n'
        + "\n".join(parts)
        + "\n</body>\n</html>\n",
        encoding="utf-8",
    )
