"""Encoders, decoders, energies and MLPs as pure Haiku functions, and the convolutions tuned for XLA on CPU.

A network knows nothing of the model that uses it, of losses or of training.
"""
