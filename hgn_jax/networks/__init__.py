"""Encoder, decoder, energies and MLPs as pure Haiku functions, and convolutions tuned for XLA on CPU.

Networks know nothing about the models that use them, about losses or about training.
"""
