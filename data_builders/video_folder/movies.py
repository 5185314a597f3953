"""Reads films with PyAV, whatever their container: the stream that is the film, upright, with its times."""

import contextlib
import functools
import math
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import av
import numpy as np
from av.sidedata.sidedata import Type as SideDataType

from data_builders.video_folder import pixels
from data_builders.video_folder.clips import Clip, Reading, UnreadableError

# Containers that hold text, or name other files.
_NO_FILMS = {"tty", "concat", "hls", "dash", "sdp", "rtsp", "rtp", "lavfi", "webm_dash_manifest", "svg_pipe"}
_DECODERS_WITH_OPACITY = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own leave it out
_DEEP = 16  # bits per colour from which on the values of black and white are not known
_LONGER_SOUND = 2.0  # seconds by which the sound of a film may be longer than its pictures
_RIGHT = 0.02  # largest entry of a matrix of rotation that counts as 0


class _Stream(NamedTuple):
    """The stream of a container that is the film.

    Attributes:
      index: Its place in the container.
      turn: Turns and mirrors a frame, `[[a, b], [c, d]]` of 0, 1 and -1 as in the display matrix of FFmpeg.
      stretch: Width of a pixel in units of its height.
      decoder: Name of the decoder, where it is not FFmpeg's choice; else empty.
      ticks: Times of the frames in units of the stream, ascending, and the end of the last; None if not known.
    """

    index: int
    turn: np.ndarray
    stretch: float
    decoder: str
    ticks: list[int] | None


class _Packet(NamedTuple):
    """A packet of a stream, which holds a frame. Times are in units of the stream."""

    pts: int | None
    dts: int | None
    duration: int
    is_discard: bool
    is_corrupt: bool


def read_movie(path: pathlib.Path, reading: Reading) -> tuple[list[Clip], dict[str, str]]:
    """Opens a film; see `video_files.read_clips`."""
    clip = Clip("", "", lambda: iter(()))
    with _opened(path) as container:
        film, packets = _choose_stream(container, clip)
        ticks = _ticks([packet for packet in packets if not packet.is_discard])
        if ticks is None:
            clip.remark("has no times, so its frames are taken one by one")
        else:
            clip.times = np.array(ticks, np.float64) * float(film.time_base)
        _note_what_is_missing(container, film, packets, clip)
        index = film.index
    with _opened(path) as container:
        stream = _first_look(container, index, ticks)
    if (stream.turn != np.eye(2)).any():
        clip.remark("is rotated or mirrored as its display matrix says")
    clip.read = functools.partial(_frames, path, stream, reading, clip)
    return [clip], {}


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[av.container.InputContainer]:
    """Opens a container; raises UnreadableError if FFmpeg does not know it, or if it fails within the block."""
    try:
        container = av.open(str(path), metadata_errors="replace")
    except av.error.FFmpegError:
        raise UnreadableError("no reader knows it as a film, or it is damaged") from None
    with container:
        name = container.format.name
        if name in _NO_FILMS:
            raise UnreadableError(f"is no film, but {'text' if name == 'tty' else name.removesuffix('_pipe')}")
        try:
            yield container
        except av.error.FFmpegError as error:
            raise UnreadableError(f"is damaged: {error.strerror}") from None


def _choose_stream(container: av.container.InputContainer, clip: Clip) -> tuple[av.VideoStream, list[_Packet]]:
    """Returns the stream with most frames that is no cover art, and its packets."""
    films = [stream for stream in container.streams.video if stream.codec_context and not _is_cover(stream)]
    if not films:
        found = ", ".join(_described(stream) for stream in container.streams)
        raise UnreadableError(f"holds no film, but these streams: {found or 'none'}")
    if len(container.streams.video) > 1:
        clip.remark(f"holds {len(container.streams.video)} video streams, of which the one with most frames is taken")
    packets = {stream.index: [] for stream in films}
    for packet in container.demux(films):
        if packet.size:
            fields = (packet.pts, packet.dts, packet.duration or 0, packet.is_discard, packet.is_corrupt)
            packets[packet.stream_index].append(_Packet(*fields))
    film = max(films, key=lambda stream: (len(packets[stream.index]), -stream.index))
    return film, packets[film.index]


def _note_what_is_missing(
    container: av.container.InputContainer, film: av.VideoStream, packets: list[_Packet], clip: Clip
) -> None:
    """Remarks on a film that is damaged, or shorter than its container says."""
    num_damaged = sum(packet.is_corrupt for packet in packets)
    if num_damaged:
        clip.remark(f"is damaged in {num_damaged} of {len(packets)} frames")
    if film.frames > len(packets):
        clip.remark(f"is cut off: {len(packets)} of {film.frames} frames are there")
    if clip.times is None or not container.duration:
        return
    duration, there = container.duration / av.time_base, clip.times[-1] - clip.times[0]
    is_alone = len(container.streams) == 1
    if duration - there > max(0.75 / clip.rate, 0.0 if is_alone else _LONGER_SOUND):
        cut = "is cut off" if is_alone else "is cut off, or its sound goes on"
        clip.remark(f"{cut}: {there:.3g} of {duration:.3g} s are there")


def _is_cover(stream: av.stream.Stream) -> bool:
    kinds = av.stream.Disposition
    return bool(stream.disposition & (kinds.attached_pic | kinds.timed_thumbnails | kinds.still_image))


