"""`python -m experiments.nhf`: trains and evaluates a Neural Hamiltonian Flow.

The same rooms as in `hgn` and `hnn`: presets, data, evaluation, report.
"""
