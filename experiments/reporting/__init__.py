"""The page, pictures and tables of a report, for any model.

No measuring and no models: numbers and images come in, files go out.
"""
