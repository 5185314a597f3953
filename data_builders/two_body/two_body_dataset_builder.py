"""Two gravitating bodies, seen as video (Sec. 4 of Hamiltonian Generative Networks)."""

import dataclasses

import tensorflow_datasets as tfds

from data_builders import physics_builder
from data_builders.rendering import images as rendering


@dataclasses.dataclass(eq=False)
class TwoBodyConfig(physics_builder.PhysicsConfig):
    """The paper's settings. Clips 0.4 % of frames, of the widest ellipses."""

    system: str = "two_body"
    constants: dict[str, float] = dataclasses.field(default_factory=lambda: {"m": 1.0, "g": 1.0})
    radius_range: tuple[float, float] = (0.5, 1.5)
    observation_noise: float = 0.05
    velocity_perturbation: float = 0.1
    half_width: float = 1.95
    disc_radius: float = 0.4
    colours: tuple[rendering.Colour, ...] = (rendering.YELLOW, rendering.SKY_BLUE)


class Builder(physics_builder.PhysicsBuilder):
    """Builder of the two_body data set; see `PhysicsBuilder` for what it holds."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Initial release."}
    BUILDER_CONFIGS = physics_builder.standard_configs(
        TwoBodyConfig,
        # The ranges of DeepMind's suite, on a canvas with room to move.
        randomised={
            "constant_ranges": {"m": (0.5, 1.5), "g": (0.5, 1.5)},
            "num_colours": 6,
            "half_width": 2.5,
            "canvas_offset": 0.3,
        },
    )
