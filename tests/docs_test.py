"""What README and `docs/` say is true: Python blocks run, commands parse, links and files exist."""

import functools
import importlib
import importlib.util
import pathlib
import re
import shlex

import pytest
from absl import flags
from ml_collections import config_flags

from data_builders import build
from tests.root import ROOT

GUIDE = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
PAGES = (*GUIDE, *sorted(ROOT.glob("*/README.md")), *sorted(ROOT.glob("*/*/README.md")))
PROGRAMS = ("hgn", "hnn", "nhf")
EXAMPLE_PRESETS = {"<system>": "pendulum", "<density>": "four_modes"}
FOLDERS = tuple(path.name for path in ROOT.iterdir() if path.is_dir() and path.name not in ("runs", "figures"))


def name_of(page: pathlib.Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: pathlib.Path) -> list[tuple[str, int, str]]:
    """The fenced blocks of a page: language, line number and text."""
    text = page.read_text(encoding="utf-8")
    return [
        (match[1], text[: match.start()].count("\n") + 1, match[2])
        for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]


def prose(page: pathlib.Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def code_spans(page: pathlib.Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", prose(page))


def commands(page: pathlib.Path) -> list[list[str]]:
    """The words of every `python -m` command in the blocks and the text of a page, without `python -m`."""
    lines = [line for language, _, text in blocks(page) if not language for line in text.splitlines()]
    parts = [part for line in (*lines, *code_spans(page)) for part in line.split("&&")]
    found = (re.search(r"\bpython3? -m (?!venv)(\S.*)", part) for part in parts)
    return [shlex.split(match[1]) for match in found if match]


def slug(heading: str) -> str:
    """The anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(page: pathlib.Path) -> set[str]:
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)}


@pytest.mark.parametrize("page", [page for page in GUIDE if any(b[0] == "python" for b in blocks(page))], ids=name_of)
def test_python_blocks_run_as_printed(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "data"))
    namespace = {}
    for language, line, text in blocks(page):
        if language == "python":
            exec(compile("\n" * line + text, str(page), "exec"), namespace)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{target}: no such file"
        if anchor:
            assert anchor in anchors(linked), f"{target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_are_mentioned_exist(page):
    for span in code_spans(page):
        if re.fullmatch(r"[\w./]+", span) and span.split("/")[0] in FOLDERS and "/" in span:
            assert (ROOT / span).exists(), f"{span}: no such file"


@functools.cache
def presets_of(program: str):
    return importlib.import_module(f"experiments.{program}.presets")


def check_configuration(program: str, arguments: list[str], monkeypatch) -> None:
    """Parses `--config=NAME --config.field=value` as the program does, and checks the result."""
    presets = presets_of(program)
    values = flags.FlagValues()
    arguments = ["program", *arguments]
    monkeypatch.setattr("sys.argv", arguments)  # where ml_collections looks for the names of the fields
    default = next(iter(presets.PRESETS))
    holder = config_flags.DEFINE_config_dataclass("config", presets.get(default), "", values, parse_fn=presets.get)
    values(arguments)
    getattr(presets, "validate_fields", presets.validate)(holder.value)


def check_data_set(arguments: list[str]) -> None:
    """Parses the arguments of `data_builders.build` and makes the configuration that they ask for."""
    parsed, overrides = build._parse_flags(["build", *arguments])
    for name in parsed.positional_datasets:
        base = parsed.generation.config or build.get_builder(name).BUILDER_CONFIGS[0].name
        build.derive_config(name, base, **overrides)


def declared_flags(module: str) -> set[str]:
    """The flags that a program defines itself, or that all programs share."""
    specification = importlib.util.find_spec(module)
    if specification.submodule_search_locations:
        specification = importlib.util.find_spec(f"{module}.__main__")
    sources = [pathlib.Path(specification.origin), *(ROOT / "experiments" / "run").glob("*.py")]
    return set(re.findall(r"\bDEFINE_\w+\(\s*\"(\w+)\"", "".join(path.read_text() for path in sources)))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_parse(page, monkeypatch):
    for module, *arguments in commands(page):
        arguments = [argument for argument in arguments if argument not in ("...", "[...]")]
        if "NAME" in module or "<" in module or any(word in " ".join(arguments) for word in ("<", "NAME")):
            continue
        assert importlib.util.find_spec(module), f"python -m {module}: no such module"
        if module == "data_builders.build":
            check_data_set(arguments)
            continue
        own = [argument for argument in arguments if argument.startswith("--")]
        program = module.removeprefix("experiments.")
        if program in PROGRAMS:
            check_configuration(program, [flag for flag in own if flag.startswith("--config")], monkeypatch)
            own = [flag for flag in own if not flag.startswith("--config")]
        unknown = {flag[2:].split("=")[0] for flag in own} - declared_flags(module) - {"help"}
        assert not unknown, f"python -m {module}: unknown flags {unknown}"


@pytest.mark.parametrize("page", GUIDE, ids=name_of)
def test_overrides_are_accepted(page, monkeypatch):
    starts = [(program, preset) for program in PROGRAMS for preset in ((), ("--config=video",), ("--config=file",))]
    for span in code_spans(page):
        arguments = shlex.split(span) if span.startswith("--config.") and "field=" not in span else []
        if not arguments:
            continue
        if "=" not in span:
            arguments = []
            fields = span.removeprefix("--config.").split(".")
            values = [presets_of(program).get(next(iter(presets_of(program).PRESETS))) for program in PROGRAMS]
            assert any(has_field(value, fields) for value in values), f"{span}: no such field"
            continue
        errors = []
        for program, preset in starts:
            if preset and preset[0].removeprefix("--config=") not in presets_of(program).PRESETS:
                continue
            extra = ["--config.data.source=DIR"] if preset == ("--config=video",) else []
            extra += ["--config.data.path=rows.csv"] if preset == ("--config=file",) else []
            try:
                check_configuration(program, [*preset, *extra, *arguments], monkeypatch)
                break
            except (ValueError, TypeError, KeyError, AttributeError, flags.Error) as error:
                errors.append(f"{program}: {error}")
        else:
            pytest.fail(f"{span}: {errors}")


def has_field(value, fields: list[str]) -> bool:
    for field in fields:
        if not hasattr(value, field):
            return False
        value = getattr(value, field)
    return True


@pytest.mark.parametrize("page", GUIDE, ids=name_of)
def test_presets_exist(page):
    names = {name for program in PROGRAMS for name in presets_of(program).PRESETS}
    for span in code_spans(page):
        for placeholder, example in EXAMPLE_PRESETS.items():
            if re.fullmatch(rf"{placeholder}\w*", span):
                assert span.replace(placeholder, example) in names, f"{span}: no such preset"


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
