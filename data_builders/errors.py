"""The error that building or opening a data set raises."""

from hgn_jax.errors import DataError


class DatasetError(DataError):
    """A data set cannot be found, built or used. The message is one line and says what to do about it."""
