"""Trains a model of your own with the library's loop: the potential and the friction of something that swings.

The data are noisy places of many swings, at 31 times each. The model begins each swing at its first two places, rolls
it out by leapfrog with friction, and is compared with all of them. The potential is a Fourier series; the truth,
1 - cos(q) with friction 0.3, is one term of it. What trains is any object with `init` and `loss`, on any number of
devices.
"""

import jax
import jax.numpy as jnp
import numpy as np

from hgn_jax import PhaseState, rollout, separable, train
from hgn_jax.training import OptimizerConfig

DT, NUM_FRAMES, NOISE = 0.1, 31, 0.001
FRICTION = 0.3


def pendulum(amplitudes: jax.Array):
    """Unit mass in the potential sum of a_k (1 - cos(k q)), k = 1, 2, ..."""

    def potential(q):
        orders = jnp.arange(1, len(amplitudes) + 1)
        return jnp.sum(amplitudes * (1.0 - jnp.cos(orders * q)), axis=-1)

    return separable(lambda p: 0.5 * jnp.sum(p**2, axis=-1), potential)


class Swing:
    """The model, as `hgn_jax.training.Model` asks for it.

    Args:
      num_terms: Number of terms of the potential.
    """

    def __init__(self, num_terms: int):
        self.num_terms = num_terms

    def init(self, key, batch):
        return {"amplitudes": 0.1 * jax.random.normal(key, (self.num_terms,)), "log_friction": jnp.log(0.1)}

    def loss(self, params, multiplier, key, batch, *, progress=1.0, slots=None):
        places = batch["places"]  # [batch, time, 1]
        # The mean velocity of the first step is that at its middle; half a step earlier the force has not yet acted.
        energy, friction = pendulum(params["amplitudes"]), jnp.exp(params["log_friction"])
        velocity = (places[:, 1] - places[:, 0]) / DT
        force = -jax.grad(lambda q: jnp.sum(energy.potential(q)))(places[:, 0])
        start = PhaseState(q=places[:, 0], p=velocity - 0.5 * DT * (force - friction * velocity))
        path = rollout(energy, start, DT, NUM_FRAMES - 1, friction=friction)
        mse = jnp.mean((jnp.swapaxes(path.q, 0, 1) - places) ** 2)
        return mse, {"mse": mse}


def swings(number: int) -> np.ndarray:
    """Noisy places `[number, time, 1]` of true pendulums with friction."""
    rng = np.random.default_rng(0)
    start = PhaseState(rng.uniform(-2, 2, (number, 1)), rng.uniform(-1, 1, (number, 1)))
    path = rollout(pendulum(jnp.array([1.0])), start, DT, NUM_FRAMES - 1, substeps=20, friction=FRICTION)
    places = np.swapaxes(path.q, 0, 1)
    return (places + NOISE * rng.normal(size=places.shape)).astype(np.float32)


def main(num_steps: int = 600) -> dict[str, np.ndarray]:
    optimizer = OptimizerConfig(learning_rate=2e-2, schedule="cosine", gradient_clip=1.0)
    params = train(Swing(num_terms=3), {"places": swings(2000)}, num_steps, batch_size=64, optimizer=optimizer)
    found = {"amplitudes": np.asarray(params["amplitudes"]), "friction": np.exp(params["log_friction"])}
    print(
        f"amplitudes {found['amplitudes'].round(3)} (true 1, 0, 0), friction {found['friction']:.3f} (true {FRICTION})"
    )
    return found


if __name__ == "__main__":
    main()
