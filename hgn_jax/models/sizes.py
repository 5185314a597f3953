"""Memory that the training of a model needs, from its configuration alone.

No JAX here: what is too large is found before anything is computed. All numbers are lower estimates; see
`hgn_jax.memory`.
"""

from collections.abc import Sequence

from hgn_jax.memory import FLOAT_BYTES, Need
from hgn_jax.models.hgn_config import HGNConfig
from hgn_jax.models.hnn_config import HNNConfig
from hgn_jax.models.nhf_config import NHFConfig
from hgn_jax.networks.latent_grid import LATENT_SIZE

_COPIES = 4  # of each parameter: itself, its gradient, and two moments of Adam
_DECODER_CHUNKS = 8  # of which one is held at a time on a CPU; see `hgn_jax.networks.chunked_error`


def hgn_needs(config: HGNConfig, batch_size: int, num_frames: int) -> list[Need]:
    """Lists what the training of an HGN holds, for batches of clips of `num_frames` frames."""
    state, decoded = config.state_channels, config.loss_frames or num_frames
    grid = LATENT_SIZE**2
    seen = config.inference_frames or num_frames
    channels = (3,) if config.latent == "keypoints" else (3 * seen,)
    step = {"training.batch_size": batch_size, "data.num_steps": num_frames - 1}
    clip = {**step, "image_size": config.image_size}
    pixels = config.image_size**2
    keypoints = config.latent == "keypoints"
    filters = () if keypoints and config.painter == "discs" else config.decoder_filters
    decoder = sum(2 * width * (LATENT_SIZE * 2**block) ** 2 for block, width in enumerate(filters, 1))
    if keypoints and config.painter != "picture":
        decoder = pixels * sum(filters, config.num_keypoints)
    return [
        _frames("a batch", batch_size * num_frames * pixels, clip),
        _parameters("the encoder", _convolutional((*channels, *config.encoder_filters)), config, "encoder_filters"),
        _parameters("the decoder", _convolutional(filters), config, "decoder_filters"),
        _parameters("f_psi", _dense((state, *config.transform_filters)), config, "transform_filters", "state_channels"),
        _parameters(
            "the decoder's first layer",
            grid * state**2 if config.latent == "vector" and not config.lift_sizes else 0,
            config,
            "state_channels",
        ),
        _parameters("the lift", _dense((state, *config.lift_sizes)), config, "lift_sizes", "state_channels"),
        _parameters("the Hamiltonian", _dense((state, *config.hamiltonian_filters, 1)), config, "hamiltonian_filters"),
        _numbers(
            "a rollout",
            batch_size * num_frames * config.substeps * 2 * state * (grid if config.latent == "spatial" else 1),
            {**step, "state_channels": state, "substeps": config.substeps},
        ),
        _numbers("the pairs of points", batch_size * config.num_keypoints**2, {"num_keypoints": config.num_keypoints}),
        _numbers(
            "the decoder of a batch",
            batch_size * decoded * decoder // _DECODER_CHUNKS,
            {**clip, "decoder_filters": config.decoder_filters, "num_keypoints": config.num_keypoints},
        ),
    ]


