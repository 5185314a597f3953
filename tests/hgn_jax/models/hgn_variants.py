"""Tiny HGNs with random parameters, and integrators written out, for the tests of the variants."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from hgn_jax import HGNConfig, PhaseState, make_hgn
from hgn_jax.models.hgn_terms import frame_statistics
from tests.hgn_jax.models.random_params import random_params

KEY = jax.random.PRNGKey(0)
TINY = HGNConfig(
    image_size=8,
    state_channels=2,
    encoder_filters=(4, 4),
    transform_filters=(4,),
    hamiltonian_filters=(4, 4),
    decoder_filters=(4,),
    unroll=1,
)
PLUS_PLUS = {
    "latent": "vector",
    "use_transform": False,
    "hamiltonian_network": "mlp",
    "hamiltonian_activation": "swish",
    "inference_frames": 3,
    "rollout_directions": "both",
    "objective": "elbo",
    "beta": 0.5,
}
NUM_FRAMES = 8

# The anchored HGN with a vector, and with keypoints.
ANCHORED = {
    "latent": "vector",
    "use_transform": False,
    "hamiltonian_network": "mlp",
    "hamiltonian_activation": "swish",
    "kinetic": "quadratic",
    "confinement": 0.2,
    "friction": 0.1,
    "time_reversal": True,
    "inference_frames": 5,
    "rollout_directions": "outward",
    "background": "image",
    "objective": "relative",
    "beta": 0.5,
}
KEYPOINTS = ANCHORED | {"latent": "keypoints", "chart": "network", "time_reversal": False, "background": "colour"}


def images(batch_size=4, num_frames=NUM_FRAMES, dtype=np.float32):
    return np.random.default_rng(0).uniform(size=(batch_size, num_frames, 8, 8, 3)).astype(dtype)


@functools.cache
def made(dtype=np.float32, **changes):
    """A model, random parameters with the statistics of the frames, and frames."""
    model, frames = make_hgn(dataclasses.replace(TINY, **changes)), images(dtype=dtype)
    params = random_params(model, {"image": frames}, seed=1, gain=1.5, dtype=dtype)
    if "frames" in params:
        params["frames"] |= frame_statistics(frames, model.config.background)
    return model, params, frames


compiled = functools.cache(jax.jit)


def loss_of(model, params, frames, key=KEY, multiplier=7.0):
    return compiled(model.loss)(params, multiplier, key, {"image": frames})


def inferred_state(model, params, frames):
    """The state, as the model has it from the posterior mean."""
    return jax.jit(lambda params, frames: model.initial_state(params, model.infer(params, frames).mean))(params, frames)


def reconstruction(model, params, frames):
    return jax.jit(model.reconstruct, static_argnums=2)(params, frames, frames.shape[1] - 1)


def total(hamiltonian):
    return lambda q, p: jnp.sum(hamiltonian(PhaseState(q, p)))


def euler(hamiltonian, state, dt):
    q, p = state
    slope_q, slope_p = jax.grad(total(hamiltonian), argnums=(0, 1))(q, p)
    return PhaseState(q + dt * slope_p, p - dt * slope_q)


def leapfrog(hamiltonian, state, dt):
    q, p = state
    along_q, along_p = (jax.grad(total(hamiltonian), argnums=i) for i in (0, 1))
    p = p - dt / 2 * along_q(q, p)
    q = q + dt * along_p(q, p)
    return PhaseState(q, p - dt / 2 * along_q(q, p))


def walk(step, state, dt, num_steps):
    """The positions of a path, the start included, by a loop over steps written out."""
    path = [state]
    for _ in range(num_steps):
        path.append(step(path[-1], dt))
    return [state.q for state in path]
