"""Trains an HGN on films in an array and predicts their future and past: `python examples/train_hgn.py [films.npy]`.

The films are `[clips, time, 32, 32, 3]`: whole numbers from 0 to 255, or floats in [0, 1]. Without a file the program
draws a pendulum of its own. The model is the anchored HGN for a body that moves on a circle: its state is an angle and
its momentum. Three minutes on two cores.
"""

import sys

import numpy as np

from hgn_jax import HGNConfig, PhaseState, make_hgn, predict, rollout, systems, train
from hgn_jax.training import OptimizerConfig

CONFIG = HGNConfig(
    latent="keypoints",
    num_keypoints=1,
    chart="rods",
    state_channels=1,
    background="colour",
    inference_frames=5,  # the model sees a window of five frames at a random place of the clip,
    rollout_directions="outward",  # and its state is rolled out both ways
    use_transform=False,
    encoder_filters=(8, 8),
    decoder_filters=(16, 16),
    sharpen_points=True,
    frame_weight=1.0,
    kinetic="quadratic",
    hamiltonian_network="mlp",
    hamiltonian_filters=(64, 64),
    hamiltonian_output_gain=1.0,
    objective="relative",
    beta=1.7e-4,
    loss_frames=6,
    initial_horizon=6,
    horizon_growth=0.4,
    unroll=5,
)
OPTIMIZER = OptimizerConfig(learning_rate=4e-3, schedule="cosine", warmup_fraction=0.05, gradient_clip=8.0)


def pendulum_films(num_clips: int = 500, num_frames: int = 31) -> np.ndarray:
    """Returns films of a yellow disc that swings on a grey ground, float32 `[clips, time, 32, 32, 3]`."""
    rng = np.random.default_rng(0)
    start = PhaseState(rng.uniform(-1.5, 1.5, (num_clips, 1)), rng.uniform(-0.5, 0.5, (num_clips, 1)))
    angle = np.asarray(rollout(systems.pendulum().hamiltonian, start, 0.125, num_frames - 1, substeps=4).q[..., 0]).T
    x = np.linspace(-1.5, 1.5, 32)
    distance = np.hypot(x - np.sin(angle)[..., None, None], x[:, None] - np.cos(angle)[..., None, None])
    disc = 1.0 / (1.0 + np.exp((distance - 0.35) / 0.04))[..., None]
    return (disc * np.array([1.0, 0.9, 0.1]) + (1.0 - disc) * 0.3).astype(np.float32)


def main(path: str | None = None, num_steps: int = 1000) -> None:
    frames = np.load(path) if path else pendulum_films()
    hgn = make_hgn(CONFIG)
    params = train(hgn, frames, num_steps, optimizer=OPTIMIZER)

    # The model sees five frames in the middle of each clip, and predicts 60 on either side.
    prediction = predict(hgn, params, frames[:4], num_steps=60, first_seen=None)
    first, predicted = prediction.around()
    predicted = predicted[:, -first:][:, : frames.shape[1]]  # at the times of the clip
    error, still = (np.mean((images - frames[:4]) ** 2) for images in (predicted, frames[:4].mean(axis=(0, 1))))
    print(f"skill within the clips {1.0 - error / still:.3f} (1 is perfect, 0 a still image)")
    print(f"energies {prediction.energy.round(3)}")
    np.savez("prediction.npz", forward=prediction.forward, backward=prediction.backward, energy=prediction.energy)


if __name__ == "__main__":
    main(*sys.argv[1:])
