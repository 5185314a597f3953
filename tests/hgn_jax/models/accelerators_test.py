"""The gradient of every kind of loss can be lowered for accelerators, on a machine that has none."""

import jax
import jax.numpy as jnp
import pytest

from experiments.hgn import presets
from hgn_jax.models.hgn import make_hgn

_PRESETS = ("mass_spring_small", "pendulum_plus_plus_small", "two_body_anchored", "double_pendulum_anchored", "video")


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["full", "bfloat16"])
@pytest.mark.parametrize("name", _PRESETS)
def test_gradients_are_lowered_for_cuda_and_tpu(name, precision, monkeypatch):
    config = presets.get(name)
    config.precision = precision
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")  # takes the paths that are not for CPUs
    hgn, key = make_hgn(config), jax.random.PRNGKey(0)
    batch = {"image": jax.ShapeDtypeStruct((4, 31, 32, 32, 3), jnp.uint8)}
    params = jax.eval_shape(hgn.init, key, batch)

    def gradient(params, batch):
        return jax.grad(lambda params: hgn.loss(params, 1.0, key, batch)[0])(params)

    exported = jax.export.export(jax.jit(gradient), platforms=("cuda", "tpu"))(params, batch)
    assert exported.platforms == ("cuda", "tpu")
    assert jax.tree.map(lambda x: (x.shape, x.dtype), params) == jax.tree.map(
        lambda x: (x.shape, x.dtype), jax.tree.unflatten(jax.tree.structure(params), exported.out_avals)
    )
    assert ("bf16" in exported.mlir_module()) == (precision == "bfloat16")