def hnn_needs(config: HNNConfig, batch_size: int, num_frames: int) -> list[Need]:
    """Lists what the training of an HNN holds, for batches of clips of `num_frames` frames or states."""
    z_size = 2 * config.state_size
    step = {"training.batch_size": batch_size, "data.num_steps": num_frames - 1, "state_size": config.state_size}
    energy = (z_size, *config.hidden_sizes, 1)
    examples = batch_size * num_frames
    needs = [
        _parameters("the Hamiltonian", _dense(energy), config, "hidden_sizes", "state_size"),
        _numbers("a step", examples * sum(energy), {**step, "hidden_sizes": config.hidden_sizes}),
    ]
    if config.model == "state":
        return needs
    pixels = config.image_size**2
    needs.append(_frames("a batch", examples * 2 * pixels, {**step, "image_size": config.image_size}))
    if config.model == "convolutional":
        grid = LATENT_SIZE**2 * config.latent_channels
        return [
            *needs,
            _parameters("the encoder", _convolutional((6, *config.encoder_filters)), config, "encoder_filters"),
            _parameters("the decoder", _convolutional(config.decoder_filters), config, "decoder_filters"),
            _parameters("the latent grid", 2 * grid * z_size, config, "latent_channels", "state_size"),
        ]
    encoder, decoder = (6 * pixels, *config.encoder_sizes, z_size), (z_size, *config.decoder_sizes, 6 * pixels)
    step |= {"image_size": config.image_size}
    widths = {"encoder_sizes": config.encoder_sizes, "decoder_sizes": config.decoder_sizes}
    return [
        *needs,
        _parameters("the encoder", _dense(encoder), config, "encoder_sizes", "image_size"),
        _parameters("the decoder", _dense(decoder), config, "decoder_sizes", "image_size"),
        _numbers("a step", examples * (sum(encoder) + sum(decoder)), {**step, **widths}),
    ]


def nhf_needs(config: NHFConfig, batch_size: int, dim: int = 1) -> list[Need]:
    """Lists what the training of an NHF holds, for batches of points with `dim` or more coordinates."""
    num_moves = 2 * config.num_links * config.steps_per_link
    num_energies = 2 if config.links == "shared" else 2 * config.num_links
    examples = batch_size * config.objective_samples
    step = {"training.batch_size": batch_size, "objective_samples": config.objective_samples}
    bends = 3 * config.posterior_bends * dim if config.posterior == "flow" else 0
    layers = config.posterior_layers if config.posterior == "flow" else 0
    posterior = {name: getattr(config, name) for name in ("posterior_sizes", "posterior_layers", "posterior_bends")}
    return [
        _parameters(
            "the flow",
            num_energies * _dense((dim, *config.hidden_sizes, 1)),
            config,
            "hidden_sizes",
            *(["num_links"] if config.links != "shared" else []),
        ),
        _parameters(
            "f(p|q)",
            2 * _dense((dim, *config.posterior_sizes, dim)) + layers * _dense((dim, *config.posterior_sizes, bends)),
            config,
            *posterior,
        ),
        _numbers(
            "a step through the flow",
            examples * num_moves * sum(config.hidden_sizes, 2 * dim),
            {
                **step,
                "hidden_sizes": config.hidden_sizes,
                "num_links": config.num_links,
                "steps_per_link": config.steps_per_link,
            },
        ),
        _numbers(
            "f(p|q) of a step",
            batch_size * sum(config.posterior_sizes, dim) + examples * layers * (sum(config.posterior_sizes) + bends),
            {**step, **posterior},
        ),
    ]


def _parameters(part: str, number: int, config: object, *fields: str) -> Need:
    names = {field: getattr(config, field) for field in fields}
    return Need(f"training {part}", _COPIES * FLOAT_BYTES * number, names)


def _numbers(part: str, number: int, fields: dict[str, object]) -> Need:
    return Need(part, FLOAT_BYTES * number, fields)


def _frames(part: str, num_pixels: int, fields: dict[str, object]) -> Need:
    """Pixels of three colours, as bytes and as numbers."""
    return Need(part, (1 + FLOAT_BYTES) * 3 * num_pixels, fields)


def _dense(widths: Sequence[int]) -> int:
    """Number of parameters of a multilayer perceptron; `widths` begins with the length of its input."""
    return sum((inputs + 1) * outputs for inputs, outputs in zip(widths, widths[1:], strict=False))


def _convolutional(channels: Sequence[int]) -> int:
    """Number of parameters of a chain of 3x3 convolutions; `channels` begins with those of its input."""
    return sum((9 * inputs + 1) * outputs for inputs, outputs in zip(channels, channels[1:], strict=False))
