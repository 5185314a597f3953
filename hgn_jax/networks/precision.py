"""The arithmetic precision in which networks compute.

Accelerators round the factors of float32 matrix products unless told otherwise, TPUs to bfloat16 and recent GPUs to
TensorFloat32. The precision of every network is therefore stated here.
"""

from typing import NamedTuple

import haiku as hk
import jax
import jmp


class Precision(NamedTuple):
    """Numerical precision of a network.

    Attributes:
      products: Precision of matrix products and convolutions, a value of `jax_default_matmul_precision`. It has no
        effect on a CPU, which always uses the highest.
      policy: Types to which parameters, inputs and outputs are cast; None to cast nothing.
    """

    products: str
    policy: jmp.Policy | None = None


PRECISIONS = {
    "full": Precision("highest"),
    "tensorfloat32": Precision("tensorfloat32"),
    "bfloat16": Precision("default", jmp.get_policy("params=float32,compute=bfloat16,output=float32")),
}


def in_precision(network: hk.Transformed, name: str) -> hk.Transformed:
    """Returns the network with its arithmetic in a precision of `PRECISIONS`.

    Parameters and outputs keep their types.

    Args:
      network: Any transformed network.
      name: Name in `PRECISIONS`.
    """
    products, policy = PRECISIONS[name]

    def apply(params, *inputs):
        with jax.default_matmul_precision(products):
            if policy is None:
                return network.apply(params, *inputs)
            return policy.cast_to_output(network.apply(*policy.cast_to_compute((params, *inputs))))

    return hk.Transformed(network.init, apply)
