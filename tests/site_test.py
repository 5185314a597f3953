"""The documentation site: links are written for it, its build refuses what is broken, and its pages fit any screen."""

import base64
import functools
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading

import pytest

from tests.experiments.reporting import browser
from tests.root import ROOT

pytest.importorskip("material")
pages = pytest.importorskip("docs.hooks.pages")
reference = pytest.importorskip("docs.hooks.reference")
formulas = pytest.importorskip("docs.hooks.formulas")
flags = pytest.importorskip("docs.hooks.flags")
notebooks = pytest.importorskip("docs.hooks.notebooks")

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
TOUR = {
    "cells": [
        {"cell_type": "markdown", "metadata": {}, "source": "# Tour\n\n[guide](../docs/guide.md)\n\n## Dots"},
        {
            "cell_type": "code",
            "execution_count": 1,
            "metadata": {},
            "outputs": [{"data": {"image/png": PIXEL}, "metadata": {}, "output_type": "display_data"}],
            "source": "draw()",
        },
    ],
    "metadata": {"language_info": {"name": "python"}},
    "nbformat": 4,
    "nbformat_minor": 4,
}
_TINY = {
    "README.md": "# Tiny\n",
    "docs/README.md": "# Start\n\n[A](../results), [page](../results/README.md#numbers), ![image](../results/a.png)\n",
    "docs/tour.md": "# On tour\n\n[tour](../notebooks/tour.ipynb)\n",
    "docs/guide.md": "# Guide\n\n[A](../hgn_jax/physics/law.py), [data](../hgn_jax/data), [tool](../tool.py), $q^2$\n",
    "results/README.md": "# Results\n\n## Numbers\n\n[A](../docs/guide.md), [start](../README.md), [more](new)\n",
    "results/new/README.md": "# New results\n\n[more](../more.md)\n",
    "results/more.md": "# More\n\n`[no](link.md)`\n\n```\n[no](link.md)\n```\n",
    "results/a.png": "",
    "tool.py": "print('```')\n",
    "notebooks/tour.ipynb": json.dumps(TOUR),
    "hgn_jax/__init__.py": '"""A library."""\n',
    "hgn_jax/__init__.pyi": 'from .physics.law import force\n\n__all__ = ["force"]\n',
    "hgn_jax/data/__init__.py": '"""Data."""\n',
    "hgn_jax/physics/__init__.py": '"""Physics."""\n',
    "hgn_jax/physics/law.py": '"""Laws."""\n\n\ndef force(q):\n    """Returns the force."""\n',
    "data_builders/__init__.py": '"""Builders."""\n',
    "data_builders/datasets.py": '"""Data sets."""\n',
    "data_builders/films.py": '"""Films."""\n',
    "experiments/__init__.py": '"""Programs."""\n',
    "experiments/tasks.py": '"""Tasks."""\n',
}
_NAVIGATION = """
nav: [README.md, guide.md, tour.md, notebooks/tour.md, Reference: reference/,
      Results: [results/README.md, results/more.md, results/*]]
"""


def write_tiny(root: pathlib.Path, changes: dict[str, str]) -> None:
    """Writes a small repository with the settings and the hooks of this one."""
    for name, text in (_TINY | changes).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    shutil.copytree(ROOT / "docs" / "hooks", root / "docs" / "hooks", ignore=shutil.ignore_patterns("__pycache__"))
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    (root / "mkdocs.yml").write_text(settings[: settings.index("\nnav:")] + "\n" + _NAVIGATION, encoding="utf-8")


