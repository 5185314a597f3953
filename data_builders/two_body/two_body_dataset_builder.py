"""Builder of the two_body data set: two gravitating bodies as video (Sec. 4 of Hamiltonian Generative Networks)."""

import dataclasses

import tensorflow_datasets as tfds

from data_builders import physics_builder
from data_builders.rendering import images as rendering


@dataclasses.dataclass(eq=False)
class TwoBodyConfig(physics_builder.PhysicsConfig):
    """The paper's settings. Discs are clipped in 0.4 % of frames, on the widest ellipses."""

    system: str = "two_body"
    constants: dict[str, float] = dataclasses.field(default_factory=lambda: {"m": 1.0, "g": 1.0})
    radius_range: tuple[float, float] = (0.5, 1.5)
    observation_noise: float = 0.05
    velocity_perturbation: float = 0.1
    half_width: float = 1.95
    disc_radius: float = 0.4
    colours: tuple[rendering.Colour, ...] = (rendering.YELLOW, rendering.SKY_BLUE)


class Builder(physics_builder.PhysicsBuilder):
    """Builder of the two_body data set; `PhysicsBuilder` documents its contents."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Initial release."}
    BUILDER_CONFIGS = physics_builder.standard_configs(
        TwoBodyConfig,
        # The ranges of DeepMind's suite, on a larger canvas, so that the scene can be shifted.
        randomised={
            "constant_ranges": {"m": (0.5, 1.5), "g": (0.5, 1.5)},
            "num_colours": 6,
            "half_width": 2.5,
            "canvas_offset": 0.3,
        },
    )
