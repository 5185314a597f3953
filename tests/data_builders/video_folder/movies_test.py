"""Tests of films in containers: turned, timed, with cover art, with opacity, of many kinds."""

import itertools
import shutil

import av
import numpy as np
import pytest

from data_builders.video_folder.clips import Reading, UnreadableError
from data_builders.video_folder.video_files import read_clips
from tests.data_builders.video_folder import made_films

TURNS = [(a, b, c, d) for a, b, c, d in itertools.product((-1, 0, 1), repeat=4) if abs(a * d - b * c) == 1 and
         abs(a) + abs(b) == 1 and abs(c) + abs(d) == 1]  # fmt: skip


def read(path, reading=Reading()):  # noqa: B008
    [clip], reasons = read_clips(path, reading)
    assert reasons == {}
    frames = list(clip.frames)
    return frames, clip


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("turn", TURNS)
def test_films_are_turned_as_a_player_turns_them(tmp_path, ending, turn):
    path = made_films.write(tmp_path / f"film.{ending}", made_films.moving(2), matrix=turn)
    frames, clip = read(path)
    a, b, c, d = turn
    (height, width), (row, column) = made_films.SIZE, made_films.centre(made_films.block(4, 0))
    x, y = a * column + c * row, b * column + d * row
    x, y = x + (a < 0) * (width - 1) + (c < 0) * (height - 1), y + (b < 0) * (width - 1) + (d < 0) * (height - 1)
    assert frames[0].shape == ((width, height, 3) if b else (height, width, 3))
    np.testing.assert_allclose(made_films.centre(frames[0]), (y, x), atol=0.5)
    assert any("display matrix" in remark for remark in clip.remarks) == (turn != (1, 0, 0, 1))


def test_a_film_at_a_slant_is_refused(tmp_path):
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.height, stream.width, stream.pix_fmt = *made_films.SIZE, "yuv420p"
        stream.set_display_rotation(30)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(made_films.block(0, 0), format="rgb24")))
        container.mux(stream.encode())
    with pytest.raises(UnreadableError, match="is rotated by -?30 degrees, and only right angles are read"):
        read(path)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("times", [
    [0, 50, 100, 800, 850, 900],  # a rest
    [0, 50, 150, 200, 250, 300],  # a dropped frame
    [0, 33, 67, 100, 133, 167],  # rounded
    [0, 45, 105, 148, 202, 251],  # jitter
])  # fmt: skip
def test_frames_are_taken_in_real_time(tmp_path, ending, times):
    path = made_films.write(tmp_path / f"film.{ending}", made_films.moving(6, 8), milliseconds=times)
    frames, clip = read(path)
    interval = np.median(np.diff(times))
    assert clip.rate == pytest.approx(1000 / interval, rel=0.05)
    shown = [
        int(np.sum(np.array(times) <= t + 0.4 * interval)) - 1 for t in np.arange(0, times[-1] + 1, 1000 / clip.rate)
    ]
    assert made_films.numbers(frames, 8) == shown
    assert made_films.numbers(read(path, Reading(timing="frames"))[0], 8) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("times", [None, [0, 50, 100, 800, 850, 900]])
