"""Table 1 of the paper: its rows, the finished runs that belong to them, and the time that their training takes.

Nothing is trained or drawn here.
"""
