"""The contract of `experiments.tasks.Task`, for every task: by its presets, and by a tiny run of each kind of model."""

import dataclasses
import importlib.util

import imageio.v3 as imageio
import numpy as np
import pytest

from experiments.run.presets import pick
from experiments.run.run_directory import read_config, read_task
from experiments.tasks import TASKS
from hgn_jax.training.logs import read_metrics
from tests.experiments import tiny_runs as tiny

_ALL_PRESETS = [(name, preset) for name in TASKS for preset in TASKS[name].presets]


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.slow) if name in tiny.SLOW else name for name in tiny.NAMES]
)
def tiny_run(request, tiny_runs):
    return tiny_runs(request.param)


def test_every_task_has_a_tiny_run():
    assert {name.partition(" ")[0] for name in tiny.NAMES} == set(TASKS)


def test_results_belong_to_the_configuration(tiny_run):
    task, config, results = tiny_run.task, tiny_run.config, tiny_run.results
    assert type(results) is task.results_class(config)
    assert (results.run.preset, results.run.seed) == (config.preset, config.training.seed)
    assert results.run.steps == config.training.num_steps == int(tiny_run.run.state.step)
    assert results.run.wall_time_s["training"] > 0
    assert read_task(tiny_run.directory) is task
    assert read_config(tiny_run.directory, task.config_class) == task.resolve(config)


def test_evaluating_again_gives_the_same_numbers(tiny_run):
    results = tiny_run.task.evaluate(tiny_run.run).results
    assert dataclasses.replace(results, run=tiny_run.results.run) == tiny_run.results


def test_metrics_have_a_row_per_interval(tiny_run):
    rows = read_metrics(tiny_run.directory.path / "metrics.csv")
    training = tiny_run.config.training
    assert [row["step"] for row in rows] == list(range(training.log_every, training.num_steps + 1, training.log_every))
    assert {"loss", "gradient_norm"} < set(rows[0])


def test_the_page_shows_every_picture_and_says_how_to_repeat_the_run(tiny_run):
    report = tiny_run.directory.report
    page = (report / "index.html").read_text(encoding="utf-8")
    pictures = [path for path in report.iterdir() if path.suffix != ".html"]
    assert "training.png" in [path.name for path in pictures]
    for path in pictures:
        assert f"<code>{path.name}</code>" in page
        assert np.std(imageio.imread(path)) > 0
    assert page.count("<figure>") == len(pictures)
    assert f"python -m experiments.{tiny_run.task.name} --config={tiny_run.config.preset} " in page


def test_the_summary_is_printed(tiny_run, capsys):
    tiny_run.task.print_summary(tiny_run.results)
    assert len(capsys.readouterr().out.splitlines()) > 3


@pytest.mark.parametrize("name", TASKS)
def test_names_of_a_task_agree(name):
    task = TASKS[name]
    assert task.name == task.config_class.program == name
    assert task.default_preset in task.presets
    assert importlib.util.find_spec(f"experiments.{name}.__main__")


@pytest.mark.parametrize(("name", "preset"), _ALL_PRESETS)
def test_presets_are_valid_fresh_copies(name, preset):
    task = TASKS[name]
    config = pick(task.presets, preset)
    assert type(config) is task.config_class and config.preset == preset
    if preset == "video":
        config.data.source = "videos"
    if preset == "file":
        config.data.path = "rows.csv"
    task.validate(config)
    config.training.num_steps = config.preset = None
    assert pick(task.presets, preset).training.num_steps
    assert pick(task.presets, preset).preset == preset


@pytest.mark.parametrize("name", TASKS)
def test_an_unknown_preset_is_answered_with_those_there_are(name):
    presets = TASKS[name].presets
    with pytest.raises(ValueError, match=f"^unknown preset 'moon'; choose one of {', '.join(presets)}$"):
        pick(presets, "moon")


