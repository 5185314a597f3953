"""Films whose frames are known, written into files of every kind."""

import fractions
import pathlib
from collections.abc import Sequence
from typing import Any

import av
import numpy as np

SIZE = (48, 64)  # height and width
BLOCK = (8, 16)  # height and width of the bright block


def block(row: int, column: int) -> np.ndarray:
    """Returns a dark picture with a bright block, uint8 `[48, 64, 3]`, whose upper left corner is at a place."""
    picture = np.zeros((*SIZE, 3), np.uint8)
    picture[row : row + BLOCK[0], column : column + BLOCK[1]] = 255
    return picture


def centre(frame: np.ndarray) -> tuple[float, float]:
    """Returns row and column of the centre of what is bright in a frame."""
    rows, columns = np.nonzero(frame[..., 0] > 128)
    return float(rows.mean()), float(columns.mean())


def moving(num_frames: int, step: int = 1) -> np.ndarray:
    """Returns frames in which the block moves right, uint8 `[frames, 48, 64, 3]`; number t is at column t * step."""
    return np.stack([block(4, t * step) for t in range(num_frames)])


def numbers(frames: Sequence[np.ndarray], step: int = 1) -> list[int]:
    """Reads the numbers of frames of `moving` off their pictures."""
    return [round((centre(frame)[1] - (BLOCK[1] - 1) / 2) / step) for frame in frames]


def write(
    path: pathlib.Path,
    frames: np.ndarray,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rate: int = 30,
    milliseconds: Sequence[int] | None = None,
    matrix: Sequence[int] | None = None,
    **options: Any,
) -> pathlib.Path:
    """Writes a film with PyAV.

    Args:
      path: Where; its ending chooses the container.
      frames: uint8, `[frames, height, width, 3 or 4]`.
      codec: Name of FFmpeg's encoder.
      pixels: Format of the pixels in the file.
      rate: Number of frames per second.
      milliseconds: Times at which the frames begin, instead of a rate.
      matrix: `a, b, c, d` of a display matrix, which moves (x, y) to (a x + c y, b x + d y).
      **options: Options of the encoder.

    Returns:
      The path.
    """
    settings = {"preset": "ultrafast", "crf": "10"} if codec == "libx264" else {}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options={**settings, **options})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixels
        if milliseconds is not None:
            stream.codec_context.time_base = fractions.Fraction(1, 1000)
        if matrix is not None:
            a, b, c, d = (int(entry) << 16 for entry in matrix)
            stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24" if frame.shape[-1] == 3 else "rgba")
            if milliseconds is not None:
                picture.pts, picture.time_base = milliseconds[number], stream.codec_context.time_base
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path
