"""A split that was opened can be iterated over, reversed, sliced and counted from its end, like a list."""

import sys
import tempfile

from data_builders import datasets
from hgn_jax import data

with tempfile.TemporaryDirectory() as directory:
    config = datasets.derive_config("pendulum", "small", num_train=5, num_test=2, num_steps=3)
    train = data.open_dataset(datasets.ensure_built("pendulum", config, directory))[0]["train"]
    order = [int(example["index"]) for example in train]
    if sorted(order) != list(range(5)):
        sys.exit(f"FAULT: iterating gives the examples {order}")
    for part in (slice(2), slice(-2, None), slice(None, None, -1), slice(9, 12)):
        if [int(example["index"]) for example in train[part]] != order[part]:
            sys.exit(f"FAULT: {part} gives other examples than that of a list")
    if int(train[-1]["index"]) != order[-1]:
        sys.exit("FAULT: -1 is not the last example")
    for index in (5, -6):
        try:
            train[index]
        except IndexError:
            continue
        sys.exit(f"FAULT: there is an example {index} of 5")
print("OK")