@pytest.mark.parametrize("rate", [5, 15, 30, 60])
def test_frames_are_taken_at_any_rate(tmp_path, times, rate):
    """At 1 / rate seconds each, the frame that a player would show, up to half a frame."""
    path = made_films.write(tmp_path / "film.mkv", made_films.moving(6, 8), milliseconds=times)
    [clip], _ = read_clips(path)
    seen = made_films.numbers(list(clip.frames_at(rate)), 8)
    wanted = np.arange(len(seen)) / rate
    assert len(seen) == pytest.approx(rate * clip.times[-1], abs=1.01)
    late = clip.times[seen] - wanted
    assert late.max() <= 0.5 / clip.rate + 1e-3
    assert (wanted <= clip.times[np.array(seen) + 1] + 1e-3).all()


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("attached", [False, True])
def test_cover_art_is_not_the_film(tmp_path, ending, attached):
    path = tmp_path / f"film.{ending}"
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=30)
        cover.height, cover.width, cover.pix_fmt = 64, 64, "yuvj420p"
        film = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        film.height, film.width, film.pix_fmt = *made_films.SIZE, "yuv420p"
        if attached:
            cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), 90, np.uint8), format="rgb24")))
        container.mux(cover.encode())
        for frame in made_films.moving(9):
            container.mux(film.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(film.encode())
    frames, clip = read(path)
    assert made_films.numbers(frames) == list(range(9))
    assert any("holds 2 video streams" in remark for remark in clip.remarks)


def test_a_file_without_a_film_names_its_streams(tmp_path):
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 44100
        container.mux([*stream.encode(sound), *stream.encode()])
    with pytest.raises(UnreadableError, match="^holds no film, but these streams: audio aac$"):
        read(path)


@pytest.mark.parametrize(("name", "codec", "pixels"), [
    ("film.webm", "libvpx-vp9", "yuva420p"), ("film.mov", "qtrle", "argb"), ("film.mkv", "ffv1", "bgra"),
])  # fmt: skip
@pytest.mark.parametrize("backdrop", [(0, 0, 0), (255, 255, 255), (10, 200, 60)])
def test_transparency_is_laid_over_the_backdrop(tmp_path, name, codec, pixels, backdrop):
    film = np.full((4, *made_films.SIZE, 4), 255, np.uint8)
    film[:, :, 32:] = (200, 40, 40, 0)
    frames, clip = read(made_films.write(tmp_path / name, film, codec, pixels), Reading(backdrop=backdrop))
    np.testing.assert_allclose(frames[2][:, :24].mean(axis=(0, 1)), 255, atol=6)
    np.testing.assert_allclose(frames[2][:, 40:].mean(axis=(0, 1)), backdrop, atol=6)
    assert clip.remarks == ["is transparent, over a backdrop of " + ",".join(map(str, backdrop))]


@pytest.mark.parametrize("pixels", ["gray16le", "gbrp16le"])
def test_deep_films_are_refused_with_the_flag_that_reads_them(tmp_path, pixels):
    path = made_films.write(tmp_path / "film.mkv", made_films.moving(3, 8), "ffv1", pixels)
    with pytest.raises(UnreadableError, match="more than 8 bits per colour.*--config.range=0,65535 reads it"):
        read(path)
    frames, _ = read(path, Reading(range=(0, 65535)))
    assert made_films.numbers(frames, 8) == [0, 1, 2]
    assert frames[0].max() > 250
    assert max(frame.max() for frame in read(path, Reading(range=(0, 4 * 65535)))[0]) < 70


@pytest.mark.parametrize(("ending", "codec"), [
    ("mp4", "libx264"), ("m4v", "libx264"), ("mts", "libx264"), ("ts", "mpeg2video"), ("mpg", "mpeg2video"),
    ("avi", "mpeg4"), ("wmv", "wmv2"), ("flv", "flv"), ("3gp", "mpeg4"), ("webm", "libvpx-vp9"), ("nut", "ffv1"),
    ("y4m", "rawvideo"), ("h264", "libx264"), ("mjpeg", "mjpeg"), ("asf", "msmpeg4v3"), ("mxf", "mpeg2video"),
])  # fmt: skip
def test_containers_are_known_by_their_content(tmp_path, ending, codec):
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = made_films.write(tmp_path / f"film.{ending}", made_films.moving(6, 8), codec, pixels)
    copies = [f"film.{ending.upper()}"]
    copies += ["film.dat", "FILM"] if ending != "h264" else []  # which is known by its ending alone
    (tmp_path / "copies").mkdir()
    for copy in copies:
        shutil.copy(path, tmp_path / "copies" / copy)
    for copy in (path, *(tmp_path / "copies").iterdir()):
        assert made_films.numbers(read(copy)[0], 8) == [0, 1, 2, 3, 4, 5]
