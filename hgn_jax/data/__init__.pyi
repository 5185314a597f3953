from .batching import BatchOrder
from .datasets import Batches, Cached, Split, open_dataset, stack
from .frames import as_frames
from .tables import Columns, Rows, Table, example_rows, load_table, make_table, read_table

__all__ = [
    "BatchOrder",
    "Batches",
    "Cached",
    "Columns",
    "Rows",
    "Split",
    "Table",
    "as_frames",
    "example_rows",
    "load_table",
    "make_table",
    "open_dataset",
    "read_table",
    "stack",
]
