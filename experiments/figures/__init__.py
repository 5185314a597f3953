"""`python -m experiments.figures`: the paper's figures from finished runs, a file for each.

The mathematics is in `hgn_jax`; here it is drawn.
"""
