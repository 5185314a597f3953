"""The mass_spring data set."""
