"""A run of two processes: one writes, both stop together, and one process with two devices can go on with it."""

import re
import signal
import socket
import time

import numpy as np
import pytest

from experiments.run.results import read_results
from hgn_jax.training.logs import read_metrics
from tests.experiments.toy.programs import finish, saved_step, start
from tests.experiments.toy.task import ToyResults

_NUM_STEPS = 300
_ARGUMENTS = (
    f"--config.training.num_steps={_NUM_STEPS}", "--config.training.batch_size=16", "--config.training.log_every=50",
    "--config.training.checkpoint_every=50",
)  # fmt: skip

pytestmark = pytest.mark.slow


def _start_two(workdir):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{server.getsockname()[1]}"
    return [
        start(workdir, *_ARGUMENTS, f"--coordinator={coordinator}", "--num_processes=2", f"--process_id={number}")
        for number in range(2)
    ]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The directory of the same run made by one process with one device."""
    workdir = tmp_path_factory.mktemp("alone") / "run"
    finish(start(workdir, *_ARGUMENTS))
    return workdir


def test_two_processes_stop_together_and_another_number_of_devices_goes_on(alone, tmp_path):
    shared = tmp_path / "shared"
    main, other = _start_two(shared)
    while not saved_step(shared) and other.poll() is None:
        time.sleep(0.01)
    other.send_signal(signal.SIGTERM)  # it tells the main one
    lines = [finish(process, 128 + signal.SIGTERM)[1].splitlines()[-1] for process in (main, other)]
    assert lines[0] == lines[1]
    step = int(re.search(r"stopped after step (\d+), which is saved", lines[0])[1])
    assert saved_step(shared) == step < _NUM_STEPS

    _, errors = finish(start(shared, *_ARGUMENTS, "--config.training.batch_size=15", num_devices=2), code=2)
    assert "cannot be divided evenly among 2 devices" in errors
    printed, _ = finish(start(shared, *_ARGUMENTS, num_devices=2))
    assert f"step {step} of {_NUM_STEPS}" in printed
    _assert_same_training(alone, shared)


def test_one_of_two_processes_writes(alone, tmp_path):
    shared = tmp_path / "shared"
    (printed, _), (silent, _) = map(finish, _start_two(shared))
    assert "numbers in" in printed
    assert "numbers in" not in silent
    _assert_same_training(alone, shared)
    assert len(list(shared.glob("events.*"))) == 1
    assert read_results(shared / "metrics.json", ToyResults).run.device == "2 x cpu in 2 processes"


def _assert_same_training(alone, shared):
    """Rows agree up to the rounding of sums in another order, over many steps of Adam."""
    rows, others = (read_metrics(path / "metrics.csv") for path in (alone, shared))
    assert [row["step"] for row in rows] == list(range(50, _NUM_STEPS + 1, 50))
    for row, other in zip(rows, others, strict=True):
        np.testing.assert_allclose(list(other.values()), list(row.values()), rtol=2e-2, atol=1e-3)
    np.testing.assert_allclose(others[0]["loss"], rows[0]["loss"], rtol=1e-5)
    mse, other_mse = (read_results(path / "metrics.json", ToyResults).mse for path in (alone, shared))
    assert mse == pytest.approx(other_mse, abs=1e-2)
