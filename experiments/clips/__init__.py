"""Shared by the models of frames, HGN and HNN: data, results, measuring, parts of the reports.

Nothing here belongs to one of the two models.
"""
