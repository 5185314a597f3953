"""Table 1 of the paper: its rows, the runs that belong to them, and how long those take.

Reads finished runs; draws nothing.
"""
