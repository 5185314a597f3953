"""`python -m experiments.hnn`: trains and evaluates a Hamiltonian Neural Network, the paper's baseline.

The same rooms as in `hgn` and `nhf`: presets, data, evaluation, report.
"""
