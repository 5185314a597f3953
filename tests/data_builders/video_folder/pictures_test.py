"""Tests of pictures as films: Exif in every format, delays, numbered files, depth, transparency."""

import fractions

import av
import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from data_builders.video_folder import series
from data_builders.video_folder.clips import Reading, UnreadableError
from data_builders.video_folder.video_files import find_units, read_clips, read_unit
from tests.data_builders.video_folder import made_films

ANIMATED = ["gif", "png", "webp", "tiff"]


def save(path, pictures, orientation=1, **options):
    """Writes one picture or several, with an orientation in their Exif data."""
    first, *rest = (Image.fromarray(picture) for picture in pictures)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    if path.suffix == ".webp":
        options["lossless"] = True
    if rest:
        options |= {"save_all": True, "append_images": rest}
    first.save(path, exif=exif, **options)
    return path


def read(path, reading=Reading()):  # noqa: B008
    [clip], reasons = read_clips(path, reading)
    assert reasons == {}
    return list(clip.frames), clip


def numbered(directory, pictures, ending="png", orientation=1, first=1):
    directory.mkdir(parents=True)
    for number, picture in enumerate(pictures):
        save(directory / f"{first + number}.{ending}", [picture], orientation)
    return directory


@pytest.mark.parametrize("ending", ["png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_animations_are_turned_as_their_exif_says(tmp_path, ending, orientation):
    pictures = made_films.moving(3, 8)
    frames, clip = read(save(tmp_path / f"film.{ending}", pictures, orientation, duration=50))
    for frame, picture in zip(frames, pictures, strict=True):
        image = Image.fromarray(picture)
        image.getexif()[ExifTags.Base.Orientation] = orientation
        np.testing.assert_array_equal(frame, np.asarray(ImageOps.exif_transpose(image)))
    assert any("Exif" in remark for remark in clip.remarks) == (orientation != 1)


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_numbered_pictures_are_turned_as_their_exif_says(tmp_path, ending, orientation):
    frames, _ = read(numbered(tmp_path / "run", made_films.moving(2, 8), ending, orientation))
    image = Image.fromarray(made_films.block(4, 0))
    image.getexif()[ExifTags.Base.Orientation] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    assert frames[0].shape == expected.shape
    np.testing.assert_allclose(made_films.centre(frames[0]), made_films.centre(expected), atol=0.3)


@pytest.mark.parametrize("ending", ["gif", "png", "webp"])
@pytest.mark.parametrize("delays", [
    [50, 50, 50, 800, 50, 50], [40] * 6, [30, 40, 30, 30, 40, 30], [100] * 5 + [1000], [20, 500, 20, 20, 20, 20],
])  # fmt: skip
def test_pictures_last_as_long_as_their_delays_say(tmp_path, ending, delays):
    frames, clip = read(save(tmp_path / f"film.{ending}", made_films.moving(6, 8), duration=delays))
    common = 100 / 3 if 30 in delays else min(delays)
    assert clip.rate == pytest.approx(1000 / common, rel=0.06)
    expected = np.repeat(np.arange(6), np.maximum(np.rint(np.array(delays) / common), 1).astype(int))
    assert made_films.numbers(frames, 8) == expected.tolist()
    assert made_films.numbers(read(tmp_path / f"film.{ending}", Reading(timing="frames"))[0], 8) == list(range(6))


def test_equal_pictures_that_a_writer_merges_come_back(tmp_path):
    pictures = made_films.moving(6, 8)[[0, 1, 2, 2, 2, 2, 3, 4, 5, 5]]
    path = save(tmp_path / "film.gif", pictures, duration=50)
    with Image.open(path) as image:
        assert image.n_frames == 6
    assert made_films.numbers(read(path)[0], 8) == [0, 1, 2, 2, 2, 2, 3, 4, 5, 5]


def test_delays_that_browsers_do_not_believe(tmp_path):
    _, clip = read(save(tmp_path / "film.gif", made_films.moving(3, 8), duration=0))
    assert clip.rate == pytest.approx(10)


@pytest.mark.parametrize("backdrop", [(0, 0, 0), (255, 255, 255), (10, 200, 60)])
@pytest.mark.parametrize("ending", ["gif", "png", "webp", "tiff"])
def test_transparency_is_laid_over_the_backdrop(tmp_path, ending, backdrop):
    film = np.zeros((3, *made_films.SIZE, 4), np.uint8)
    film[:, :, :32] = (255, 255, 255, 255)
    for t, picture in enumerate(film):
        picture[t, 0] = (255, 0, 0, 255)
    frames, clip = read(save(tmp_path / f"film.{ending}", film, duration=50, disposal=2), Reading(backdrop=backdrop))
    np.testing.assert_array_equal(frames[1][:, 32:], np.broadcast_to(backdrop, (48, 32, 3)))
    np.testing.assert_array_equal(frames[1][:, 1:32], np.full((48, 31, 3), 255))
    assert any("transparent, over a backdrop of " + ",".join(map(str, backdrop)) in each for each in clip.remarks)


@pytest.mark.parametrize("ending", ["png", "jpg", "jpeg", "tif", "bmp", "webp", "ppm", "PNG"])
def test_numbers_count_as_numbers(tmp_path, ending):
    directory = numbered(tmp_path / "run", made_films.moving(12, 4), ending)
    (directory / "notes.txt").write_text("about the pictures")
    assert made_films.numbers(read(directory)[0], 4) == list(range(12))
    units = find_units(tmp_path, [f"run/{path.name}" for path in directory.iterdir()])
    assert [(unit.name, len(unit.files)) for unit in units] == [(f"run/*.{ending}", 12), ("run/notes.txt", 1)]


@pytest.mark.parametrize(("names", "films"), [
    (["a1.png", "a2.png", "b1.png", "b2.png"], {"a*.png": [1, 2], "b*.png": [1, 2]}),
    (["1.png", "2.png", "1.jpg", "2.jpg"], {"*.png": [1, 2], "*.jpg": [1, 2]}),
    ([f"t{t}_cam{c}.png" for t in range(5) for c in (1, 2)], {"t*_cam1.png": range(5), "t*_cam2.png": range(5)}),
    ([f"run{r}/{t:05}.png" for t in (8, 9, 10) for r in (1, 2)], {"run1/*.png": [8, 9, 10], "run2/*.png": [8, 9, 10]}),
    (["1 12-59-59.png", "1 13-00-00.png", "1 13-00-02.png"], {"1 12-59-*.png": range(3)}),
    (["img_2.jp2", "img_10.jp2"], {"img_*.jp2": [2, 10]}),
    (["one.png", "cover1.png", "1.mp4", "2.mp4"], {}),
])  # fmt: skip
def test_pictures_are_grouped_by_the_number_that_counts(names, films):
    found = {each.name: list(each.numbers) for each in series.find(names)}
    assert found == {name: list(numbers) for name, numbers in films.items()}


def test_the_picture_before_is_held_where_numbers_are_missing(tmp_path):
    directory = numbered(tmp_path / "run", made_films.moving(6, 8), first=10)
    (directory / "12.png").unlink()
    frames, clip = read(directory)
    assert made_films.numbers(frames, 8) == [0, 1, 1, 3, 4, 5]
    assert "1 of 6 numbers are missing, and the picture before is held for them" in clip.remarks
    assert made_films.numbers(read(directory, Reading(timing="frames"))[0], 8) == [0, 1, 3, 4, 5]


def test_every_tenth_number_is_a_film_without_gaps(tmp_path):
    directory = tmp_path / "run"
    directory.mkdir()
    for number, picture in enumerate(made_films.moving(4, 8)):
        save(directory / f"frame_{10 * number}.png", [picture])
    frames, clip = read(directory)
    assert made_films.numbers(frames, 8) == [0, 1, 2, 3]
    assert not any("missing" in remark for remark in clip.remarks)


def test_numbered_stacks_are_films_themselves(tmp_path):
    for number in (1, 2):
        save(tmp_path / f"{number}.tif", made_films.moving(3, 8))
    units = find_units(tmp_path, ["1.tif", "2.tif"])
    assert [unit.numbers for unit in units] == [(), ()]
    assert made_films.numbers(read(tmp_path / "1.tif")[0], 8) == [0, 1, 2]


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("white", [4095, 65535])
def test_deep_pictures_are_refused_with_the_flag_that_reads_them(tmp_path, ending, colour, white):
    values = np.linspace(0, white, 48 * 64).astype(np.uint16).reshape(48, 64, 1)
    if colour:
        values = np.concatenate([values, values[::-1], np.zeros_like(values)], axis=-1)
    (tmp_path / "run").mkdir()
    for number in (1, 2):
        path = tmp_path / "run" / f"{number}.{ending}"
        if colour:
            _write_deep_colours(path, values)
        else:
            Image.fromarray(values[..., 0]).save(path)
    with pytest.raises(UnreadableError, match=rf"more than 8 bits per colour.*; --config.range=0,{white} reads it"):
        read(tmp_path / "run")
    frames, _ = read(tmp_path / "run", Reading(range=(0, white)))
    np.testing.assert_allclose(frames[0], np.broadcast_to(values / white * 255, (48, 64, 3)), atol=0.51)


def _write_deep_colours(path, values):
    """Writes a picture of 16 bits per colour by FFmpeg, as Pillow cannot."""
    encoder, order = {".png": ("png", "rgb48be"), ".tif": ("tiff", "rgb48le")}[path.suffix]
    context = av.CodecContext.create(encoder, "w")
    context.height, context.width, context.pix_fmt = *values.shape[:2], order
    context.time_base = fractions.Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(values, format="rgb48le").reformat(format=order)
    path.write_bytes(b"".join(bytes(packet) for packet in (*context.encode(frame), *context.encode())))


@pytest.mark.parametrize(("white", "needs_range"), [(1.0, False), (255.0, True), (4095.0, True)])
def test_pictures_of_floats(tmp_path, white, needs_range):
    values = np.linspace(0, white, 48 * 64, dtype=np.float32).reshape(48, 64)
    (tmp_path / "run").mkdir()
    for number in (1, 2):
        Image.fromarray(values).save(tmp_path / "run" / f"{number}.tif")
    if needs_range:
        with pytest.raises(UnreadableError, match=rf"1\.tif: floats must .*--config.range=0,{white:g} reads"):
            read(tmp_path / "run")
    frames, _ = read(tmp_path / "run", Reading(range=(0, white) if needs_range else None))
    np.testing.assert_allclose(frames[1][..., 2], values / white * 255, atol=0.51)


def test_a_picture_too_large_for_pillow_is_named(tmp_path, monkeypatch):
    directory = numbered(tmp_path / "run", made_films.moving(2))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    [unit] = find_units(tmp_path, ["run/1.png", "run/2.png"])
    with pytest.raises(UnreadableError, match=r"1\.png: Image size .* exceeds limit"):
        list(read_unit(tmp_path, unit)[0][0].frames)
    assert directory.is_dir()


def test_one_damaged_picture_is_named(tmp_path):
    directory = numbered(tmp_path / "run", made_films.moving(3, 8))
    content = (directory / "2.png").read_bytes()
    (directory / "2.png").write_bytes(content[: len(content) // 2])
    [unit] = find_units(tmp_path, ["run/1.png", "run/2.png", "run/3.png"])
    [clip], _ = read_unit(tmp_path, unit)
    with pytest.raises(UnreadableError, match=r"^2\.png: "):
        list(clip.frames)


def test_a_single_picture_is_no_film(tmp_path):
    save(tmp_path / "one.png", [made_films.block(0, 0)])
    with pytest.raises(UnreadableError, match="is a single picture; numbered pictures of a directory are a film"):
        read(tmp_path / "one.png")
