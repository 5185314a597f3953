"""A page for each notebook in `notebooks/`, with the outputs that it was saved with."""

import pathlib
import re

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter
from nbconvert.preprocessors import CoalesceStreamsPreprocessor

_PICTURE = re.compile(r"!\[png\]")
_HEADING = re.compile(r"^#+ (.*)$", re.M)


def to_markdown(path: pathlib.Path) -> tuple[str, dict[str, bytes]]:
    """Returns the Markdown of a notebook, and its pictures by their places relative to it.

    Below the title stands a link to the notebook itself. A picture is described by the heading above it.
    """
    notebook = nbformat.read(path, as_version=4)
    exporter = MarkdownExporter(preprocessors=[CoalesceStreamsPreprocessor])  # lines that were printed one by one
    markdown, resources = exporter.from_notebook_node(notebook, {"output_files_dir": f"{path.stem}_files"})
    described = lambda match: f"![{_HEADING.findall(markdown[: match.start()])[-1]}]"
    title, _, rest = _PICTURE.sub(described, markdown).lstrip().partition("\n")
    link = f'<a href="{path.name}" download>Download this notebook</a>'  # in Markdown it would lead to the page
    return f"{title}\n\n{link}\n{rest}", resources["outputs"]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the notebooks: the pages, their pictures, and the files themselves."""
    root = pathlib.Path(config.config_file_path).parent
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        markdown, pictures = to_markdown(path)
        contents = {f"{path.stem}.md": markdown, path.name: path.read_text(encoding="utf-8"), **pictures}
        for name, content in contents.items():
            files.append(File.generated(config, f"notebooks/{name}", content=content))
    return files
