"""Builder of the double_pendulum data set, after the suite of *Which priors matter?* (Botev et al. 2021)."""

import dataclasses

import tensorflow_datasets as tfds

from data_builders import physics_builder
from data_builders.rendering import images as rendering


@dataclasses.dataclass(eq=False)
class DoublePendulumConfig(physics_builder.PhysicsConfig):
    """Two bobs like the paper's pendulum. They stay within l1 + l2 = 2 of the centre, so no disc is ever clipped."""

    system: str = "double_pendulum"
    constants: dict[str, float] = dataclasses.field(
        default_factory=lambda: {"m1": 0.5, "m2": 0.5, "g": 3.0, "l1": 1.0, "l2": 1.0}
    )
    radius_range: tuple[float, float] = (1.3, 2.3)
    observation_noise: float = 0.05
    half_width: float = 2.5
    disc_radius: float = 0.48
    colours: tuple[rendering.Colour, ...] = (rendering.YELLOW, rendering.SKY_BLUE)


class Builder(physics_builder.PhysicsBuilder):
    """Builder of the double_pendulum data set; `PhysicsBuilder` documents its contents."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Initial release."}
    BUILDER_CONFIGS = physics_builder.standard_configs(
        DoublePendulumConfig,
        # The ranges of DeepMind's suite, on a larger canvas, so that the scene can be shifted.
        randomised={
            "constant_ranges": {
                "m1": (0.4, 0.6),
                "m2": (0.4, 0.6),
                "g": (2.5, 4.0),
                "l1": (0.75, 1.0),
                "l2": (0.75, 1.0),
            },
            "radius_range": (1.0, 2.5),
            "num_colours": 6,
            "half_width": 2.8,
            "canvas_offset": 0.3,
        },
    )
