"""Tests of `experiments.figures`: all figures of tiny runs, and mistakes in the command."""

import dataclasses

import imageio.v3 as imageio
import numpy as np
import pytest

from experiments.clips.config import EvaluationConfig
from experiments.figures import __main__ as program
from experiments.run.command_line import UserError
from experiments.run.presets import pick
from experiments.run.results import write_results
from experiments.run.run_directory import RunDirectory, write_config
from experiments.tasks import TASKS
from hgn_jax import training
from hgn_jax.training import training_config
from hgn_jax.training.checkpoints import Checkpoints
from hgn_jax.training.geco import geco
from tests.experiments.reporting.reported_runs import results

_NUM_FRAMES = 7


def _tiny(config, data_dir):
    config.image_size, config.encoder_filters, config.decoder_filters = 16, (8, 8), (8, 8)
    config.data = dataclasses.replace(
        config.data, data_dir=str(data_dir), num_train=6, num_test=5, num_steps=_NUM_FRAMES - 1
    )
    config.training = training_config.TrainingConfig(num_steps=1, batch_size=4, checkpoint_every=1)
    config.evaluation = EvaluationConfig(num_examples=4, batch_size=4)
    return config


def _hgn(system, data_dir):
    config = _tiny(pick(TASKS["hgn"].presets, f"{system}_small"), data_dir)
    config.state_channels, config.transform_filters, config.hamiltonian_filters = 2, (8,), (8,)
    config.loss_frames, config.initial_horizon, config.unroll = 3, 4, 1
    return config


def _hnn(system, data_dir):
    config = _tiny(pick(TASKS["hnn"].presets, f"{system}_small"), data_dir)
    config.hidden_sizes, config.encoder_sizes, config.decoder_sizes = (16,), (16,), (16,)
    return config


def _write_run(path, config):
    """Writes a run with untrained parameters and made-up results."""
    directory, task = RunDirectory(path), TASKS[config.program]
    path.mkdir(parents=True)
    write_config(directory, config)
    model, batches = task.make_model(config), task.batches(config, task.open_data(config))
    optimizer = training.make_optimizer(config.optimizer, config.training.num_steps)
    state = training.init_state(model.init, optimizer, geco(config.geco), 0, batches.example)
    notes = {"unlogged": [], "seconds": {"training": 0.0, "training_cpu": 0.0}}
    checkpoints = Checkpoints(directory.checkpoints)
    checkpoints.save(1, state._replace(step=np.int32(1)), notes)
    checkpoints.close()
    write_results(directory.metrics, results())
    return str(path)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    return [
        _write_run(root / "hgn", _hgn("mass_spring", root / "data")),
        _write_run(root / "hnn", _hnn("mass_spring", root / "data")),
    ]


def test_figures_of_several_models(paths, tmp_path, capsys):
    directory = tmp_path / "new" / "directory"
    groups, left_out = program.read(paths, None, str(directory))
    assert left_out == []
    program.draw(groups, directory)
    names = [f"{figure}_mass_spring" for figure in ("figure_5", "figure_7", "figure_8", "phase_portrait")]
    names += ["figure_6", "figure_10"]
    files = {f"{name}{suffix}" for name in names for suffix in (".png", ".pdf")}
    assert {path.name for path in directory.iterdir()} == {"captions.md", *files}
    captions, printed = (directory / "captions.md").read_text(), capsys.readouterr().out
    for name in names:
        assert np.std(imageio.imread(directory / f"{name}.png")) > 1.0, name
        assert (directory / f"{name}.pdf").read_bytes().startswith(b"%PDF"), name
        assert f"({name}.png)" in captions
        assert f"{directory / name}.png" in printed
    assert "Drawn from `{}`, `{}`".format(*paths) in captions
    for text in ("HNN: rollouts from the first two frames", "noise of 0.1 on its positions", "Rank correlation",
                 "true Hamiltonian over the phase plane"):  # fmt: skip
        assert text in captions


@pytest.mark.parametrize(
    "paths, workdir, output, message",
    [
        ([], None, None, "give either the directories of finished runs, or --workdir of a single run"),
        (["somewhere"], "elsewhere", None, "or --workdir of a single run"),
        (["somewhere"], None, None, "give --output, the directory for the figures of several runs"),
        ([], "nowhere", None, "no run in --workdir=nowhere"),
        (["nowhere"], None, "figures", "no run in --workdir=nowhere"),
    ],
)
def test_mistakes(paths, workdir, output, message):
    with pytest.raises(UserError, match=message):
        program.read(paths, workdir, output)
