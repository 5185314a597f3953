"""Names as tables and pictures show them."""

# Reference rows beside the error of a model of frames.
REFERENCES = {"mean_image": "mean image", "first_frame": "first frame held", "noise_floor": "noise floor"}


def pretty(name: str) -> str:
    """Returns a name as papers spell it: `mass_spring` becomes `mass-spring`."""
    return name.replace("_", "-")
