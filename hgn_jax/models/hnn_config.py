"""The configuration of a Hamiltonian Neural Network and the rules for a valid one.

No JAX here: configurations are checked before it is imported.
"""

import dataclasses

from hgn_jax.config_checks import MAX_STEPS, at_least, check_fields, choice, positive, sizes
from hgn_jax.networks.latent_grid import num_doublings
from hgn_jax.physics.integration_methods import METHODS


@dataclasses.dataclass
class HNNConfig:
    """A Hamiltonian Neural Network. The defaults are those of PixelHNN in App. A.3 of the HGN paper.

    Attributes:
      model: `state`, which learns H(q, p) from true states and their time derivatives; `pixel`, PixelHNN, which embeds
        pairs of frames by multilayer perceptrons; or `convolutional`, the same with HGN's encoder and decoder.
      state_size: Number d of coordinates q, and of momenta p.
      image_size: Height and width of a frame in pixels; 4 * 2^k for `convolutional`.
      hidden_sizes: Widths of the hidden layers of the Hamiltonian.
      activation: Activation of the Hamiltonian. It must be smooth: training differentiates the energy twice.
      encoder_sizes: Widths of the hidden layers of the encoder (`pixel` only).
      decoder_sizes: Widths of the hidden layers of the decoder (`pixel` only).
      encoder_filters: Number of filters of each layer of the encoder (`convolutional` only, like the next three).
      decoder_filters: Number of filters of each residual block of the decoder, one block per doubling of the
        resolution.
      block_activation: Activation that closes each residual block; `sigmoid` as printed.
      latent_channels: Number of channels of the 4x4 grid between the convolutions and the linear layer to or from
        (q, p).
      hnn_weight: lambda_HNN, weight of the term that fits the vector field to the differences of the embedding.
      weight_decay: lambda_WD, weight of half the sum of the squares of all parameters.
      integrator: Name of an integrator in `hgn_jax.physics.integrators.INTEGRATORS`.
      dt: Time between frames. Embedded momenta are changes of q from one frame to the next, so models of frames count
        time in frames; the model `state` uses the time step of the data.
      substeps: Number of integration steps between frames.
    """

    model: str = choice("pixel", ("state", "pixel", "convolutional"))
    state_size: int = at_least(1, 1)
    image_size: int = at_least(32, 1)
    hidden_sizes: tuple[int, ...] = sizes(200, 200)
    activation: str = choice("tanh", ("tanh", "softplus", "swish", "sigmoid"))
    encoder_sizes: tuple[int, ...] = sizes(200, 200, 200)
    decoder_sizes: tuple[int, ...] = sizes(200, 200, 200)
    encoder_filters: tuple[int, ...] = sizes(32, 64, 64, 64, 64, 64, 64, 48)
    decoder_filters: tuple[int, ...] = sizes(64, 64, 64)
    block_activation: str = choice("sigmoid", ("sigmoid", "none", "leaky_relu"))
    latent_channels: int = at_least(32, 1)
    hnn_weight: float = at_least(0.1, 0)
    weight_decay: float = at_least(1e-5, 0)
    integrator: str = choice("rk4", (method.name for method in METHODS))
    dt: float = positive(1.0)
    substeps: int = at_least(1, 1, MAX_STEPS)


def validate(config: HNNConfig) -> None:
    """Raises ValueError, naming the field and its allowed values, if no model can be made from `config`."""
    check_fields(config)
    if config.model == "convolutional":
        doublings = num_doublings(config.image_size)
        if len(config.decoder_filters) != doublings or len(config.encoder_filters) < doublings:
            raise ValueError(
                f"image_size={config.image_size} needs {doublings} entries of decoder_filters and at least as many of "
                f"encoder_filters; got {config.decoder_filters} and {config.encoder_filters}"
            )
