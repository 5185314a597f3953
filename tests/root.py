"""The root directory of the project, for tests that start its programs."""

import pathlib

ROOT = pathlib.Path(__file__).parents[1]
