"""A header of years, or the 0, 1, 2 that pandas gives to columns without names, is not the first row of a table."""

import pathlib
import sys
import tempfile

import numpy as np

from hgn_jax.data import tables

rows = np.random.default_rng(5).normal(size=(40, 3))
with tempfile.TemporaryDirectory() as directory:
    path = pathlib.Path(directory, "rows.csv")
    for header in ("0,1,2", "2019,2020,2021", "x,2020,2021", ",0,1"):
        path.write_text("\n".join([header, *(",".join(map(repr, row)) for row in rows.tolist())]))
        read = tables.read_table(path)
        if len(read.values) != len(rows) or "the header in line 1" not in read.layout:
            sys.exit(f"FAULT: under the header {header} there are {len(read.values)} rows, read as {read.layout}")
print("OK")