def build(root: pathlib.Path, site: pathlib.Path) -> tuple[int, str]:
    """Builds a site; returns the exit status and what was printed."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=500)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "page, target, destination",
    [
        ("docs/README.md", "guide.md#top", "guide.md#top"),
        ("docs/README.md", "../results", "results/README.md"),
        ("docs/README.md", "../results/a.png", "results/a.png"),
        ("docs/README.md", "../tool.py", "source/tool.py.md"),
        ("docs/README.md", "../notebooks/tour.ipynb", "notebooks/tour.md"),
        ("notebooks/tour.md", "../docs/guide.md", "../guide.md"),
        ("docs/README.md", "../hgn_jax/physics/law.py", "reference/physics.md#hgn_jax.physics.law"),
        ("docs/README.md", "../hgn_jax/physics", "reference/physics.md#hgn_jax.physics"),
        ("docs/README.md", "hooks/pages.py", "source/docs/hooks/pages.py.md"),
        ("docs/README.md", "../data_builders", None),
        ("docs/README.md", "https://example.org/a.md", "https://example.org/a.md"),
        ("docs/README.md", "missing.md", "missing.md"),
        ("results/README.md", "../docs/guide.md#top", "../guide.md#top"),
        ("results/README.md", "../README.md", "../README.md"),
        ("results/README.md", "#numbers", "#numbers"),
    ],
)
def test_destinations_of_links(tmp_path, page, target, destination):
    write_tiny(tmp_path, {})
    site = pages.Site(tmp_path, "docs")
    uris = {"README.md", "guide.md", "results/README.md", "results/a.png", "reference/physics.md"}
    uris |= {"notebooks/tour.md", "source/tool.py.md", "source/docs/hooks/pages.py.md"}
    modules = {"hgn_jax.physics": "reference/physics.md", "hgn_jax.physics.law": "reference/physics.md"}
    assert site.destination(page, target, uris, modules) == destination


def test_files_have_an_address_where_one_is_known(tmp_path):
    write_tiny(tmp_path, {})
    site = pages.Site(tmp_path, "docs", "https://example.org/tree/")
    for target in ("../tool.py", "../data_builders"):
        assert site.destination("docs/guide.md", target, set(), {}) == f"https://example.org/tree/{target[3:]}"


def test_a_link_without_a_destination_becomes_its_text():
    text = "[a `b` [c]](x) and ![d](y.png), `[e](x)`\n\n~~~\n[f](x)\n~~~\n"
    assert pages.rewrite(text, lambda target: None) == "a `b` [c] and d, `[e](x)`\n\n~~~\n[f](x)\n~~~\n"
    assert pages.rewrite(text, lambda target: target) == text


def test_formulas_become_mathml():
    page = r'<p><span class="arithmatex">\(q &lt; \dot p\)</span></p><div class="arithmatex">\[\frac{1}{2}\]</div>'
    mathml = formulas.to_mathml(page)
    assert mathml.count("<math") == 2 and "<mfrac>" in mathml
    assert "&lt;" in mathml.replace("&#x0003C;", "&lt;") and "\\" not in mathml


def test_functions_of_a_formula_have_space_before_their_arguments():
    spaced = [r"\ln p", r"\cos q \sim r"]
    assert all("<mspace" in formulas.to_mathml(rf'<span class="arithmatex">\({latex}\)</span>') for latex in spaced)
    assert "<mspace" not in formulas.to_mathml(r'<span class="arithmatex">\(\ln(p)\)</span>')


def test_flags_of_commands_stay_whole():
    marked = '<p>a -- b <code>run <span class="flag">--config.a=1,2</span> -- c-d</code> --e</p>'
    assert flags.keep_whole("<p>a -- b <code>run --config.a=1,2 -- c-d</code> --e</p>") == marked
    value = "a" * 50
    assert flags.keep_whole(f"<code>--b={value}</code>") == f'<code><span class="flag">--b=</span>{value}</code>'
    assert flags.keep_whole("<code>FLAGS=--a</code>") == "<code>FLAGS=--a</code>"


def test_a_picture_of_its_own_leads_to_its_file():
    image = '<img alt="a" src="b.png" />'
    assert pages.on_page_content(f"<p>{image}</p>") == f'<p><a href="b.png">{image}</a></p>'
    for content in (f"<p>c {image}</p>", f'<p><a href="d.html">{image}</a></p>'):
        assert pages.on_page_content(content) == content


def test_a_page_without_a_title_gets_one():
    assert pages.titled("A pendulum.\n", "data_builders/two_body/README.md") == "# Two body\n\nA pendulum.\n"
    assert pages.titled("| a |\n", "results/table1.md") == "# Table 1\n\n| a |\n"
    assert pages.titled("Text\n\n# Title\n", "results/table1.md") == "Text\n\n# Title\n"


def test_what_is_printed_in_parts_is_one_block(tmp_path):
    printed = [{"name": "stdout", "output_type": "stream", "text": f"step {step}\n"} for step in (1, 2)]
    cell = TOUR["cells"][1] | {"outputs": printed}
    write_tiny(tmp_path, {"notebooks/tour.ipynb": json.dumps(TOUR | {"cells": [TOUR["cells"][0], cell]})})
    page, _ = notebooks.to_markdown(tmp_path / "notebooks" / "tour.ipynb")
    assert "    step 1\n    step 2\n" in page


def test_the_reference_lists_its_pages_and_describes_no_name_twice():
    contents = reference.pages(ROOT)
    front, below = contents["reference/index.md"], contents["reference/below.md"]
    assert all(f"]({name}.md) |" in front for name in ("physics", "models", "data_builders", "experiments"))
    assert "::: hgn_jax.runs\n" in front and "::: hgn_jax.errors\n" in below and "hgn_jax.errors" not in front
    densities = contents["reference/models.md"].split("::: hgn_jax.models.densities")[1]
    assert "members: false" in densities and "[hgn_jax.models.densities.plane.two_moons]" in densities


def test_a_notebook_becomes_a_page_with_its_pictures(tmp_path):
    write_tiny(tmp_path, {})
    page, pictures = notebooks.to_markdown(tmp_path / "notebooks" / "tour.ipynb")
    [(name, picture)] = pictures.items()
    assert picture == base64.b64decode(PIXEL)
    assert page.startswith("# Tour\n") and f"![Dots]({name})" in page and "```python\ndraw()" in page


def test_public_names_have_docstrings():
    assert not list(reference.undocumented(reference.load(ROOT, "hgn_jax")))


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes, message",
    [
        ({}, None),
        ({"results/more.md": "# More\n\n[a page](nowhere.md)\n"}, "nowhere.md"),
        ({"results/more.md": "# More\n\n![a picture](nowhere.png)\n"}, "nowhere.png"),
        ({"results/more.md": "# More\n\n[a heading](README.md#letters)\n"}, "letters"),
        ({"results/more.md": "# More\n\n[a heading](#letters)\n"}, "letters"),
        ({"docs/lost.md": "# In no place of the navigation\n"}, "lost.md"),
        ({"hgn_jax/physics/law.py": '"""Laws."""\n\n\ndef force(q):\n    return q\n'}, "hgn_jax.physics.law.force"),
        ({"hgn_jax/physics/more.py": "def _force(q):\n    return q\n"}, "hgn_jax.physics.more"),
        ({"hgn_jax/physics/law.py": '"""Laws."""\n\nforce = 1\n'}, "hgn_jax.physics.law.force"),
    ],
    ids=["all is well", "page", "picture", "heading", "own heading", "navigation", "function", "module", "attribute"],
)
def test_a_strict_build_refuses_what_is_broken(tmp_path, changes, message):
    write_tiny(tmp_path, changes)
    status, output = build(tmp_path, tmp_path / "site")
    assert (status == 0) == (message is None), output
    assert message is None or message in output
    if message is None:
        assert 'href="reference/physics.html#hgn_jax.physics.law"' in (tmp_path / "site" / "guide.html").read_text()
        assert "<math" in (tmp_path / "site" / "guide.html").read_text()
        assert (tmp_path / "site" / "results" / "a.png").exists()
        tour = (tmp_path / "site" / "notebooks" / "tour.html").read_text()
        assert 'href="../guide.html"' in tour and 'href="tour.ipynb"' in tour and 'alt="Dots"' in tour
        assert 'href="new/index.html"' in (tmp_path / "site" / "results" / "index.html").read_text()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site of this repository, built once."""
    path = tmp_path_factory.mktemp("site")
    status, output = build(ROOT, path)
    assert status == 0, output
    return path


@pytest.fixture
def address(site):
    """The address at which the site is served."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        log_message = lambda self, *_: None

    server = http.server.ThreadingHTTPServer(("localhost", 0), functools.partial(Handler, directory=site))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()
    thread.join()


@pytest.mark.slow
def test_every_page_fits_a_screen_and_a_telephone(site, address):
    problems = []
    with browser.launch() as chromium:
        paths = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
        alike = [path for path in paths if path.startswith("source/")][1:]  # one of them stands for all
        for page in sorted(set(paths) - set(alike)):
            problems += [f"{page} {problem}" for problem in chromium.problems_of_address(address + page, address)]
    assert not problems, "\n".join(problems)


@pytest.mark.slow
def test_the_search_finds_pages_served_and_from_a_folder(site, address):
    with browser.launch() as chromium:
        for start in (address, f"{site.as_uri()}/"):
            found = chromium.search(f"{start}results/index.html", "leapfrog")
            assert any(place.startswith(f"{start}leapfrog.html") for place in found), found
