"""What is measured of trained models, as functions of arrays.

No files, no printing: what is done with the numbers is the programs' business.
"""
