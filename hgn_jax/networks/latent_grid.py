"""The 4x4 grid of HGN's latent state, and the image sizes that can be decoded from it. No JAX here."""

LATENT_SIZE = 4


def num_doublings(image_size: int) -> int:
    """Returns the number of factors of two between the latent grid and the image.

    Raises:
      ValueError: If the image size is not 4 * 2^k with k >= 1.
    """
    doublings = (image_size // LATENT_SIZE).bit_length() - 1
    if doublings < 1 or image_size != LATENT_SIZE * 2**doublings:
        raise ValueError(
            f"image_size must be {LATENT_SIZE} times a power of two (8, 16, 32, 64, ...), got {image_size}"
        )
    return doublings
