"""Pages and pictures outside `docs/`, so that links which work on a code host work on the site too.

Whatever the pages of `docs/` link to becomes part of the site, and so does what these pages link to: Markdown as a
page, code as its section of the reference or as a page that shows it, anything else as a file. Links are written anew
for the place of the page on the site.
"""

import os
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

# A link or a picture, outside of code. A fence is a block of lines, a code span is short.
_LINK = re.compile(r"(?P<start>!?\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\()(?P<target>[^)\s]+)(?P<end>[^)]*\))")
_CODE = re.compile(r"^(?P<fence>```+|~~~+).*?^(?P=fence)\s*$|(?P<tick>`+)(?!`).+?(?<!`)(?P=tick)(?!`)", re.M | re.S)
_DESCRIBED = re.compile(r"^::: (\S+)", re.M)  # as mkdocstrings spells it
_PICTURE = re.compile(r'<p>(?P<picture><img [^>]*src="(?P<place>[^"]+)"[^>]*>)</p>')
_TITLED = re.compile(r"^# \S", re.M)
_LANGUAGES = {".py": "python", ".pyi": "python", ".sh": "bash", ".toml": "toml", "": "bash"}
_NOTEBOOK = ".ipynb"
_FILES = (".csv", ".gif", ".html", ".json", ".mp4", ".npz", ".pdf", ".png", ".svg", ".tex")


def links(markdown: str) -> Iterator[re.Match]:
    """Yields the links of a text that are not code. A link's text may hold code spans."""
    code = [match.span() for match in _CODE.finditer(markdown)]
    for match in _LINK.finditer(markdown):
        if not any(start < match.start() < end for start, end in code):
            yield match


def rewrite(markdown: str, destination: Callable[[str], str | None]) -> str:
    """Returns a text with other targets of its links.

    Args:
      markdown: The text.
      destination: `(target) -> target`, or None where the link should become its text.
    """
    parts, end = [], 0
    for match in links(markdown):
        target = destination(match["target"])
        link = match["text"] if target is None else f"{match['start']}{target}{match['end']}"
        parts += [markdown[end : match.start()], link]
        end = match.end()
    return "".join((*parts, markdown[end:]))


class Site:
    """The places of the repository's files on the site.

    Attributes:
      root: The directory of the repository.
      docs: The directory of the documentation, relative to `root`.
      address: The address at which the repository's files can be read, or None.
    """

    def __init__(self, root: pathlib.Path, docs: str, address: str | None = None):
        self.root, self.docs, self.address = root, docs, address

    def file(self, page: str, target: str) -> str | None:
        """Returns the path of the file that a page links to, relative to `root`; that of its README for a folder."""
        path = os.path.normpath(os.path.join(os.path.dirname(page), target)) if target else page
        if path == "README.md":  # the site begins with the README of the documentation
            return f"{self.docs}/README.md"
        readme = os.path.join(path, "README.md")
        path = readme if (self.root / readme).is_file() else path
        return path if (self.root / path).exists() and not path.startswith("..") else None

    def uri(self, path: str) -> str | None:
        """Returns the place on the site of a file of the repository, or None if it can have none."""
        if path.endswith((".md", _NOTEBOOK, *_FILES)):
            page = f"{path.removesuffix(_NOTEBOOK)}.md" if path.endswith(_NOTEBOOK) else path
            return page.removeprefix(f"{self.docs}/")
        return f"source/{path}.md" if self.address is None and (self.root / path).is_file() else None

    def linked_files(self, pages: Iterable[str]) -> list[str]:
        """Returns the pages and all files that they link to, directly or through others."""
        queue = list(dict.fromkeys(pages))
        for page in queue:  # grows
            if page.endswith(".md") and (self.root / page).is_file():
                targets = (match["target"] for match in links((self.root / page).read_text(encoding="utf-8")))
                paths = (self.file(page, target.partition("#")[0]) for target in targets if not _external(target))
                queue += [path for path in dict.fromkeys(paths) if path and path not in queue]
        return queue

    def destination(self, page: str, target: str, uris: set[str], modules: dict[str, str]) -> str | None:
        """Returns the target of a link on the site; None if it has none.

        Args:
          page: The path of the page with the link, relative to `root`.
          target: The target of the link in the repository.
          uris: The places of the site that exist.
          modules: The page of the reference that describes a module, by the module's name.
        """
        name, _, anchor = target.partition("#")
        path = self.file(page, name)
        if _external(target) or path is None:  # a link to nowhere stays, so that MkDocs reports it
            return target
        module = module_name(path)
        if module in modules:
            uri, anchor = modules[module], module
        elif self.uri(path) in uris:
            uri = self.uri(path)
        else:
            return f"{self.address.rstrip('/')}/{path}" if self.address else None
        return os.path.relpath(uri, os.path.dirname(self.uri(page)) or ".") + (f"#{anchor}" if anchor else "")


