"""Learns the density of a table by a Neural Hamiltonian Flow: `python examples/density_of_a_table.py [rows.csv]`.

Without a file the table is the classical one of iris flowers. The rows with the lowest densities are printed, and new
rows that the flow draws. Two minutes on two cores.
"""

import sys

import jax
import numpy as np

from hgn_jax import NHFConfig, data, make_nhf, train
from hgn_jax.models.nhf_config import FAST_FIELDS
from hgn_jax.training import OptimizerConfig

CONFIG = NHFConfig(**{**FAST_FIELDS, "num_links": 2, "input_scale": 1.0, "energy_output_gain": 1.0})
OPTIMIZER = OptimizerConfig(learning_rate=5e-3, schedule="cosine", warmup_fraction=0.02, gradient_clip=1.0)


def main(path: str | None = None, num_steps: int = 750, num_samples: int = 256) -> None:
    rows = data.load_table(path) if path else data.example_rows("iris")
    table = data.make_table(rows, test_fraction=0.2, seed=0)
    nhf = make_nhf(CONFIG)
    params = train(nhf, table.train, num_steps, batch_size=32, optimizer=OPTIMIZER)

    # Columns were standardised for the flow; log_scale brings its densities back to the units of the table.
    score = jax.jit(nhf.log_prob, static_argnums=3)
    log_p = np.asarray(score(params, jax.random.PRNGKey(0), table.test, num_samples)) - table.columns.log_scale
    print(f"test rows: {log_p.mean():.3f} nats on average, in the units of the table")
    original = table.columns.restore(table.test)
    for i in np.argsort(log_p)[:3]:
        print(f"log p = {log_p[i]:.2f}: {np.array2string(original[i], precision=3)}")
    samples = table.columns.restore(nhf.sample(params, jax.random.PRNGKey(1), 3))
    print(f"new rows:\n{np.array2string(samples, precision=3)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
