"""The results of a model of frames.

Errors are mean squared errors per pixel and colour, of values in [0, 1].
"""

import dataclasses

from experiments.run.results import Results


@dataclasses.dataclass(kw_only=True)
class Errors:
    """Errors of predicted frames.

    Attributes:
      mse: Mean over trajectories and frames.
      mse_std: Standard deviation over trajectories.
      mse_per_step: Mean over trajectories for each frame.
    """

    mse: float
    mse_std: float
    mse_per_step: list[float]


@dataclasses.dataclass(kw_only=True)
class SplitErrors(Errors):
    """Errors of a model on a split, beside reference rows.

    Attributes:
      num_examples: Number of trajectories measured.
      reference: Errors of predictors that learn nothing, on the same frames: `mean_image`, the best constant image;
        `first_frame`, the first frame held still; and, where the true states are known, `noise_floor`, the expected
        image given the true states.
      skill: 1 - (mse - floor) / (mean image's mse - floor); None where the floor is not known.
      scipy: Errors of the same model rolled out by scipy's `solve_ivp`; None for HGN.
    """

    num_examples: int
    reference: dict[str, Errors]
    skill: float | None = None
    scipy: Errors | None = None


@dataclasses.dataclass(kw_only=True)
class EnergyStatistics:
    """Conservation of an energy along rollouts; a number is None if it is not finite.

    Attributes:
      mean: Mean over steps and rollouts.
      variance: Variance along a rollout, averaged over rollouts.
      drift: Largest departure from the initial energy, averaged over rollouts, in standard deviations of the initial
        energy over rollouts.
    """

    mean: float | None
    variance: float | None
    drift: float | None


@dataclasses.dataclass(kw_only=True)
class Dynamics:
    """Behaviour of rollouts of the learned Hamiltonian.

    Attributes:
      reversibility: Distance from the start after a rollout forwards and back, relative to the size of the state.
      energy: Statistics of the learned energy, by integrator.
      speed: Relative error of a path, by the size of the integration step: `2dt`, `dt`, `dt/2`; None for HNN.
    """

    reversibility: float
    energy: dict[str, EnergyStatistics]
    speed: dict[str, float] | None = None


@dataclasses.dataclass(kw_only=True)
class PredictionTime:
    """The valid prediction time (VPT): the number of steps until the error of a frame exceeds a threshold.

    Attributes:
      steps: Median over trajectories.
      fraction: The same as a fraction of the steps predicted.
      horizon: Number of steps predicted.
    """

    steps: float
    fraction: float
    horizon: int


# By direction, `forward` or `backward`, and by the number of steps predicted.
PredictionTimes = dict[str, dict[str, PredictionTime]]


@dataclasses.dataclass(kw_only=True)
class PredictionClips:
    """The clips that the prediction times were measured on.

    Attributes:
      num_examples: Number of clips.
      left_out: Number of clips whose trajectories float64 cannot follow far enough.
      compared_with: Frames that the predictions were compared with.
      simulated_steps: Number of steps added by the simulator, `before` and `after` each clip.
    """

    num_examples: int
    left_out: int
    compared_with: str
    simulated_steps: dict[str, int]


@dataclasses.dataclass(kw_only=True)
class Latent:
    """SyMetric between inferred and true states; the attributes are those of `hgn_jax.metrics.symetric.SyMetric`."""

    score: float | None
    r_squared: float | None
    distance: float | None
    order: int | None
    num_latents: int
    variance_kept: float | None = 1.0


@dataclasses.dataclass(kw_only=True)
class Videos:
    """The user's own videos that a run was made with.

    Attributes:
      source: Their directory.
      fingerprint: Fingerprint of its files.
      train_windows: Number of training clips.
      test_windows: Number of test clips.
      train_clips: Number of videos that the training clips were cut from.
      test_clips: Number of videos that the test clips were cut from.
      left_out: Files that could not be used, with the reasons.
      crop: Edges `left`, `top`, `right` and `bottom` of the part that things move in, as fractions of width and height;
        None if the films were not cropped to it.
      frame_rate: Number of frames per second at which films were taken, before `frame_step`; None if not known.
      frame_step: Interval between the frames that were used; None for a run that did not note it.
      stride: Number of used frames from the start of a window to the next; None for a run that did not note it.
    """

    source: str | None
    fingerprint: str | None
    train_windows: int
    test_windows: int
    train_clips: int | None = None
    test_clips: int | None = None
    left_out: dict[str, str] = dataclasses.field(default_factory=dict)
    crop: dict[str, float] | None = None
    frame_rate: float | None = None
    frame_step: int | None = None
    stride: int | None = None


@dataclasses.dataclass(kw_only=True)
class Samples:
    """New trajectories from the model's distribution of states; None where not measured.

    Attributes:
      fidelity: Fraction of sampled frames that show as many discs as frames of the data do, as large and as bright.
      fidelity_after_60: The same for the frames 60 steps later.
      energy_distance: Distance between the quantiles of the learned energies of samples and of test clips, in standard
        deviations of the latter.
      position_distance: The same for the coordinates q, averaged over the axes in which those of test clips vary most.
      position_distance_after_60: The same for the samples 60 steps later.
    """

    fidelity: float | None
    fidelity_after_60: float | None
    energy_distance: float | None
    position_distance: float | None
    position_distance_after_60: float | None


@dataclasses.dataclass(kw_only=True)
class PairLaw:
    """The attraction between two bodies.

    Attributes:
      exponent: Exponent of the distance in the force along the line between them.
      flatness: Largest relative departure of force times squared distance from its mean.
      mass_ratio: Mass of the heavier body over that of the lighter.
      constant: G·m in units of the canvas: acceleration of a body times squared distance.
      own_exponent: Exponent of the pair's own potential alone, without a confinement; None where it is not known.
    """

    exponent: float
    flatness: float
    mass_ratio: float
    constant: float
    own_exponent: float | None = None


