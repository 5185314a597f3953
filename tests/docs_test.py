"""Checks the README and `docs/`: Python blocks run, commands parse, links and files exist."""

import dataclasses
import importlib.util
import json
import pathlib
import re
import shlex

import jax
import numpy as np
import optax
import pytest
from absl import flags

from data_builders import build
from experiments.clips.results import FrameResults
from experiments.hnn.results import StateResults
from experiments.nhf.results import FlowResults
from experiments.run import command_line, config_flags
from experiments.run.run_directory import flatten
from experiments.tasks import TASKS, Task
from hgn_jax import HGNConfig, make_hgn
from hgn_jax.training import state_template
from hgn_jax.training.checkpoints import Checkpoints
from hgn_jax.training.geco import GECOConfig, geco
from tests.root import ROOT

GUIDE = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
PAGES = (*GUIDE, ROOT / "WORKSPACE.md", *sorted(ROOT.glob("*/README.md")), *sorted(ROOT.glob("*/*/README.md")))
PRESETS_OF_FILES = {"video": ["--config.data.source=DIR"], "file": ["--config.data.path=rows.csv"]}
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
    texts = [text.replace("\\\n", "") for language, _, text in blocks(page) if not language]
    lines = [line for text in texts for line in text.splitlines()]
    parts = [part for line in (*lines, *code_spans(page)) for part in line.split("&&")]
    matches = (re.search(r"\bpython3? -m (?!venv)(\S.*)", part) for part in parts)
    return [shlex.split(match[1]) for match in matches if match]


def slug(heading: str) -> str:
    """The anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(page: pathlib.Path) -> set[str]:
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)}


def write_run(path: pathlib.Path) -> None:
    """Writes an untrained run of the preset that its directory is called after, as the programs do."""
    config = TASKS["hgn"].presets[path.name]
    if config.latent == "spatial":
        config = HGNConfig(encoder_filters=(4, 4, 4), hamiltonian_filters=(4,), decoder_filters=(4, 4, 4))
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps({**dataclasses.asdict(config), "program": "hgn"}))
    frames = {"image": np.zeros((1, 31, 32, 32, 3), np.uint8)}
    state = state_template(make_hgn(config).init, optax.adam(1e-3), geco(GECOConfig()), 0, frames)
    state = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), state)
    Checkpoints(path / "checkpoints").save(1, state, {"seconds": {}, "unlogged": []})


_PAGES_WITH_PYTHON = [page for page in GUIDE if any(language == "python" for language, _, _ in blocks(page))]
_LONG_PAGES = ("anchored.md", "leapfrog.md", "library.md", "nhf.md")  # their blocks compile for half a minute


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(p, marks=pytest.mark.slow if p.name in _LONG_PAGES else (), id=name_of(p))
        for p in _PAGES_WITH_PYTHON
    ],
)
def test_python_blocks_run_as_printed(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "data"))
    for run in re.findall(
        r'load_run\("([^"]+)"\)', "".join(text for name, _, text in blocks(page) if name == "python")
    ):
        write_run(tmp_path / run)
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


def check_configuration(task: Task, arguments: list[str], monkeypatch) -> None:
    """Parses `--config=NAME --config.field=value` as the task's program does, and checks the result."""
    values, arguments = flags.FlagValues(), ["program", *arguments]
    monkeypatch.setattr("sys.argv", arguments)  # where ml_collections looks for the names of the fields
    config = config_flags.define_config(task.presets, task.default_preset, values)
    command_line.parse_flags(arguments, values)
    task.validate(config.value)


def declared_flags(module: str) -> set[str]:
    """The flags that a program defines itself, or that all programs share."""
    specification = importlib.util.find_spec(module)
    if specification.submodule_search_locations:
        specification = importlib.util.find_spec(f"{module}.__main__")
    sources = [pathlib.Path(specification.origin), *(ROOT / "experiments" / "run").glob("*.py")]
    return set(re.findall(r"\b(?:DEFINE_\w+|define_path)\(\s*\"(\w+)\"", "".join(path.read_text() for path in sources)))