def _described(stream: av.stream.Stream) -> str:
    return f"{stream.type} {_codec(stream)}{' (cover art)' if _is_cover(stream) else ''}"


def _codec(stream: av.stream.Stream) -> str:
    return stream.codec_context.name if stream.codec_context else "unknown"


def _ticks(packets: list[_Packet]) -> list[int] | None:
    """Returns the times of the frames in ascending order and the end of the last; None if they are not known."""
    for field in ("pts", "dts"):  # when a frame is shown, or if that is missing when it is decoded
        times = [(getattr(packet, field), packet.duration) for packet in packets]
        if times and all(time is not None for time, _ in times):
            ticks, durations = zip(*sorted(times), strict=True)
            usual = int(np.median(np.diff(ticks))) if len(ticks) > 1 else 0
            return [*ticks, ticks[-1] + max(durations[-1] or usual, 1)]
    return None


def _first_look(container: av.container.InputContainer, index: int, ticks: list[int] | None) -> _Stream:
    """Decodes the first frame of a stream, which tells how the others are read."""
    stream = container.streams[index]
    first = next(container.decode(stream), None)
    if first is None:
        raise UnreadableError(f"no frame of its {_described(stream)} can be decoded")
    has_opacity = {name.lower(): value for name, value in stream.metadata.items()}.get("alpha_mode") == "1"
    decoder = _DECODERS_WITH_OPACITY.get(_codec(stream), "") if has_opacity else ""
    return _Stream(index, _turn(first), float(stream.sample_aspect_ratio or 1), decoder, ticks)


def _turn(frame: av.VideoFrame) -> np.ndarray:
    """Returns the matrix by which a player turns a frame; raises UnreadableError for angles that are not right."""
    data = frame.side_data.get(SideDataType.DISPLAYMATRIX)
    if data is None:
        return np.eye(2)
    matrix = np.frombuffer(data, np.int32)[[0, 1, 3, 4]].reshape(2, 2) / 65536.0
    matrix = matrix / max(np.abs(matrix).max(), 1e-9)
    rounded = np.rint(matrix)
    if np.abs(matrix - rounded).max() > _RIGHT or abs(np.linalg.det(rounded)) != 1:
        angle = round(math.degrees(math.atan2(matrix[0, 1], matrix[0, 0])))
        raise UnreadableError(f"is rotated by {angle} degrees, and only right angles are read")
    return rounded


def _turned(pixels_: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Moves the pixel at (x, y) to (a x + c y, b x + d y), up to the place of the corner."""
    (a, b), (c, d) = turn
    if b:
        pixels_, down, right = pixels_.swapaxes(0, 1), b, c
    else:
        down, right = d, a
    return pixels_[:: int(down), :: int(right)]


def _frames(path: pathlib.Path, stream: _Stream, reading: Reading, clip: Clip) -> Iterator[np.ndarray]:
    """Yields a frame for each time; the one before where a frame cannot be decoded."""
    ticks = stream.ticks[:-1] if stream.ticks else []
    places = {tick: place for place, tick in enumerate(ticks)}
    number, frame = 0, None
    with _opened(path) as container:
        for decoded in _decoded(container, stream):
            place = places.get(decoded.pts, number)
            for _ in range(number, place if frame is not None else number):
                yield frame
            number = max(number, place)
            frame = _pixels(decoded, stream, reading, clip)
            yield frame
            number += 1
    if number < len(ticks):
        clip.remark(f"is cut off: {number} of {len(ticks)} frames can be decoded")


def _decoded(container: av.container.InputContainer, stream: _Stream) -> Iterator[av.VideoFrame]:
    source = container.streams[stream.index]
    source.thread_type = "AUTO"
    if not stream.decoder:
        yield from container.decode(source)
        return
    decoder = av.CodecContext.create(stream.decoder, "r")
    for packet in container.demux(source):
        yield from decoder.decode(packet if packet.size else None)


def _pixels(frame: av.VideoFrame, stream: _Stream, reading: Reading, clip: Clip) -> np.ndarray:
    size = {"width": max(1, round(frame.width * stream.stretch)), "height": frame.height}
    values = _values(frame, **size)
    if values.dtype != np.uint8:
        values = pixels.deep_to_bytes(values, reading.range)
    if pixels.is_transparent(values):
        clip.remark("is transparent, over a backdrop of " + ",".join(map(str, reading.backdrop)))
    return pixels.to_colours(_turned(values, stream.turn), reading.backdrop)


def _values(frame: av.VideoFrame, **size: int) -> np.ndarray:
    """Returns the pixels of a frame, uint8 or uint16, `[height, width, channels]`."""
    components = frame.format.components
    opaque = not any(component.is_alpha for component in components) and not frame.format.has_palette
    if max(component.bits for component in components) < _DEEP or frame.format.has_palette:
        return frame.to_ndarray(format="rgb24" if opaque else "rgba", **size)
    if len(components) == 1:
        return frame.to_ndarray(format="gray16le", **size)[..., None]
    return frame.to_ndarray(format="rgb48le" if opaque else "rgba64le", **size)


def deep_picture(path: pathlib.Path) -> np.ndarray:
    """Returns the pixels of a picture of 16 bits per colour as they are stored, uint16 `[height, width, channels]`."""
    with av.open(str(path)) as container:
        return _values(next(container.decode(video=0)))
