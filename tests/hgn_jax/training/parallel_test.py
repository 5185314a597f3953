"""The same training on 1, 2 and 4 devices of one process and on the devices of two processes, which must agree.

The test starts itself as a program, as `parallel_test.py CASES OUTPUT [COORDINATOR NUM_PROCESSES PROCESS_ID]`.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
from typing import NamedTuple

import jax
import numpy as np
import optax
import pytest
from absl.testing import absltest

import hgn_jax
from hgn_jax import training
from hgn_jax.networks.latent_grid import LATENT_SIZE
from hgn_jax.training import hosts
from hgn_jax.training.geco import GECOConfig, geco
from tests.hgn_jax.training import toy
from tests.root import ROOT

_NUM_STEPS, _BATCH_SIZE, _IMAGE_SIZE = 20, 8, 2 * LATENT_SIZE
_DEVICE_COUNTS = (1, 2, 4)


class _Case(NamedTuple):
    """A model with the name and the shape of an example of its data, and its optimiser.

    SGD where possible, because Adam would hide gradients that are summed rather than averaged.
    """

    model: training.Model
    feature: str
    shape: tuple[int, ...]
    optimizer: optax.GradientTransformation = optax.sgd(1e-2)


def _make_hgn():
    config = hgn_jax.HGNConfig(
        image_size=_IMAGE_SIZE, state_channels=2, encoder_filters=(4, 4), transform_filters=(4,),
        hamiltonian_filters=(4, 4), decoder_filters=(4,), loss_frames=2, initial_horizon=2,
    )  # fmt: skip
    return _Case(hgn_jax.make_hgn(config), "image", (3, _IMAGE_SIZE, _IMAGE_SIZE, 3))


def _make_nhf():
    config = hgn_jax.NHFConfig(hidden_sizes=(8,), posterior_sizes=(8,))
    return _Case(hgn_jax.make_nhf(config), "x", (2,), optax.adam(1e-2))


_CASES = {"toy": lambda: _Case(toy.ToyModel(), "x", (toy.NUM_FEATURES,)), "hgn": _make_hgn, "nhf": _make_nhf}


def _train(case, devices):
    """Trains in float64 on some devices, None for all; returns the parameters and the multiplier as a list."""
    num_devices = len(devices or jax.local_devices())

    def batch_at(step):
        batch = np.random.default_rng(step).uniform(size=(_BATCH_SIZE, *case.shape))
        return training.split_among_devices({case.feature: batch[hosts.local_slice(_BATCH_SIZE)]}, num_devices)

    multiplier = geco(GECOConfig(initial=10.0))
    example = {case.feature: np.zeros((_BATCH_SIZE, *case.shape))}
    start = jax.device_get(training.init_state(case.model.init, case.optimizer, multiplier, 0, example))
    update = training.make_update(case.model.loss, case.optimizer, multiplier, num_steps=_NUM_STEPS, devices=devices)
    update = training.compile_update(update, start, batch_at(0))
    config = training.TrainingConfig(num_steps=_NUM_STEPS, batch_size=_BATCH_SIZE, log_every=5, checkpoint_every=10)
    state = training.train(update, start, batch_at, config, log=lambda *_: None, save=lambda *_: None)
    state = jax.device_get(state)
    moved = jax.tree.map(lambda new, old: np.abs(new - old).max(), state.params, start.params)
    assert max(jax.tree.leaves(moved)) > 0.05, "hardly trained"
    leaves = [*jax.tree.leaves(state.params), state.geco.multiplier]
    assert all(leaf.dtype == np.float64 for leaf in leaves), "computed in another precision"
    return np.concatenate([np.ravel(leaf) for leaf in leaves]).tolist()


def _check_hosts(directory):
    """Returns what the functions of `hosts` do in this process."""
    made = directory / "made"

    def make_or_find():
        existed = made.exists()
        made.touch()
        return "found" if existed else "made"

    errors = []
    for failing in (1, None):  # process 1 raises in the first block, no process in the second
        try:
            with hosts.fail_together():
                if jax.process_index() == failing:
                    raise ValueError("no room")
        except (ValueError, hosts.OtherProcessError) as error:
            errors.append(f"{type(error).__name__}: {error}")
    return {
        "is_main": hosts.is_main(),
        "slice": str(hosts.local_slice(8)),
        "broadcast": hosts.broadcast_from_main({"x": np.arange(2.0) + jax.process_index()})["x"].tolist(),
        "main_first": hosts.main_first(make_or_find),
        "errors": errors,
    }


def _run_as_program(cases, output, coordinator=None, num_processes=None, process_id=None):
    hosts.start(coordinator, *(value and int(value) for value in (num_processes, process_id)))
    output = pathlib.Path(output)
    results = {"processes": jax.process_count(), "devices": jax.device_count()}
    if jax.process_count() == 1:
        device_lists = [jax.devices()[:count] for count in _DEVICE_COUNTS]
    else:
        device_lists = [None]
        results["hosts"] = _check_hosts(output.parent)
    with jax.enable_x64(True):
        for name in cases.split(",") if cases else []:
            results[name] = [_train(_CASES[name](), devices) for devices in device_lists]
    output.write_text(json.dumps(results))


def _start_program(num_devices, *arguments, **environment):
    environment["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={num_devices}"
    return subprocess.Popen(
        [sys.executable, __file__, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip


def _read_results(programs):
    """The results of programs that were started, by the files they write."""
    for program in programs.values():
        output, _ = program.communicate()
        assert program.returncode == 0, output
    return [json.loads(path.read_text()) for path in programs]


def _free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


class ParallelTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)

    def _compare_devices_and_processes(self, *cases):
        names, coordinator = ",".join(cases), f"127.0.0.1:{_free_port()}"
        paths = [self.directory / name for name in ("one_process", "process_0", "process_1")]
        alone, *processes = _read_results(
            {paths[0]: _start_program(4, names, paths[0])}
            | {paths[1 + i]: _start_program(2, names, paths[1 + i], coordinator, 2, i) for i in range(2)}
        )
        self.assertEqual([(r["processes"], r["devices"]) for r in (alone, *processes)], [(1, 4), (2, 4), (2, 4)])
        for name in cases:
            expected, *shared = alone[name]
            for result in (*shared, *(process[name][0] for process in processes)):
                np.testing.assert_allclose(result, expected, rtol=1e-10, atol=1e-10)
        return processes

    def test_devices_and_processes_agree(self):
        main, other = self._compare_devices_and_processes("toy")
        expected = {"is_main": True, "slice": "slice(0, 4, None)", "broadcast": [0.0, 1.0], "main_first": "made"}
        self.assertEqual(
            main["hosts"], expected | {"errors": ["OtherProcessError: process 1 of 2 failed, and says why itself"]}
        )
        expected |= {"is_main": False, "slice": "slice(4, 8, None)", "main_first": "found"}
        self.assertEqual(other["hosts"], expected | {"errors": ["ValueError: no room"]})

    @pytest.mark.slow
    def test_devices_and_processes_agree_on_the_models(self):
        self._compare_devices_and_processes("hgn", "nhf")

    def test_processes_under_slurm_need_no_arguments(self):
        job_id = str(os.getpid() % 4096)  # JAX derives the port of the coordinator from it
        environment = {
            "SLURM_JOB_ID": job_id, "SLURM_STEP_NODELIST": "localhost", "SLURM_NTASKS": "2", "SLURM_STEP_NUM_TASKS": "2"
        }  # fmt: skip
        results = _read_results({
            (path := self.directory / str(i)): _start_program(
                1, "", path, **environment, SLURM_PROCID=str(i), SLURM_LOCALID=str(i)
            )
            for i in range(2)
        })  # fmt: skip
        self.assertEqual([r["processes"] for r in results], [2, 2])
        self.assertEqual([r["hosts"]["is_main"] for r in results], [True, False])


if __name__ == "__main__":
    _run_as_program(*sys.argv[1:])
