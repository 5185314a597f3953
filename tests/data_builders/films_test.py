"""Tests of `data_builders.films`."""

import numpy as np
import pytest

from data_builders import datasets
from data_builders.errors import DatasetError
from data_builders.films import read_film, read_film_like
from hgn_jax import data
from tests.data_builders.video_folder import made_films


@pytest.mark.parametrize("settings", [{"fit": "motion"}, {"frame_step": 2, "fit": "crop"}], ids=str)
def test_a_film_is_read_as_the_data_set_of_its_directory_reads_it(settings, tmp_path):
    (tmp_path / "films").mkdir()
    path = made_films.write(tmp_path / "films" / "film.mp4", made_films.moving(40), rate=20)
    made_films.write(tmp_path / "films" / "slower.mp4", made_films.moving(40), rate=10)
    config = datasets.derive_config(
        "video_folder", "default", source=str(path.parent), split_by="time", num_steps=3, stride=1, **settings
    )
    splits, metadata = data.open_dataset(datasets.ensure_built("video_folder", config, tmp_path))
    film = read_film_like(path, metadata)
    assert metadata["frame_rate"] == pytest.approx(10.0)
    windows = [example for split in splits.values() for example in split if example["video"].decode() == "film.mp4"]
    assert windows
    for window in windows:
        first = int(window["first_frame"]) // config.frame_step
        frames = window["image"][: len(film[0]) - first]
        np.testing.assert_array_equal(film[0, first : first + len(frames)], frames)


def test_clips_of_an_array(tmp_path):
    clips = np.random.default_rng(0).integers(0, 256, (2, 5, 32, 32, 3)).astype(np.uint8)
    np.save(tmp_path / "clips.npy", clips)
    np.testing.assert_array_equal(read_film(tmp_path / "clips.npy"), clips)
    np.save(tmp_path / "backwards.npy", np.moveaxis(clips, 1, -1))
    np.testing.assert_array_equal(read_film(tmp_path / "backwards.npy", axes="NHWCT"), clips)
    assert read_film(tmp_path / "clips.npy", image_size=8, frame_step=2).shape == (2, 3, 8, 8, 3)


def test_what_cannot_be_read_takes_one_line(tmp_path):
    np.save(tmp_path / "integers.npy", np.full((5, 8, 8), 4095))
    np.save(tmp_path / "text.npy", np.array(["a"]))
    np.savez(tmp_path / "lengths.npz", a=np.zeros((5, 8, 8), np.uint8), b=np.zeros((6, 8, 8), np.uint8))
    (tmp_path / "film.mp4").write_bytes(b"no film")
    (tmp_path / "empty").mkdir()
    for name, settings, message in (
        ("none.mp4", {}, "cannot read .*none.mp4"),
        ("film.mp4", {}, "cannot read .*film.mp4"),
        ("empty", {}, "without numbered pictures"),
        ("text.npy", {}, "cannot read"),
        ("integers.npy", {}, 'range="0,4095"'),
        ("integers.npy", {"range": "0,4095", "fit": "motion"}, "nothing that moves"),
        ("lengths.npz", {}, r"but of \[5, 6\] frames"),
        ("integers.npy", {"fit": "squeeze"}, "fit must be one of"),
        ("integers.npy", {"stride": 2}, "unknown setting stride; choose from image_size"),
    ):
        with pytest.raises(DatasetError, match=message) as caught:
            read_film(tmp_path / name, **settings)
        assert "\n" not in str(caught.value)
