"""The configuration of a Neural Hamiltonian Flow and the rules for a valid one.

No JAX here: configurations are checked before it is imported.
"""

import dataclasses

from hgn_jax.config_checks import MAX_STEPS, at_least, check_fields, choice, finite, positive, sizes, within
from hgn_jax.physics.integration_methods import METHODS, Splitting


@dataclasses.dataclass
class NHFConfig:
    """A Neural Hamiltonian Flow. The defaults are the paper's (App. A.2) where it gives them.

    Attributes:
      num_links: Number of Hamiltonians that are chained.
      steps_per_link: Number of integration steps of each Hamiltonian.
      links: `shared`, one Hamiltonian for all links; `separate`, one for each link; or `merged`, one kinetic energy for
        each link, and one potential where the closing kick of a link meets the opening kick of the next at the same q.
        `merged` saves nearly half of the gradients of `separate` and can represent the same flows.
      integrator: Name of an integrator in `hgn_jax.physics.integrators.INTEGRATORS` that is composed of kicks and
        drifts: only these have an exact inverse and unit Jacobian determinant for any dt.
      dt: Length of an integration step.
      learned_dt: Whether dt is a parameter, which starts at `dt`.
      kinetic: `mlp`, a network T(p), or `quadratic`, |p|^2 / 2.
      hidden_sizes: Widths of the hidden layers of the energies.
      activation: Activation of the energies. It must be smooth: training differentiates their gradients.
      energy_gain: Scale of the initial weights of the energies; 1 for variance 1 / fan-in.
      energy_output_gain: Scale of the initial weights of their last layer; small for a flow that starts near the
        identity.
      input_scale: Factor by which the flow stretches the data to q, which makes its forces steeper. The momenta are
        divided by it, so that volume is preserved.
      prior: Base density pi of q and of p.
      prior_scale: Standard deviation of the normal prior, or full width sigma of the soft-uniform one.
      prior_sharpness: beta of the soft-uniform prior.
      learned_prior_scale: Whether the prior is stretched by learned factors, one per dimension of q and of p.
      posterior: f(p|q): `gaussian`, or `flow`, with monotone functions of the noise and of q before the Gaussian.
      posterior_sizes: Widths of the hidden layers of the ReLU networks of f(p|q).
      posterior_layers: Number of monotone layers of the `flow`.
      posterior_bends: Number of tanh terms of each monotone layer, per dimension.
      objective: `elbo`; or `geco`, which at first raises the entropy of f(p|q) under E[ln pi(s_0)] >= tolerance and
        ends as `elbo`.
      objective_samples: Number of momenta sampled per example. More than one gives the importance-weighted bound
        instead of the ELBO.
      tolerance: kappa of `geco`, in nats.
      geco_fraction: Fraction of the training during which the constraint of `geco` holds.
    """

    num_links: int = at_least(2, 1)
    steps_per_link: int = at_least(1, 1)
    links: str = choice("shared", ("shared", "separate", "merged"))
    integrator: str = choice("leapfrog", (method.name for method in METHODS if isinstance(method, Splitting)))
    dt: float = positive(0.5)
    learned_dt: bool = False
    kinetic: str = choice("mlp", ("mlp", "quadratic"))
    hidden_sizes: tuple[int, ...] = sizes(128, 128)
    activation: str = choice("softplus", ("softplus", "swish", "tanh"))
    energy_gain: float = positive(1.0)
    energy_output_gain: float = positive(1.0)
    input_scale: float = positive(1.0)
    prior: str = choice("soft_uniform", ("normal", "soft_uniform"))
    prior_scale: float = positive(8.0)
    prior_sharpness: float = positive(4.0)
    learned_prior_scale: bool = False
    posterior: str = choice("gaussian", ("gaussian", "flow"))
    posterior_sizes: tuple[int, ...] = sizes(128, 128)
    posterior_layers: int = at_least(2, 1, MAX_STEPS)
    posterior_bends: int = at_least(8, 1)
    objective: str = choice("elbo", ("elbo", "geco"))
    objective_samples: int = at_least(1, 1)
    tolerance: float = finite(-10.0)
    geco_fraction: float = within(0.2, "(0, 1)")


# A flow with a Hamiltonian per link, a learned prior scale, steeper forces and a tighter bound than the paper's. Do not
# change it: parameters stored by `hgn_jax.state_densities` belong to it.
FAST_FIELDS = {
    "num_links": 4,
    "links": "merged",
    "hidden_sizes": (64, 64),
    "energy_output_gain": 0.1,
    "input_scale": 3.0,
    "prior": "normal",
    "prior_scale": 1.0,
    "learned_prior_scale": True,
    "objective_samples": 4,
}


def validate(config: NHFConfig) -> None:
    """Raises ValueError, naming the field and its allowed values, if no model can be made from `config`."""
    check_fields(config)
    if config.objective == "geco" and config.objective_samples > 1:
        raise ValueError(f"objective=geco needs objective_samples=1; got {config.objective_samples}")
    if config.num_links * config.steps_per_link > MAX_STEPS:
        raise ValueError(
            f"num_links * steps_per_link must be at most {MAX_STEPS}, because each step is compiled for itself; "
            f"got num_links={config.num_links} and steps_per_link={config.steps_per_link}"
        )
    if config.links == "merged" and config.steps_per_link > 1:
        raise ValueError(f"links=merged needs steps_per_link=1; got {config.steps_per_link}")
