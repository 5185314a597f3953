"""The double_pendulum data set."""