@dataclasses.dataclass(kw_only=True)
class Law:
    """The law of force or potential that was read off the learned energy; None where it does not apply.

    Several pairs of bodies are summed up by the worst: the exponent farthest from -2, the largest flatness, and the
    constant farthest from the true one.

    Attributes:
      exponent: Exponent of the distance between two bodies in the force along the line between them.
      flatness: Largest relative departure of force times squared distance from its mean, over the distances that the
        data visit.
      mass_ratio: Ratio of the largest learned mass to the smallest.
      constant: Learned constant of the law in the units of the true system: G·m of bodies, or the angular frequency of
        a mass on a spring or of small swings of a pendulum, or g / l of the lower rod of a double pendulum.
      true_constant: True constant of the law.
      system: Name of the system.
      r_squared: Fraction of variance that a straight line explains: of a pendulum's learned potential against
        1 - cos(angle), also of both angles of a double pendulum, or of a spring's learned force against the true
        displacement.
      inertia: Learned A_11 / A_22 and A_12 / A_22 of a double pendulum's mass matrix A_ij cos(q_i - q_j).
      true_inertia: The true ones.
      friction: Learned rate at which momenta decay, mean over coordinates; None for a model without friction.
      true_friction: True rate.
      pairs: Attraction of each pair of bodies, by their numbers from 1: `1-2`.
    """

    exponent: float | None
    flatness: float | None
    mass_ratio: float | None
    constant: float | None
    true_constant: float | None
    system: str | None = None
    r_squared: float | None = None
    inertia: list[float] | None = None
    true_inertia: list[float] | None = None
    friction: float | None = None
    true_friction: float | None = None
    pairs: dict[str, PairLaw] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(kw_only=True)
class BeyondTheClip:
    """Measurements on long test clips, seen through a window in the middle; None where not measured.

    A long clip is a test clip that the simulator has extended at both ends, or a whole film. The clip in its middle is
    as long as a training clip; the window is the middle of that.

    Attributes:
      skill: Skill within the clip, against the expected image given the true state, or against the frames of the film.
      skill_forward: Skill of the frames 10, 30, 60 and 100 steps after the clip; None beyond the end of the frames.
      skill_backward: The same before the clip.
      vpt: Valid prediction times after and before the clip, in steps of at most `num_steps`; medians over clips.
      horizon: Numbers of steps after and before the clip until the skill falls below `horizon_threshold`; medians.
      horizon_threshold: 0.9, or 0.5 for films, whose noise is not known.
      true_horizon: Horizons of the true system itself from slightly wrong starts, by the error of the start in standard
        deviations, `0.001` and `0.01`; for chaotic systems only.
      clock_share: Fraction of the variance of the states within the clip that lies in the path that all clips share.
      reencoding_error: Squared distance between a state rolled out to a later or earlier window and the state inferred
        there, relative to the variance of the inferred states.
      kl_nats: KL divergence of the posterior from its prior, in nats.
      true_dimensions: Number of dimensions of the true phase space.
      samples: New trajectories.
      period_error: Median relative error of the period of oscillation, at the amplitude of each clip.
      energy_rank_correlation: Spearman's correlation of the learned and the true energy over clips.
      symetric: Score of SyMetric.
      law: The law that was read off.
      num_clips: Number of long clips measured.
      left_out: Number of test clips left out, because float64 cannot follow them, or of films that are too short.
      num_steps: Numbers of steps followed after and before the clip.
      not_measured: Reasons, by the names of the fields that are None.
    """

    skill: float | None
    skill_forward: dict[str, float | None]
    skill_backward: dict[str, float | None]
    vpt: list[float | None]
    horizon: list[float | None]
    horizon_threshold: float
    true_horizon: dict[str, list[float | None]] | None = None
    clock_share: float | None
    reencoding_error: float | None
    kl_nats: float | None
    true_dimensions: int | None
    samples: Samples | None
    period_error: float | None
    energy_rank_correlation: float | None
    symetric: float | None
    law: Law | None
    num_clips: int
    left_out: int
    num_steps: list[int]
    not_measured: dict[str, str]


@dataclasses.dataclass(kw_only=True)
class FrameResults(Results):
    """All numbers of a run of a model of frames.

    Attributes:
      test: Errors on the test split.
      train: Errors on the training split.
      dynamics: Behaviour of rollouts of test clips.
      frames_seen: Number of frames that the state is inferred from.
      prediction: Prediction times of the model; empty by direction where they were not measured.
      mean_image_prediction: The same for the best constant image.
      prediction_clips: The clips that these were measured on.
      latent: SyMetric.
      beyond_the_clip: Measurements on long test clips, beyond the clips of the data set.
      not_measured: Names of quantities that could not be measured, with the reasons.
      videos: The user's own videos; None for a simulated data set.
      model: The kind of model, for HNN.
      notes: Remarks on the run in words, such as that its tolerance cannot be reached.
    """

    test: SplitErrors
    train: SplitErrors
    dynamics: Dynamics
    frames_seen: int
    prediction: PredictionTimes
    mean_image_prediction: PredictionTimes | None = None
    prediction_clips: PredictionClips | None = None
    latent: Latent | None = None
    beyond_the_clip: BeyondTheClip | None = None
    not_measured: dict[str, str] = dataclasses.field(default_factory=dict)
    videos: Videos | None = None
    model: str | None = None
    notes: list[str] = dataclasses.field(default_factory=list)
