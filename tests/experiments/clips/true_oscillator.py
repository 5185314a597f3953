"""The true mass on a spring as a model of frames, and runs with small data sets for it, for tests of measurements."""

import pathlib
import random
import types
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np

from data_builders import datasets
from data_builders.rendering import images as rendering
from data_builders.rendering import scenes
from data_builders.rendering.expected_scenes import expected_composite
from data_builders.simulation import draws
from experiments.clips.config import EvaluationConfig
from experiments.clips.data import Clips
from experiments.clips.prediction import CompiledDynamics, LatentDynamics
from hgn_jax import rollout
from hgn_jax.data import datasets as data
from hgn_jax.physics import systems
from hgn_jax.physics.phase_space import PhaseState

SYSTEM = systems.mass_spring()
FREQUENCY, IMPEDANCE, DT = 2.0, 1.0, 0.125  # sqrt(k / m), m w
RADII = (0.5, 0.8)


def make_clips(root: pathlib.Path, system: str = "mass_spring", num_test: int = 9, **fields: Any) -> Clips:
    """Builds a small data set with clips of 9 frames of 16 x 16 pixels, without noise."""
    sizes = {"num_train": 1, "num_test": num_test, "num_steps": 8, "image_size": 16, "observation_noise": 0.0}
    radii = {"radius_range": RADII} if system == "mass_spring" else {}
    config = datasets.derive_config(system, "paper", **{**sizes, **radii, **fields})
    with mock.patch.object(draws, "CHUNK_SIZE", num_test + 1):
        path = datasets.ensure_built(system, config, root, num_workers=1)
    return Clips(*data.open_dataset(path))


def make_run(clips: Clips, *horizons: int) -> Any:
    """Returns what measurements take of a run."""
    evaluation = EvaluationConfig(horizons=horizons)
    return types.SimpleNamespace(data=clips, config=types.SimpleNamespace(evaluation=evaluation))


class _Examples(list):
    def __getitems__(self, indices):
        return [self[i] for i in indices]


def make_films(simulated: Clips, stride: int, frame_step: int = 2, num_films: int = 4) -> Clips:
    """Returns test clips of a simulated data set as films, cut into windows of 5 frames as `video_folder` does.

    The windows are in random order, as TFDS stores them.
    """
    windows = _Examples(
        {"image": clip["image"][first : first + 5], "video": str(i).encode(), "first_frame": first * frame_step}
        for i, clip in enumerate(simulated.splits["test"][j] for j in range(num_films))
        for first in range(0, len(clip["image"]) - 4, stride)
    )
    random.Random(0).shuffle(windows)
    return Clips({"train": windows, "test": windows}, {"source": "/videos", "frame_step": frame_step})


def oscillator(
    metadata: Any, num_seen: int, frequency: float = FREQUENCY, noise: float = 0.0, anchor: int = 0
) -> CompiledDynamics:
    """A model that reads the state off the frames by least squares, follows it, and draws it.

    Args:
      metadata: Metadata of the data set.
      num_seen: Number of frames that it sees.
      frequency: Angular frequency that it believes in.
      noise: Noise that blurs the images it draws, as the average over noisy frames is blurred.
      anchor: Index of the frame, among those it sees, at which it infers the state.
    """
    canvas = rendering.canvas_from_metadata(metadata)
    phase = FREQUENCY * DT * (np.arange(num_seen) - anchor)
    fit = np.linalg.pinv(np.stack([np.cos(phase), np.sin(phase)], axis=1))
    heights = (1 - 2 * (np.arange(canvas.image_size) + 0.5) / canvas.image_size) * canvas.half_width

    def infer(params, frames):
        bright = frames[..., 0].astype(jnp.float32) - canvas.background[0]
        middle = jnp.sum(bright.sum(axis=3) * heights, axis=2) / jnp.sum(bright, axis=(2, 3))
        q, p = (middle @ fit.T)[:, :, None].swapaxes(0, 1)
        return PhaseState(params * q, params * IMPEDANCE * p)

    def roll(params, state, num_steps, dt):
        return rollout(SYSTEM.hamiltonian, state, dt * frequency / FREQUENCY, num_steps, "yoshida4", substeps=4)

    def decode(params, states):
        if noise:
            return expected_composite(canvas, canvas, noise, states.q / params)
        alphas = scenes.coverage(canvas, scenes.distance(canvas, scenes.disc_centres(canvas, states.q / params)))
        return scenes.composite(canvas, alphas) / 255.0

    def energy(params, states):
        return 3.0 * SYSTEM.hamiltonian(jax.tree.map(lambda x: x / params, states)) - 1.0

    def kl(params, frames):
        return jnp.full(len(frames), 2.5)

    def sample(params, key, number):
        radius_key, phase_key = jax.random.split(key)
        radius = jax.random.uniform(radius_key, (number, 1), minval=RADII[0], maxval=RADII[1])
        phase = jax.random.uniform(phase_key, (number, 1), maxval=2 * np.pi)
        return PhaseState(params * radius * jnp.cos(phase), params * IMPEDANCE * radius * jnp.sin(phase))

    return CompiledDynamics(
        LatentDynamics(jnp.float32(1.0), num_seen, DT, infer, roll, decode, energy, kl=kl, sample=sample, anchor=anchor)
    )
