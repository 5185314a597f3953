"""Scenes of soft discs, their images, and the expected image under observation noise.

Pure functions of positions; no dynamics and no files.
"""
