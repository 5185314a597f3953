"""What the models of frames, HGN and HNN, share: their data, how they are measured, parts of their reports.

Nothing here belongs to one of the two models.
"""
