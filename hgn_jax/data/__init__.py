"""Reading data sets and tables, and the order in which training takes the examples.

The only place of the library that knows TFDS, in `datasets.py`.
"""
