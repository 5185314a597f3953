"""A density of states as the prior of states that are read from noisy frames."""

import numpy as np

from hgn_jax.models.hgn_config import HGNConfig
from hgn_jax.state_densities.density import Density
from hgn_jax.training.model import Params


def with_prior(params: Params, config: HGNConfig, density: Density | None) -> Params:
    """Returns the parameters with which an HGN reads noisy frames in the light of a density of its states.

    `HGN.infer_state` then weighs the distance of the points in the frames from the rollout against that of the state
    from the normal distribution with the mean and the covariance of the density, each in units of its standard
    deviation. Such a prior keeps noise from moving what rests in all clips, as the middle of two bodies may.

    Args:
      params: Parameters of the model.
      config: Its configuration.
      density: The density of its states. Without one, or without `position_noise`, the parameters are returned as they
        are.
    """
    if density is None or config.position_noise is None:
        return params
    whitening = density.whitening
    return params | {"prior": {"mean": np.float32(whitening.mean), "whiten": np.float32(whitening.matrix)}}


def without_prior(params: Params) -> Params:
    """Returns the parameters that were learned."""
    return {name: value for name, value in params.items() if name != "prior"}