@pytest.mark.parametrize("page", GUIDE, ids=name_of)
def test_commands_parse(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "DIR").mkdir()  # stands for the reader's directory of films
    for module, *arguments in commands(page):
        if module.endswith("NAME"):
            continue
        assert importlib.util.find_spec(module), f"python -m {module}: no such module"
        if module == "data_builders.build":
            build.requests(*build.parse_flags(["build", *arguments]))
            continue
        options = [argument for argument in arguments if argument.startswith("--")]
        task = module.removeprefix("experiments.")
        if task in TASKS:
            check_configuration(TASKS[task], [flag for flag in options if flag.startswith("--config")], monkeypatch)
            options = [flag for flag in options if not flag.startswith("--config")]
        unknown = {flag[2:].split("=")[0] for flag in options} - declared_flags(module)
        assert not unknown, f"python -m {module}: unknown flags {unknown}"


def accepting_tasks(arguments: list[str], monkeypatch) -> list[str]:
    """The tasks and presets for which the overrides are valid."""
    accepting = []
    for task in TASKS.values():
        for preset in (task.default_preset, *PRESETS_OF_FILES):
            if preset in task.presets:
                try:
                    start = [f"--config={preset}", *PRESETS_OF_FILES.get(preset, ())]
                    check_configuration(task, [*start, *arguments], monkeypatch)
                    accepting.append(preset)
                except (SystemExit, ValueError):
                    pass
    return accepting


@pytest.mark.parametrize("page", GUIDE, ids=name_of)
def test_overrides_are_accepted(page, monkeypatch):
    for span in code_spans(page):
        if span.startswith("--config.") and "=" in span and "field=" not in span:
            assert accepting_tasks(shlex.split(span), monkeypatch), f"{span}: valid for no task"


@pytest.mark.parametrize("page", GUIDE, ids=name_of)
def test_fields_of_configurations_exist(page):
    for span in code_spans(page):
        if span.startswith("--config.") and "=" not in span:
            path = span.removeprefix("--config.")
            configs = [task.presets[task.default_preset] for task in TASKS.values()]
            assert any(path in flatten(dataclasses.asdict(config)) for config in configs), f"{span}: no such field"


@pytest.mark.parametrize("page", GUIDE, ids=name_of)
def test_presets_exist(page):
    names = {name for task in TASKS.values() for name in task.presets}
    for span in code_spans(page):
        for placeholder, example in EXAMPLE_PRESETS.items():
            if re.fullmatch(rf"{placeholder}\w*", span):
                assert span.replace(placeholder, example) in names, f"{span}: no such preset"


@pytest.mark.parametrize("results", (FrameResults, StateResults, FlowResults))
def test_every_field_of_the_results_is_described(results):
    described = code_spans(ROOT / "docs" / "metrics.md")
    assert {field.name for field in dataclasses.fields(results)} <= set(described)


@pytest.mark.parametrize("page", (ROOT / "README.md", ROOT / "results" / "README.md"), ids=name_of)
def test_the_table_of_errors_is_that_of_the_results(page):
    rows = dict(re.findall(r"^\| ([^|]+) \| (.+) \|$", page.read_text(encoding="utf-8"), re.MULTILINE))
    for column, system in enumerate(("mass_spring", "pendulum", "two_body", "three_body")):
        test = json.loads((ROOT / "results" / f"{system}_small" / "metrics.json").read_text())["test"]
        errors = {"HGN": test, **{name.replace("_", " "): errors for name, errors in test["reference"].items()}}
        for name in ("HGN", "mean image", "noise floor"):
            expected = f"{errors[name]['mse'] * 1e4:.2f} ± {errors[name]['mse_std'] * 1e4:.2f}"
            assert rows[name].split(" | ")[column] == expected
        skill = next(row for name, row in rows.items() if name.startswith("**skill**"))
        assert skill.split(" | ")[column] == f"**{test['skill']:.3f}**"


@pytest.mark.parametrize("page", ("README.md", "WORKSPACE.md"))
def test_the_first_pages_are_short(page):
    assert len((ROOT / page).read_text(encoding="utf-8").splitlines()) <= 150
