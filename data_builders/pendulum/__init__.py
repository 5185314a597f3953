"""The pendulum data set."""
