from .batching import BatchOrder
from .datasets import Batches, Cached, Split, open_dataset, stack
from .tables import Table, example_rows, load_table, make_table

__all__ = [
    "BatchOrder",
    "Batches",
    "Cached",
    "Split",
    "Table",
    "example_rows",
    "load_table",
    "make_table",
    "open_dataset",
    "stack",
]
