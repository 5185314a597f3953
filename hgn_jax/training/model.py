"""The interface between a model and its training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # so that naming these types does not import JAX
    import jax

Batch = dict[str, Any]
"""Arrays by the name of their feature, each with the examples along its first axis."""

Params = Any
"""A pytree of arrays."""

Scalars = dict[str, float]
"""Values to log, by name."""


class Model(Protocol):
    """A model that can be trained: two pure functions, to be compiled by the caller.

    `HGN`, `HNN` and `NHF` are such models. A batch holds the features that the model reads, for example `image`,
    `[batch, time, size, size, 3]`, for HGN, or `x`, `[batch, d]`, for NHF.
    """

    def init(self, key: jax.Array, batch: Batch) -> Params:
        """Draws the initial parameters.

        Args:
          key: Random key.
          batch: A batch with the shapes and types of those to come; its values are not used.

        Returns:
          The parameters, a pytree of floating-point arrays.

        Raises:
          ValueError: If the model cannot use a batch of these shapes.
        """

    def loss(
        self,
        params: Params,
        multiplier: jax.Array | float,
        key: jax.Array,
        batch: Batch,
        *,
        progress: jax.Array | float = 1.0,
        slots: jax.Array | None = None,
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """The loss to minimise, averaged over the examples of the batch.

        When several devices share a step, each computes the loss of its own examples; losses, gradients and `aux` are
        then averaged over the devices. Random numbers must therefore depend on `slots` rather than on the position in
        the batch.

        Args:
          params: The parameters.
          multiplier: Lagrange multiplier of the constraint, positive; see `hgn_jax.training.geco`.
          key: Random key of the step, the same on all devices.
          batch: The examples of one device.
          progress: Fraction of the training that is done, in [0, 1).
          slots: `[batch]` int32, number of each example within the global batch. None numbers them from 0.

        Returns:
          The loss, a scalar, and `aux`, scalars to log by name. If `aux` contains `constraint`, GECO raises the
          multiplier while it is positive and lowers it while it is negative.
        """
