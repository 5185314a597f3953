"""The pictures, tables and pages of reports, for any model.

Nothing is measured here and no model is known: numbers and images come in, files go out.
"""
