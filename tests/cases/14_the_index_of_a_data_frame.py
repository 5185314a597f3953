"""The row numbers that pandas writes as a first column without a name are no measurement."""

import pathlib
import sys
import tempfile

import numpy as np
import pandas as pd

from hgn_jax.data import tables

values = np.random.default_rng(6).normal(size=(50, 2))
with tempfile.TemporaryDirectory() as directory:
    path = pathlib.Path(directory, "rows.csv")
    for names in (["a", "b"], None):
        frame = pd.DataFrame(values, columns=names)
        for kept in (frame, frame[frame[frame.columns[0]] > 0]):  # the index of a selection has gaps
            kept.to_csv(path)
            read = tables.read_table(path)
            if read.values.shape != kept.shape or not any("index" in reason for reason in read.left_out.values()):
                sys.exit(f"FAULT: the columns are {read.names}; left out are {read.left_out}")
print("OK")