def module_name(path: str) -> str:
    """Returns the name that a file or a folder has as a Python module."""
    return ".".join(pathlib.PurePosixPath(path.removesuffix("/__init__.py").removesuffix(".py")).parts)


def described_modules(files: Files) -> dict[str, str]:
    """Returns the page that describes a module, for each module of the reference."""
    pages = (file for file in files.documentation_pages() if file.src_uri.startswith("reference/"))
    return {module: page.src_uri for page in pages for module in _DESCRIBED.findall(page.content_string)}


def source_page(root: pathlib.Path, path: str) -> str:
    """Returns the Markdown of a page that shows a file."""
    text = (root / path).read_text(encoding="utf-8")
    language = _LANGUAGES.get(pathlib.PurePosixPath(path).suffix, "text")
    return f"---\nsearch:\n  exclude: true\n---\n\n# {path}\n\n~~~~~{language}\n{text}\n~~~~~\n"


def titled(markdown: str, path: str) -> str:
    """Returns a page with a title: if it has none, the name of its file, or of its folder if it is the README there."""
    place = pathlib.PurePosixPath(path)
    name = place.parent.name if place.name == "README.md" else place.stem
    words = re.sub(r"_|(?<=[a-z])(?=\d)", " ", name)
    return markdown if _TITLED.search(markdown) else f"# {words.capitalize()}\n\n{markdown}"


def _external(target: str) -> bool:
    return target.startswith("#") or "://" in target or target.startswith("mailto:")


def _site(config: MkDocsConfig) -> Site:
    root = pathlib.Path(config.config_file_path).parent
    return Site(root, pathlib.Path(config.docs_dir).relative_to(root).as_posix(), config.extra.get("files_url"))


def _nav_paths(nav) -> Iterator[str]:
    """Yields the pages that a navigation names, at any depth."""
    if isinstance(nav, str):
        yield nav
    else:
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from _nav_paths(part)


def _linked_files(site: Site, config: MkDocsConfig) -> list[str]:
    """Returns the files that the pages of the documentation and the navigation link to, and these themselves."""
    pages = sorted(path.relative_to(site.root).as_posix() for path in (site.root / site.docs).glob("*.md"))
    named = [path for path in _nav_paths(config.nav or []) if (site.root / path).is_file() and path != "README.md"]
    return site.linked_files((*pages, *named))


def _expanded(nav, pages: list[str]):
    """Returns a navigation in which an entry `folder/*` is replaced by the READMEs below it that it lacks."""
    if isinstance(nav, dict):
        return {title: _expanded(part, pages) for title, part in nav.items()}
    if isinstance(nav, str):
        return nav
    named = set(_nav_paths(nav))
    readmes = [page for page in sorted(pages) if page.endswith("/README.md") and page not in named]
    below = lambda folder: [page for page in readmes if page.startswith(folder)]
    parts = [below(part[:-1]) if str(part).endswith("/*") else [_expanded(part, pages)] for part in nav]
    return [part for expanded in parts for part in expanded]


def on_config(config: MkDocsConfig) -> None:
    """Completes the navigation."""
    pages = [path for path in _linked_files(_site(config), config) if path.endswith(".md")]
    config.nav = _expanded(config.nav, pages)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds what the pages of the documentation and the navigation link to."""
    site, modules = _site(config), described_modules(files)
    for path in _linked_files(site, config):
        uri = site.uri(path)
        if uri is None or files.get_file_from_path(uri) or module_name(path) in modules:
            continue
        place = {"content": source_page(site.root, path)} if uri.startswith("source/") else {}
        files.append(File.generated(config, uri, **(place or {"abs_src_path": str(site.root / path)})))
    return files


def on_page_markdown(markdown: str, page, config: MkDocsConfig, files: Files) -> str:
    """Writes the links of a page for its place on the site."""
    site, uri = _site(config), page.file.src_uri
    if uri.startswith(("reference/", "source/")):
        return markdown
    path = f"{site.docs}/{uri}" if (site.root / site.docs / uri).is_file() else uri
    uris, modules = set(files.src_uris), described_modules(files)
    return rewrite(titled(markdown, path), lambda target: site.destination(path, target, uris, modules))


def on_page_content(content: str, **_) -> str:
    """Makes each picture a link to its file, where a telephone can enlarge it."""
    return _PICTURE.sub(r'<p><a href="\g<place>">\g<picture></a></p>', content)
