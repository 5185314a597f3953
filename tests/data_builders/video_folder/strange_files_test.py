"""Files that are truncated, empty, of the wrong type or noise are left out with a reason, or read with a remark."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from data_builders.video_folder.video_files import read_clips
from hgn_jax.errors import first_line
from tests.data_builders.video_folder import made_films
from tests.root import ROOT

NUM_FRAMES = 12
NUM_FILES = 50

_CODECS = {
    "mp4": "libx264", "mov": "mpeg4", "mkv": "libx264", "avi": "mpeg4", "ts": "mpeg2video", "webm": "libvpx-vp9",
    "flv": "flv", "nut": "ffv1", "y4m": "rawvideo",
}  # fmt: skip
_STREAMS = (".ts", ".y4m")  # do not tell how long they are
_HEADERS = (
    b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\x93NUMPY\x01\x00", b"PK\x03\x04", b"\x1aE\xdf\xa3", b"II*\x00",
    b"RIFF\x00\x10\x00\x00AVI ", b"\x00\x00\x00\x18ftypisom", b"\xff\xd8\xff\xe0", b"\x00\x00\x01\xba",
    b"RIFF\x00\x10\x00\x00WEBP",
)  # fmt: skip
_TEXTS = (
    "no film\n" * 40, "#EXTM3U\n#EXTINF:1,\na.mp4\n", "ffconcat version 1.0\nfile a.mp4\n", '{"film": 1}', "a,b\n" * 30,
    "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", "1\n00:00:00,000 --> 00:00:02,000\nhi\n", "",
)  # fmt: skip


def whole_films(directory):
    """Writes a film of each kind, each of 12 different frames; returns their paths."""
    frames = made_films.moving(NUM_FRAMES, 4)
    paths = [made_films.write(directory / f"film.{kind}", frames, codec) for kind, codec in _CODECS.items()]
    first, *rest = (Image.fromarray(frame) for frame in frames)
    for kind in ("gif", "png", "webp", "tif"):
        first.save(directory / f"film.{kind}", save_all=True, append_images=rest, duration=50)
        paths.append(directory / f"film.{kind}")
    np.save(directory / "film.npy", frames)
    np.savez_compressed(directory / "film.npz", film=frames)
    return [*paths, directory / "film.npy", directory / "film.npz"]


def strange_files(directory, random):
    """Writes fifty files; yields the path of each and whether it is a whole film under another name."""
    (directory / "whole").mkdir()
    films = whole_films(directory / "whole")
    endings = [path.suffix for path in films] + [".txt", ".csv", ".h264", ".jpg", ""]
    for number in range(NUM_FILES):
        kind = ("truncated", "damaged", "renamed", "noise", "text")[number % 5]
        film = films[random.integers(len(films))]
        content, ending = film.read_bytes(), film.suffix
        if kind == "truncated":
            content = content[: random.integers(1, len(content))]
        elif kind == "damaged":
            places = random.integers(0, len(content), 20)
            content = bytes(255 - byte if place in places else byte for place, byte in enumerate(content))
        elif kind == "renamed":
            ending = endings[random.integers(len(endings))]
        elif kind == "noise":
            content = _HEADERS[number // 5 % len(_HEADERS)] + random.bytes(random.integers(0, 2000))
            ending = endings[random.integers(len(endings))]
        else:
            content = _TEXTS[number // 5 % len(_TEXTS)].encode()
            ending = endings[random.integers(len(endings))]
        path = directory / f"{kind}_{number}{ending}"
        path.write_bytes(content)
        yield path, kind


def outcome(path):
    """Reads a file to its end; returns the number of frames and the remarks, or the reason why it cannot be read."""
    try:
        clips, reasons = read_clips(path)
        return (
            sum(len(list(clip.frames)) for clip in clips),
            [remark for clip in clips for remark in clip.remarks],
            reasons,
        )
    except Exception as error:
        assert first_line(error), path
        return 0, [], {"": first_line(error)}


def build(source, *flags):
    command = [sys.executable, "-m", "data_builders.build", "video_folder", f"--config.source={source}", *flags]
    command.append(f"--data_dir={source.parent}/data")
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_nothing_strange_is_taken_for_a_whole_film(tmp_path, seed):
    for path, kind in strange_files(tmp_path, np.random.default_rng(seed)):
        num_frames, remarks, reasons = outcome(path)
        if kind in ("noise", "text"):
            assert reasons and not num_frames, path.name
        elif kind == "truncated" and path.suffix not in _STREAMS:
            noticed = reasons or any("cut off" in remark for remark in remarks)
            assert num_frames == NUM_FRAMES or noticed, path.name
        else:
            assert num_frames or reasons, path.name


@pytest.mark.slow
def test_a_directory_of_strange_files_is_read_without_a_traceback(tmp_path):
    source = tmp_path / "films"
    source.mkdir()
    names = [path.name for path, _ in strange_files(source, np.random.default_rng(5))]
    command = [
        sys.executable,
        "-m",
        "data_builders.build",
        "video_folder",
        f"--config.source={source}",
        "--config.num_steps=4",
    ]
    done = subprocess.run([*command, f"--data_dir={tmp_path}/data"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    said = done.stdout.partition("tfds.core.DatasetInfo")[0]
    for name in names:
        if pathlib.Path(name).stem.startswith(("noise", "text")):
            assert name in said or "alike" in said, name


@pytest.mark.slow
def test_a_directory_of_nothing_but_strange_files_is_one_line(tmp_path):
    source = tmp_path / "films"
    source.mkdir()
    for number, text in enumerate(_TEXTS):
        (source / f"{number}.mp4").write_text(text)
    done = build(source)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("error: no usable video among 8 files")
    assert "Traceback" not in done.stderr
