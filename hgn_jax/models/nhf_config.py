"""The configuration of a Neural Hamiltonian Flow, and what makes one valid.

No JAX here: configurations are checked before it is imported.
"""

import dataclasses

from hgn_jax.config_checks import require_at_least, require_choice, require_positive, require_sizes
from hgn_jax.physics.integration_methods import METHODS, Splitting


@dataclasses.dataclass
class NHFConfig:
    """The model; the defaults are the paper's (App. A.2), where it says what they are.

    Attributes:
      num_links: Hamiltonians that are chained.
      steps_per_link: integration steps of each.
      links: `shared`, one Hamiltonian for all links; `separate`, each its own; or `merged`, each its own kinetic
        energy, and one potential where the closing kick of a link meets the opening kick of the next at the same q.
        `merged` saves nearly half of the gradients of `separate`, and can represent the same flows.
      integrator: a name in `hgn_jax.physics.integrators.INTEGRATORS`; a composition of kicks and drifts, the only ones
        with an exact inverse and unit Jacobian determinant for any dt.
      dt: length of an integration step.
      learned_dt: whether dt is a parameter, that starts there.
      kinetic: `mlp`, a network T(p), or `quadratic`, |p|^2 / 2.
      hidden_sizes: hidden layers of the energies.
      activation: of the energies; smooth, as training differentiates their gradients.
      energy_gain: scale of the initial weights of the energies, 1 for variance 1 / fan-in.
      energy_output_gain: the same for their last layer; small for a flow that starts near the identity.
      input_scale: q is `input_scale` times the data, inside the flow, which makes its forces steeper; p is divided by
        it, so that volume is preserved.
      prior: pi, `normal` or `soft_uniform`.
      prior_scale: standard deviation of the normal, full width sigma of the soft-uniform.
      prior_sharpness: beta of the soft-uniform.
      learned_prior_scale: whether pi is stretched by learned factors, one per dimension of q and of p.
      posterior: f(p|q), `gaussian` or `flow`, monotone functions of the noise and of q before the Gaussian's.
      posterior_sizes: hidden layers of the networks of f(p|q), which are ReLU.
      posterior_layers: monotone layers of the `flow`.
      posterior_bends: tanh terms in each of these, per dimension.
      objective: `elbo`; or `geco`, which at first raises the entropy of f(p|q) under E[ln pi(s_0)] >= tolerance, and
        ends as `elbo`.
      objective_samples: samples of p per example; more than one makes the objective the importance-weighted bound
        instead of the ELBO (K = 1).
      tolerance: kappa of `geco`, in nats.
      geco_fraction: part of the training in which `geco` holds.
    """

    num_links: int = 2
    steps_per_link: int = 1
    links: str = "shared"
    integrator: str = "leapfrog"
    dt: float = 0.5
    learned_dt: bool = False
    kinetic: str = "mlp"
    hidden_sizes: tuple[int, ...] = (128, 128)
    activation: str = "softplus"
    energy_gain: float = 1.0
    energy_output_gain: float = 1.0
    input_scale: float = 1.0
    prior: str = "soft_uniform"
    prior_scale: float = 8.0
    prior_sharpness: float = 4.0
    learned_prior_scale: bool = False
    posterior: str = "gaussian"
    posterior_sizes: tuple[int, ...] = (128, 128)
    posterior_layers: int = 2
    posterior_bends: int = 8
    objective: str = "elbo"
    objective_samples: int = 1
    tolerance: float = -10.0
    geco_fraction: float = 0.2


_CHOICES = {
    "links": ("shared", "separate", "merged"),
    "integrator": tuple(method.name for method in METHODS if isinstance(method, Splitting)),
    "kinetic": ("mlp", "quadratic"),
    "activation": ("softplus", "swish", "tanh"),
    "prior": ("normal", "soft_uniform"),
    "posterior": ("gaussian", "flow"),
    "objective": ("elbo", "geco"),
}
_AT_LEAST = dict.fromkeys(
    ("num_links", "steps_per_link", "posterior_layers", "posterior_bends", "objective_samples"), 1
)
_POSITIVE = ("dt", "energy_gain", "energy_output_gain", "input_scale", "prior_scale", "prior_sharpness")


def validate(config: NHFConfig) -> None:
    """Raises ValueError, naming the field and what it may be, if no model can be made from `config`."""
    require_choice(config, _CHOICES)
    require_at_least(config, _AT_LEAST)
    require_positive(config, _POSITIVE)
    require_sizes(config, ("hidden_sizes", "posterior_sizes"))
    if not 0 < config.geco_fraction < 1:
        raise ValueError(f"geco_fraction must lie in (0, 1), got {config.geco_fraction}")
    if not abs(config.tolerance) < float("inf"):
        raise ValueError(f"tolerance must be finite, got {config.tolerance}")
    if config.objective == "geco" and config.objective_samples > 1:
        raise ValueError(f"objective=geco needs objective_samples=1, got {config.objective_samples}")
    if config.links == "merged" and config.steps_per_link > 1:
        raise ValueError(f"links=merged needs steps_per_link=1, got {config.steps_per_link}")
