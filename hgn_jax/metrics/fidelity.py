"""Whether images show what the images of a data set show: as many separate discs, as large and as bright.

The background must be one colour. Discs that touch count as one, as they do in the data.
"""

from typing import NamedTuple

import numpy as np
import scipy.ndimage

_THRESHOLD = 0.3  # contrast of a pixel of a disc, relative to that of the brightest pixel of a usual image
_SMALLEST = 4  # pixels; smaller spots are specks
_MIN_SHARE = 0.01  # share of the data's images that must show as many discs
_QUANTILES = (0.005, 0.995)
_TOLERANCE = 1.3  # factor by which an image may depart from these quantiles


class Shapes(NamedTuple):
    """The shapes in images.

    Attributes:
      count: Number of separate shapes, `[images]`.
      area: Number of their pixels, `[images]`.
      amount: Contrast with the background, summed over these pixels, `[images]`.
      peak: Contrast of the brightest pixel, `[images]`.
    """

    count: np.ndarray
    area: np.ndarray
    amount: np.ndarray
    peak: np.ndarray


def fidelity(images: np.ndarray, reference: np.ndarray, background: np.ndarray) -> float:
    """Returns the fraction of images that look like images of the data.

    An image looks like the data if at least one in a hundred of the data's images shows the same number of separate
    shapes, and their area, their total and their largest contrast with the background are in the range of these images.

    Args:
      images: Images, `[n, height, width, colours]`.
      reference: Images of the data, `[m, height, width, colours]`.
      background: Colour of the background, `[colours]`.
    """
    threshold = _THRESHOLD * float(np.median(_contrast(reference, background).max(axis=(1, 2))))
    data, shapes = (find_shapes(x, background, threshold) for x in (reference, images))
    right = np.zeros(len(images), bool)
    for count in np.unique(data.count):
        alike = data.count == count
        if count == 0 or alike.mean() < _MIN_SHARE:
            continue
        same = shapes.count == count
        for values, usual in zip(shapes[1:], data[1:], strict=True):
            low, high = np.quantile(usual[alike], _QUANTILES)
            same = same & (values >= low / _TOLERANCE) & (values <= high * _TOLERANCE)
        right |= same
    return float(right.mean())


def find_shapes(images: np.ndarray, background: np.ndarray, threshold: float) -> Shapes:
    """Finds the shapes in images `[n, height, width, colours]`: connected pixels whose contrast exceeds a threshold."""
    contrast = _contrast(images, background)
    counts, areas, amounts = [], [], []
    for image in contrast:
        labels, _ = scipy.ndimage.label(image > threshold, structure=np.ones((3, 3)))
        sizes = np.bincount(labels.ravel())
        large = np.flatnonzero(sizes[1:] >= _SMALLEST) + 1
        counts.append(len(large))
        areas.append(sizes[large].sum())
        amounts.append(image[np.isin(labels, large)].sum())
    return Shapes(np.array(counts), np.array(areas), np.array(amounts), contrast.max(axis=(1, 2)))


def _contrast(images: np.ndarray, background: np.ndarray) -> np.ndarray:
    """The largest difference of a colour from that of the background, `[n, height, width]`; infinite for NaN."""
    return np.nan_to_num(np.abs(images - background).max(axis=-1), nan=np.inf)
