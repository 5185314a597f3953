"""Tests of `experiments.beyond_table`."""

import dataclasses
import json

import pytest

from experiments import beyond_table
from experiments.reporting.tables import to_markdown
from experiments.run import results
from experiments.run.command_line import UserError
from experiments.run.presets import pick
from experiments.run.results import write_results
from experiments.run.run_directory import RunDirectory, write_config
from experiments.tasks import TASKS
from tests.experiments import made_up_results
from tests.experiments.made_up_results import BEYOND, RUN
from tests.root import ROOT


def _write(root, name, preset, seed=0, skill=0.99, program="hgn", measured=True, **changes):
    """Writes a finished run and returns its path."""
    config = pick(TASKS[program].presets, preset)
    config = dataclasses.replace(config, training=dataclasses.replace(config.training, seed=seed), **changes)
    path = root / name
    path.mkdir()
    write_config(RunDirectory(path), config)
    beyond = dataclasses.replace(BEYOND, skill=skill) if measured else None
    facts = dataclasses.replace(RUN, preset=preset, seed=seed)
    write_results(path / "metrics.json", made_up_results.results(beyond_the_clip=beyond, run=facts))
    return str(path)


@pytest.fixture
def paths(tmp_path):
    data = pick(TASKS["hgn"].presets, "pendulum_small").data
    noise_free = {"data": dataclasses.replace(data, config="small_noise_free")}
    return [
        _write(tmp_path, "a2", "pendulum_plus_plus_small", seed=2, skill=0.95),
        _write(tmp_path, "a0", "pendulum_plus_plus_small", seed=0, skill=0.97),
        _write(tmp_path, "a1", "pendulum_plus_plus_small", seed=1, skill=0.96),
        _write(tmp_path, "paper", "pendulum_small", skill=0.5),
        _write(tmp_path, "no_f_psi", "pendulum_small", use_transform=False),
        _write(tmp_path, "spring", "mass_spring_small"),
        _write(tmp_path, "hnn", "mass_spring_small", program="hnn"),
        _write(tmp_path, "clean", "pendulum_small", **noise_free),
        _write(tmp_path, "old", "pendulum_small", measured=False),
    ]


def test_rows_are_recipes_with_their_seeds_in_order(paths):
    tables = beyond_table.tables(beyond_table.read_records(paths).values())
    noisy, clean = (next(t for t in tables if t.heading == f"{data}: skill") for data in ("small", "small_noise_free"))
    assert [row[:3] for row in noisy.rows] == [
        ("mass-spring, paper's recipe", "0", "0.990"),
        ("mass-spring, HNN", "0", "0.990"),
        ("pendulum, paper's recipe", "0", "0.500"),
        ("pendulum, paper's recipe, `use_transform=False`", "0", "0.990"),
        ("pendulum, HGN++", "0, 1, 2", "0.960 (0.950 … 0.970)"),
    ]
    assert [row[0] for row in clean.rows] == ["pendulum, paper's recipe"]
    assert noisy.columns == ("seeds", "in the clip", "+10", "−10", "+30", "−30", "−60")  # no clip was that long
    assert to_markdown(noisy).count("\n") == 6


def test_films_and_sizes_of_the_data_have_rows_of_their_own(tmp_path):
    data = pick(TASKS["hgn"].presets, "video").data
    few = dataclasses.replace(pick(TASKS["hgn"].presets, "pendulum_small").data, num_train=300)
    paths = [
        _write(tmp_path, name, "video", data=dataclasses.replace(data, source=f"/a/{name}"))
        for name in ("pole", "cart")
    ]
    records = beyond_table.read_records([*paths, _write(tmp_path, "few", "pendulum_small", data=few)])
    rows = {row[0] for table in beyond_table.tables(records.values()) for row in table.rows}
    assert "--config.data.source=pole " in records["pole"].command
    assert rows == {"cart, anchored", "pole, anchored", "pendulum, paper's recipe, `data.num_train=300`"}


def test_what_was_not_measured_is_left_out(paths):
    tables = {table.heading: table for table in beyond_table.tables(beyond_table.read_records(paths).values())}
    physics = tables["small: physics"]
    assert physics.columns == ("seeds", "rank correlation of energies", "SyMetric")
    assert tables["small: new trajectories"].rows[0][2:] == ("0.950", "0.900", "0.100", "0.100")
    assert tables["small: cost"].rows[0][2:] == ("30", "5.0", "0.2")


def test_files_stand_for_their_runs(paths, tmp_path):
    records = beyond_table.read_records(paths, commit="abc")
    assert set(records) == {"a0", "a1", "a2", "paper", "no_f_psi", "spring", "hnn", "clean"}
    record = records["no_f_psi"]
    assert record.command.startswith("python -m experiments.hgn --config=pendulum_small")
    assert "--config.use_transform=False" in record.command
    assert (record.commit, record.run.device) == ("abc", RUN.device)
    path = tmp_path / "no_f_psi.json"
    results.write_versioned(path, record)
    assert json.loads(path.read_text())["beyond_the_clip"]["skill_forward"]["30"] == 0.9
    assert beyond_table.read_records([str(path)], commit="another") == {"no_f_psi": record}


def test_the_page_has_the_tables_of_its_files():
    """`python -m experiments.beyond_table results/anchored/*_seed_*.json` prints what belongs there."""
    folder = ROOT / "results" / "anchored"
    page = (folder / "README.md").read_text(encoding="utf-8")
    records = beyond_table.read_records(sorted(map(str, folder.glob("*_seed_*.json"))))
    for table in beyond_table.tables(records.values()):
        assert to_markdown(table) in page, table.heading


def test_mistakes_are_one_line(paths, tmp_path):
    with pytest.raises(UserError, match="no run in"):
        beyond_table.read_records([str(tmp_path)])
    with pytest.raises(UserError, match="no run among the directories given is finished and was measured"):
        beyond_table.read_records(paths[-1:])
    with pytest.raises(UserError, match="several runs are called a2"):
        beyond_table.read_records([paths[0], paths[0]])
    with pytest.raises(UserError, match="No such file"):
        beyond_table.read_records([str(tmp_path / "none.json")])
