"""Made-up results of models of frames, for tests of tables, reports and figures."""

from typing import Any

from experiments.clips.results import (
    BeyondTheClip,
    Dynamics,
    EnergyStatistics,
    Errors,
    FrameResults,
    Latent,
    PredictionTime,
    Samples,
    SplitErrors,
)
from experiments.run.results import Multiplier, RunFacts

NUM_FRAMES = 5
RUN = RunFacts(
    preset="a preset", steps=30, seed=4, device="1 x cpu", multiplier=Multiplier(last=12.0, saturated=None),
    versions={"jax": "0.1"}, wall_time_s={"training": 300.0, "evaluation": 10.0}, cpu_time_s={"training": 500.0},
)  # fmt: skip
PREDICTION = {
    "forward": {"60": PredictionTime(steps=41.5, fraction=41.5 / 60, horizon=60)},
    "backward": {"60": PredictionTime(steps=60.0, fraction=1.0, horizon=60)},
}
LATENT = Latent(score=1.0, r_squared=0.95, distance=None, order=3, num_latents=2)
BEYOND = BeyondTheClip(
    skill=0.99, skill_forward={"10": 0.95, "30": 0.9, "60": None, "100": None}, horizon=[31.5, 60.0], vpt=[59.0, 60.0],
    skill_backward={"10": 0.9, "30": 0.8, "60": 0.7, "100": None}, horizon_threshold=0.9, clock_share=0.1,
    true_horizon={"0.01": [20.0, 50.0]},
    reencoding_error=0.002, kl_nats=20.0, true_dimensions=4, period_error=None, energy_rank_correlation=0.99,
    samples=Samples(fidelity=0.95, fidelity_after_60=0.9, energy_distance=0.1, position_distance=0.1,
                    position_distance_after_60=0.2),
    symetric=1.0, law=None, num_clips=32, left_out=3, num_steps=[59, 60], not_measured={"law": "no points"},
)  # fmt: skip
_MEAN_IMAGE = Errors(mse=8e-4, mse_std=1e-5, mse_per_step=[2e-4] * NUM_FRAMES)
_FIRST_FRAME = Errors(mse=2e-4, mse_std=1e-5, mse_per_step=[0.0, *[4e-4] * (NUM_FRAMES - 1)])


def split_errors(**more: Any) -> SplitErrors:
    """Returns the errors of a model on a split; `more` replaces fields."""
    fields = {
        "mse": 2e-4, "mse_std": 1e-5, "mse_per_step": [2e-4] * NUM_FRAMES, "num_examples": 500, "skill": 0.9,
        "reference": {"mean_image": _MEAN_IMAGE, "first_frame": _FIRST_FRAME},
    }  # fmt: skip
    return SplitErrors(**{**fields, **more})


def results(**more: Any) -> FrameResults:
    """Returns the results of a model of frames; `more` replaces fields."""
    energy = {
        "leapfrog": EnergyStatistics(drift=0.01, mean=1.0, variance=0.5),
        "euler": EnergyStatistics(drift=2.0, mean=1.0, variance=0.5),
    }
    fields = {
        "train": split_errors(), "test": split_errors(), "dynamics": Dynamics(reversibility=1e-7, energy=energy),
        "frames_seen": NUM_FRAMES, "prediction": {"forward": {}, "backward": {}}, "run": RUN,
    }  # fmt: skip
    return FrameResults(**{**fields, **more})
