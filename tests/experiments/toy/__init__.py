"""A toy task, as small as a task can be: a folder and a line in the registry. It stands for all tasks in the tests of
what they share, because it trains and starts in seconds."""

NAME = "toy"
MODULE = f"{__name__}.task"
