"""Builder of the mass_spring data set: a mass on a spring as video (Sec. 4 of Hamiltonian Generative Networks)."""

import dataclasses

import tensorflow_datasets as tfds

from data_builders import physics_builder
from data_builders.rendering import images as rendering


@dataclasses.dataclass(eq=False)
class MassSpringConfig(physics_builder.PhysicsConfig):
    """The paper's settings. The disc reaches the edge of the canvas at |q| = 1.07: amplitude 1 and some noise."""

    system: str = "mass_spring"
    constants: dict[str, float] = dataclasses.field(default_factory=lambda: {"k": 2.0, "m": 0.5})
    radius_range: tuple[float, float] = (0.1, 1.0)
    observation_noise: float = 0.1
    half_width: float = 1.35
    disc_radius: float = 0.28
    colours: tuple[rendering.Colour, ...] = (rendering.YELLOW,)


class Builder(physics_builder.PhysicsBuilder):
    """Builder of the mass_spring data set; `PhysicsBuilder` documents its contents."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Initial release."}
    BUILDER_CONFIGS = physics_builder.standard_configs(
        MassSpringConfig,
        # The ranges of DeepMind's suite, on a larger canvas, so that the scene can be shifted.
        randomised={"constant_ranges": {"m": (0.2, 1.0)}, "num_colours": 6, "half_width": 1.7, "canvas_offset": 0.3},
    )
