"""Everything that leans on the internals of TFDS, or replaces its need for TensorFlow.

Nothing outside this folder may import TFDS's private modules.
"""