_REFUSED = [
    ("hgn", "mass_spring_small", {"image_size": 30}, "got 30"),
    ("hgn", "mass_spring_small", {"inference_frames": 32}, "inference_frames is 32, but the clips have 31"),
    ("hgn", "mass_spring_small", {"integrator": "verlet"}, "integrator must be one of euler, "),
    ("hgn", "mass_spring_small", {"geco.decay": 2.0}, "geco.decay must be in"),
    ("hgn", "mass_spring_small", {"rollout_directions": "both"}, "rollout_directions=both needs an odd number of infe"),
    ("hgn", "pendulum_plus_plus_small", {"training.batch_size": 1}, "needs training.batch_size of 2 or more, got 1"),
    ("hgn", "video", {}, "name the directory of your videos, --config.data.source=DIR"),
    ("hgn", "video", {"data.source": "/nowhere"}, "the videos' directory /nowhere is not there"),
    ("hnn", "pendulum", {"model": "moon"}, "model must be one of"),
    ("hnn", "pendulum", {"state_noise": 0.1}, "state_noise is for model=state only"),
    ("hnn", "pendulum", {"data.num_steps": 1}, "data.num_steps must be 2 or more"),
    ("hnn", "pendulum", {"data.num_train": 10}, "batch_size is 64, but there are only 10"),
    ("hnn", "pendulum", {"data.name": "video_folder", "data.config": "default"}, "data.source is missing"),
    ("hnn", "pendulum_state", {"state_noise": -0.1}, "state_noise must be 0 or more"),
    ("hnn", "pendulum_state", {"state_size": 2}, "state_size must be 1, that of pendulum; got 2"),
    ("hnn", "pendulum_state", {"dt": 0.1}, "dt must be that of the data set, 0.125; got 0.1"),
    ("hnn", "pendulum_state", {"data.name": "video_folder", "data.source": "/v"}, "needs the true states"),
    ("nhf", "four_modes", {"data.name": "moon"}, "data.name must be one of two_modes, .*, file; got 'moon'"),
    ("nhf", "four_modes", {"data.name": "file"}, "data.path must name"),
    ("nhf", "four_modes", {"data.path": "rows.csv"}, "data.path is for --config=file only"),
    ("nhf", "four_modes", {"data.split_seed": -1}, "data.split_seed must be 0 or more"),
    ("nhf", "four_modes", {"evaluation.num_points": 1}, "evaluation.num_points must be 2 or more"),
    ("nhf", "four_modes", {"evaluation.num_samples": 100}, "evaluation.num_samples must be a power of two"),
    ("nhf", "four_modes", {"evaluation.num_samples": 0}, "evaluation.num_samples must be a power of two"),
    ("nhf", "four_modes", {"evaluation.seed": -1}, "evaluation.seed must be 0 or more"),
    ("nhf", "four_modes", {"integrator": "euler"}, "integrator must be one of symplectic_euler, "),
]
_REFUSED_CLIPS = [
    ({"training.batch_size": 8000}, "only 4000 trajectories"),
    ({"data.name": "moon"}, "unknown data set 'moon'; choose one of"),
    ({"data.config": "huge"}, "unknown configuration 'huge'"),
    ({"data.num_train": 0}, "num_train must be positive"),
    ({"data.num_test": 1}, "the test split has one trajectory, and two are needed"),
    ({"data.source": "/videos"}, "data.source is for data.name=video_folder; it has no meaning for mass_spring"),
    ({"data.split_seed": 3, "data.stride": 2}, "data.stride is for .*; data.split_seed is for data.name=video_folder"),
    ({"data.fields": "damping=1"}, "fields must be JSON, "),
    ({"data.fields": "[1]"}, "fields must be JSON of fields and values"),
    ({"data.fields": '{"friction": 1}'}, "friction"),
    ({"data.fields": '{"spin": 1}'}, "unknown field spin; choose from system"),
    ({"data.fields": '{"image_size": 32}'}, "image_size does not belong in data.fields; set it by --config.image_size"),
    ({"data.fields": '{"num_train": 9}', "data.num_train": 8}, "num_train is given twice, in data.fields and by --con"),
    ({"data.fields": '{"dt": NaN, "constants": {"k": Infinity}}'}, "^dt must be positive.*; constants must be finite"),
    ({"training.seed": 2**32}, "training.seed must be 0 or more and at most 4294967295; got 4294967296"),
    ({"evaluation.num_examples": 1}, "evaluation.num_examples must be 2 or more, or None; got 1"),
    ({"evaluation.batch_size": 0}, "evaluation.batch_size must be 1 or more"),
    ({"evaluation.horizons": ()}, "evaluation.horizons must hold at least one number"),
    ({"evaluation.horizons": (0,)}, "evaluation.horizons must be positive whole numbers"),
]
_REFUSED_ALL = [
    ({"optimizer.schedule": "moon"}, "optimizer.schedule must be one of"),
    ({"training.num_steps": 0}, "training.num_steps must be 1 or more"),
]
_REFUSED += [(name, "mass_spring_small", *row) for name in ("hgn", "hnn") for row in _REFUSED_CLIPS]
_REFUSED += [(name, TASKS[name].default_preset, *row) for name in TASKS for row in _REFUSED_ALL]


@pytest.mark.parametrize(("name", "preset", "changes", "message"), _REFUSED)
def test_configurations_that_cannot_be_run_are_refused_in_one_line(name, preset, changes, message):
    task = TASKS[name]
    config = pick(task.presets, preset)
    for field, value in changes.items():
        *group, field = field.split(".")
        part = getattr(config, group[0]) if group else config
        assert hasattr(part, field)
        setattr(part, field, value)
    with pytest.raises(ValueError, match=message) as error:
        task.validate(config)
        task.resolve(config)
    assert "\n" not in str(error.value)
