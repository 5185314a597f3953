"""Tests of `experiments.clips.own_film`, and of `experiments.sample --clip`."""

import os
import subprocess
import sys

import imageio.v3 as imageio
import numpy as np
import pytest

from experiments.clips import own_film
from hgn_jax.models.frames import unit_interval
from tests.experiments import tiny_hgn
from tests.root import ROOT

_FILMS = np.random.default_rng(0).integers(0, 256, (3, 9, 8, 8, 3)).astype(np.uint8)


def test_a_film_stands_at_the_times_of_its_prediction():
    film = np.asarray(unit_interval(_FILMS))
    for earliest, num_frames in ((-2, 13), (-2, 5), (3, 4), (7, 5)):
        observed, is_filmed = own_film._align(film, earliest, num_frames)
        for time, frame, filmed in zip(range(earliest, earliest + num_frames), observed[1], is_filmed, strict=True):
            assert filmed == (0 <= time < 9)
            np.testing.assert_array_equal(frame, film[1, time] if filmed else np.full((8, 8, 3), np.float32(0.85)))


@pytest.mark.slow
def test_film_above_model(tmp_path):
    """The model sees five frames in the middle, and the strip begins with frames before the film."""
    np.save(tmp_path / "my film.npy", _FILMS)
    run = tiny_hgn.run(metadata={"image_size": 8})
    lines = list(own_film.write(run, tmp_path / "my film.npy", 6, tmp_path / "out", max_clips=2))
    assert "2 of 3 clips, 9 frames, resized to 8x8 pixels" in lines[0]
    assert "the model sees frames 2 to 6" in lines[1]
    stem = tmp_path / "out" / "clip_my film"
    arrays = np.load(f"{stem}.npz")
    assert arrays["forward"].shape == arrays["backward"].shape == (2, 7, 8, 8, 3)
    assert arrays["first"] == 2 and arrays["energy"].shape == (2,)
    movie = imageio.imread(f"{stem}.mp4")
    assert movie.shape == (13, 2 * 4 * 9, 2 * 4 * 9, 3)
    top = movie[4, :32, :32].astype(int)  # frame 0 of the first clip; the state belongs to frame 2
    assert np.abs(top - np.repeat(np.repeat(_FILMS[0, 0], 4, 0), 4, 1)).mean() < 40
    assert np.std(imageio.imread(f"{stem}.png")) > 0


def _run_program(*arguments, directory):
    return subprocess.run(
        [sys.executable, "-m", "experiments.sample", *map(str, arguments)], capture_output=True, text=True,
        cwd=directory, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hgn", "hnn pixel"])
def test_the_program_shows_a_film(tiny_runs, tmp_path, name):
    run = tiny_runs(name)
    size = run.run.model.config.image_size
    np.save(tmp_path / "film.npy", np.random.default_rng(0).integers(0, 256, (12, 40, 60, 3)).astype(np.uint8))
    arguments = [f"--workdir={run.directory.path}", f"--output={tmp_path / 'out'}", "--num_steps=3"]
    done = _run_program("--clip=film.npy", *arguments, directory=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"1 of 1 clips, 12 frames, resized to {size}x{size} pixels" in done.stdout
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".gif", ".mp4", ".npz", ".png"}
    mistakes = {
        ("--clip=none.mp4",): "--clip=none.mp4: there is no such file",
        ("--clip=film.npy", "--seed=1"): "--clip cannot be used with --seed",
        ("--clip=film.npy", "--clip_settings=axes"): '--clip_settings must be JSON, as {"axes": "NTHWC"}',
        ("--clip=film.npy", '--clip_settings={"axis": 1}'): "unknown setting axis",
        ("--clip_settings={}",): "--clip=FILM, which is missing",
    }
    for flags, message in mistakes.items():
        done = _run_program(*flags, *arguments, directory=tmp_path)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert message in line
