"""`python -m experiments.hgn`: trains and evaluates a Hamiltonian Generative Network.

The same rooms as in `hnn` and `nhf`: presets, data, evaluation, report.
"""
