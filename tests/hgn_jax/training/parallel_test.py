"""The same training on 1, 2 and 4 devices of one process and on the devices of two processes, which must agree."""

import os
import pathlib
import socket
import subprocess
import sys
import tempfile

import jax
import numpy as np
import optax
import pytest
from absl.testing import absltest, parameterized

from hgn_jax import HGNConfig, NHFConfig, make_hgn, make_nhf, training
from hgn_jax.networks.latent_grid import LATENT_SIZE
from hgn_jax.training import hosts
from hgn_jax.training.geco import GECOConfig, geco
from tests.root import ROOT

_NUM_STEPS = 20
_BATCH_SIZE = 8
_IMAGE_SIZE = 2 * LATENT_SIZE
# SGD where it can be, as Adam would hide gradients that are summed where they should be averaged.
_CASES = {
    "hgn_float64": ("hgn", np.float64, lambda: optax.sgd(1e-2)),
    "hgn_float32": ("hgn", np.float32, lambda: optax.sgd(1e-2)),
    "nhf_float64": ("nhf", np.float64, lambda: optax.adam(1e-2)),
}
_TOLERANCES = {np.float64: 1e-10, np.float32: 1e-5}


def _model(name):
    """Its `init` and `loss`, and the shape of an example."""
    if name == "nhf":
        nhf = make_nhf(NHFConfig(hidden_sizes=(8,), posterior_sizes=(8,)))
        return lambda key, batch: nhf.init(key, batch["x"]), nhf.loss, "x", (2,)
    hgn = make_hgn(
        HGNConfig(
            image_size=_IMAGE_SIZE, state_channels=2, encoder_filters=(4, 4), transform_filters=(4,),
            hamiltonian_filters=(4, 4), decoder_filters=(4,), loss_frames=2, initial_horizon=2,
        )
    )  # fmt: skip
    return hgn.init, hgn.loss, "image", (3, _IMAGE_SIZE, _IMAGE_SIZE, 3)


def _train(case):
    """The parameters and the multiplier after some steps on all devices there are, as one vector."""
    name, dtype, make_optimizer = _CASES[case]
    init, loss, feature, shape = _model(name)
    num_devices, part = jax.local_device_count(), hosts.local_slice(_BATCH_SIZE)

    def batch_at(step):
        whole = np.random.default_rng(step).uniform(size=(_BATCH_SIZE, *shape)).astype(dtype)
        return training.split_among_devices({feature: whole[part]}, num_devices)

    optimizer, multiplier = make_optimizer(), geco(GECOConfig(initial=10.0))
    state = training.init_state(init, optimizer, multiplier, 0, {feature: np.zeros((_BATCH_SIZE, *shape), dtype)})
    update = training.make_update(loss, optimizer, multiplier, num_steps=_NUM_STEPS)
    update = training.compile_update(update, state, batch_at(0))
    config = training.TrainingConfig(num_steps=_NUM_STEPS, batch_size=_BATCH_SIZE, log_every=5, checkpoint_every=10)
    start = jax.device_get(state)
    state = training.train(update, start, batch_at, config, log=lambda *_: None, save=lambda *_: None)
    state = jax.device_get(state)
    moved = jax.tree.map(lambda new, old: np.abs(new - old).max(), state.params, start.params)
    assert max(jax.tree.leaves(moved)) > 0.05, "hardly trained"
    leaves = [*jax.tree.leaves(state.params), state.geco.multiplier]
    assert all(leaf.dtype == dtype for leaf in leaves), "computed in another precision"
    return np.concatenate([np.ravel(leaf) for leaf in leaves])


def _child(arguments):
    """Trains every case and, in the main process, saves the results."""
    path, *hosts_arguments = arguments
    if hosts_arguments:
        coordinator, num_processes, process_id = hosts_arguments
        hosts.start(coordinator, int(num_processes), int(process_id))
    results = {}
    for case, (_, dtype, _) in _CASES.items():
        with jax.enable_x64(dtype == np.float64):
            results[case] = _train(case)
    if hosts.is_main():
        np.savez(path, devices=jax.device_count(), processes=jax.process_count(), **results)


def _start_child(num_devices, *arguments):
    return subprocess.Popen(
        [sys.executable, __file__, "--child", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={num_devices}",
        },
    )  # fmt: skip


def _free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def _finish(*children):
    outputs = [child.communicate()[0] for child in children]
    for child, output in zip(children, outputs, strict=True):
        assert child.returncode == 0, output


@pytest.mark.slow
class ParallelTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        directory = pathlib.Path(tempfile.mkdtemp(dir=absltest.get_default_test_tmpdir()))
        cls.results = {}
        for num_devices in (1, 2, 4):
            path = directory / f"{num_devices}.npz"
            _finish(_start_child(num_devices, path))
            cls.results[1, num_devices] = np.load(path, allow_pickle=False)
        path, coordinator = directory / "processes.npz", f"127.0.0.1:{_free_port()}"
        _finish(*(_start_child(2, path, coordinator, 2, i) for i in range(2)))
        cls.results[2, 4] = np.load(path, allow_pickle=False)

    @parameterized.product(case=list(_CASES), setup=[(1, 2), (1, 4), (2, 4)])
    def test_agree_with_one_device(self, case, setup):
        alone, shared = self.results[1, 1], self.results[setup]
        self.assertEqual((int(shared["processes"]), int(shared["devices"])), setup)
        tolerance = _TOLERANCES[_CASES[case][1]]
        np.testing.assert_allclose(shared[case], alone[case], rtol=tolerance, atol=tolerance)


if __name__ == "__main__":
    if "--child" in sys.argv:
        _child(sys.argv[2:])
    else:
        absltest.main()
