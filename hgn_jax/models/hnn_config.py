"""The configuration of a Hamiltonian Neural Network, and what makes one valid.

No JAX here: configurations are checked before it is imported.
"""

import dataclasses

from hgn_jax.config_checks import require_at_least, require_choice, require_positive, require_sizes
from hgn_jax.networks.latent_grid import num_doublings
from hgn_jax.physics.integration_methods import METHODS


@dataclasses.dataclass
class HNNConfig:
    """The model; the defaults are those of PixelHNN in App. A.3 of the HGN paper.

    Attributes:
      model: `state`, which learns H(q, p) from true states and their time derivatives; `pixel`, PixelHNN, which embeds
        pairs of frames by multilayer perceptrons; or `convolutional`, the same with HGN's encoder and decoder.
      state_size: the number d of coordinates q, and of momenta p.
      image_size: height and width of a frame in pixels; 4 * 2^k for `convolutional`.
      hidden_sizes: hidden layers of the Hamiltonian.
      activation: of these; smooth, as the gradient of the energy is itself differentiated.
      encoder_sizes: hidden layers of the encoder (`pixel` only).
      decoder_sizes: hidden layers of the decoder (`pixel` only).
      encoder_filters: filters of the encoder's layers (this and the next three `convolutional` only).
      decoder_filters: filters of the decoder's residual blocks, one block per doubling of the resolution.
      block_activation: closes each residual block, `sigmoid` as printed or `none`.
      latent_channels: channels of the 4x4 grid between the convolutions and the linear layer from or to (q, p).
      hnn_weight: lambda_HNN, of the term that fits the vector field to the differences of the embedding.
      weight_decay: lambda_WD, of half the sum of the squares of all parameters.
      integrator: a name in `hgn_jax.physics.integration_methods.METHODS`.
      dt: time between frames. The embeddings of frames count time in frames, as their momentum is the change of q
        from one to the next; for `state` it is that of the data.
      substeps: integration steps between frames.
    """

    model: str = "pixel"
    state_size: int = 1
    image_size: int = 32
    hidden_sizes: tuple[int, ...] = (200, 200)
    activation: str = "tanh"
    encoder_sizes: tuple[int, ...] = (200, 200, 200)
    decoder_sizes: tuple[int, ...] = (200, 200, 200)
    encoder_filters: tuple[int, ...] = (32, 64, 64, 64, 64, 64, 64, 48)
    decoder_filters: tuple[int, ...] = (64, 64, 64)
    block_activation: str = "sigmoid"
    latent_channels: int = 32
    hnn_weight: float = 0.1
    weight_decay: float = 1e-5
    integrator: str = "rk4"
    dt: float = 1.0
    substeps: int = 1


_CHOICES = {
    "model": ("state", "pixel", "convolutional"),
    "activation": ("tanh", "softplus", "swish", "sigmoid"),
    "block_activation": ("sigmoid", "none", "leaky_relu"),
    "integrator": tuple(method.name for method in METHODS),
}
_AT_LEAST = {
    **{"state_size": 1, "image_size": 1, "latent_channels": 1, "substeps": 1},
    **{"hnn_weight": 0.0, "weight_decay": 0.0},
}
_SIZES = ("hidden_sizes", "encoder_sizes", "decoder_sizes", "encoder_filters", "decoder_filters")


def validate(config: HNNConfig) -> None:
    """Raises ValueError, naming the field and what it may be, if no model can be made from `config`."""
    require_choice(config, _CHOICES)
    require_at_least(config, _AT_LEAST)
    require_positive(config, ("dt",))
    require_sizes(config, _SIZES)
    if config.model == "convolutional":
        doublings = num_doublings(config.image_size)
        if len(config.decoder_filters) != doublings or len(config.encoder_filters) < doublings:
            raise ValueError(
                f"image_size={config.image_size} needs {doublings} entries of decoder_filters and as many or more of "
                f"encoder_filters; got {config.decoder_filters} and {config.encoder_filters}"
            )
