"""Builder of the pendulum data set: an ideal pendulum as video (Sec. 4 of Hamiltonian Generative Networks)."""

import dataclasses

import tensorflow_datasets as tfds

from data_builders import physics_builder
from data_builders.rendering import images as rendering


@dataclasses.dataclass(eq=False)
class PendulumConfig(physics_builder.PhysicsConfig):
    """The paper's settings. The bob stays at distance l = 1 from the centre, so the disc is never clipped."""

    system: str = "pendulum"
    constants: dict[str, float] = dataclasses.field(
        default_factory=lambda: {"m": 0.5, "g": 3.0, "l": 1.0, "potential_factor": 2.0}
    )
    radius_range: tuple[float, float] = (1.3, 2.3)
    observation_noise: float = 0.1
    half_width: float = 1.3
    disc_radius: float = 0.27
    colours: tuple[rendering.Colour, ...] = (rendering.YELLOW,)


class Builder(physics_builder.PhysicsBuilder):
    """Builder of the pendulum data set; `PhysicsBuilder` documents its contents."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Initial release."}
    BUILDER_CONFIGS = physics_builder.standard_configs(
        PendulumConfig,
        # The ranges and the potential of DeepMind's suite, on a canvas with room to move.
        randomised={
            "constants": {"potential_factor": 1.0},
            "constant_ranges": {"m": (0.5, 1.5), "g": (3.0, 4.0), "l": (0.5, 1.0)},
            "num_colours": 6,
            "half_width": 1.65,
            "canvas_offset": 0.35,
        },
        mgl={"constants": {"potential_factor": 1.0}},
    )
