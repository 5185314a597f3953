"""The grid of 4x4 positions that the latent state of an HGN lives on, and the images that can be made of it."""

LATENT_SIZE = 4


def num_doublings(image_size: int) -> int:
    """Factors of two between the latent grid and the image; ValueError for sizes that are not 4 * 2^k, k >= 1."""
    doublings = (image_size // LATENT_SIZE).bit_length() - 1
    if doublings < 1 or image_size != LATENT_SIZE * 2**doublings:
        raise ValueError(
            f"image size must be {LATENT_SIZE} times a power of two (8, 16, 32, 64, ...), got {image_size}"
        )
    return doublings
