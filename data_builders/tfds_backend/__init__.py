"""Everything that relies on the internals of TFDS, or replaces its need for TensorFlow.

Nothing outside this folder imports TFDS's private modules.
"""
