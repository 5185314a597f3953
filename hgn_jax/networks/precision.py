"""In what precision networks compute.

An accelerator rounds the factors of a float32 matrix product by itself (TPUs to bfloat16, newer GPUs to TensorFloat32)
unless it is told not to. So precision is said here for every network.
"""

from typing import NamedTuple

import haiku as hk
import jax
import jmp


class Precision(NamedTuple):
    """How a network computes.

    Attributes:
      products: of what precision its matrix products and convolutions are, in JAX's words; a CPU has but the highest.
      policy: what arrays are cast to, None to leave them as they are.
    """

    products: str
    policy: jmp.Policy | None = None


PRECISIONS = {
    "full": Precision("highest"),
    "tensorfloat32": Precision("tensorfloat32"),
    "bfloat16": Precision("default", jmp.get_policy("params=float32,compute=bfloat16,output=float32")),
}


def in_precision(network: hk.Transformed, name: str) -> hk.Transformed:
    """The same network computing in a precision of `PRECISIONS`; its parameters and its results keep theirs."""
    products, policy = PRECISIONS[name]

    def apply(params, x):
        with jax.default_matmul_precision(products):
            if policy is None:
                return network.apply(params, x)
            return policy.cast_to_output(network.apply(*policy.cast_to_compute((params, x))))

    return hk.Transformed(network.init, apply)
