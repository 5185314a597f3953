"""Tests of reading video files, with frames made here."""

import hashlib
import os
import pathlib
import pickle
import shutil
import tempfile

import imageio.v3 as imageio
import numpy as np
from absl.testing import absltest, parameterized

from data_builders.video_folder import video_files
from data_builders.video_folder.video_files import UnreadableError


def frames_of(clip):
    return np.stack(list(clip.frames))


def moving_square(num_frames=12, size=(24, 32)):
    """Makes a red square on grey that moves right by two pixels per frame, `[T, H, W, 3]`."""
    video = np.full((num_frames, *size, 3), 90, np.uint8)
    for t in range(num_frames):
        video[t, 8:16, 2 * t : 2 * t + 8] = (220, 40, 30)
    return video


class ReadClipsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))

    def saved(self, array):
        np.save(self.root / "array.npy", array)
        return self.root / "array.npy"

    @parameterized.parameters(
        ((5, 6, 7), 1),
        ((5, 6, 7, 1), 1),
        ((5, 6, 7, 3), 1),
        ((2, 5, 6, 7), 2),
        ((2, 5, 6, 7, 1), 2),
        ((2, 5, 6, 7, 3), 2),
        ((1, 5, 6, 7, 3), 1),
    )
    def test_shapes_of_arrays(self, shape, num_clips):
        array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        clips, reasons = video_files.read_clips(self.saved(array))
        self.assertEqual(reasons, {})
        self.assertEqual([clip.place for clip in clips], ["[0]", "[1]"] if num_clips == 2 else [""])
        colours = shape[-1] if shape[-1] in (1, 3) else 1
        expected = np.broadcast_to(array.reshape(num_clips, 5, 6, 7, colours), (num_clips, 5, 6, 7, 3))
        frames = np.stack([frames_of(clip) for clip in clips])
        self.assertEqual(frames.dtype, np.uint8)
        np.testing.assert_array_equal(frames, expected)

    @parameterized.parameters(
        (np.float32, [0.0, 0.2, 0.5, 1.0], [0, 51, 128, 255]),
        (np.float16, [0.0, 1.0], [0, 255]),
        (np.float64, [-1e-4, 1.0001], [0, 255]),  # as a resize leaves them
        (np.int64, [0, 7, 255], [0, 7, 255]),
        (np.uint8, [0, 1], [0, 255]),
        (bool, [False, True], [0, 255]),
    )
    def test_values_of_arrays(self, dtype, values, expected):
        array = np.array(values, dtype)[:, None, None] * np.ones((1, 2, 2), dtype)
        [clip], _ = video_files.read_clips(self.saved(array))
        np.testing.assert_array_equal(frames_of(clip)[:, 0, 0, 0], expected)

    def test_alpha_is_composited_over_black(self):
        array = np.zeros((1, 1, 2, 4), np.uint8)
        array[0, 0] = [(200, 100, 50, 255), (200, 100, 50, 51)]
        [clip], _ = video_files.read_clips(self.saved(array))
        np.testing.assert_array_equal(frames_of(clip)[0, 0], [(200, 100, 50), (40, 20, 10)])

    @parameterized.parameters(
        (np.zeros((5, 6), np.uint8), r"shape \(5, 6\) is neither \[T, H, W\]"),
        (np.zeros((480, 640, 3), np.uint8), r"shape \(480, 640, 3\) is neither"),  # one image
        (np.zeros((9, 3, 6, 7), np.uint8), r"shape \(9, 3, 6, 7\) is neither .* C = 1, 3 or 4"),
        (np.zeros((2, 9, 3, 6, 7), np.uint8), "is neither"),
        (np.zeros((0, 6, 7), np.uint8), "is empty"),
        (np.full((5, 6, 7), 254.0), r"floats must lie in \[0, 1\], found 254 to 254"),
        (np.full((5, 6, 7), -0.5), r"floats must lie in \[0, 1\], found -0.5"),
        (np.full((5, 6, 7), np.nan), "values must be finite, found nan"),
        (np.full((5, 6, 7), 1000), "integers must lie in 0 to 255, found 1000"),
        (np.full((5, 6, 7), 1j), "values of type complex128 are no pixels"),
        (np.full((5, 6, 7), "a"), "values of type <U1 are no pixels"),
    )
    def test_arrays_that_are_not_videos(self, array, reason):
        with self.assertRaisesRegex(UnreadableError, reason):
            video_files.read_clips(self.saved(array))

    def test_archive_reports_each_array(self):
        video = moving_square()
        np.savez(self.root / "a.npz", walk=video, runs=np.stack([video, video]), labels=np.arange(3))
        clips, reasons = video_files.read_clips(self.root / "a.npz")
        self.assertEqual([(clip.name, clip.place) for clip in clips], [("walk", ""), ("runs", "[0]"), ("runs", "[1]")])
        np.testing.assert_array_equal(frames_of(clips[2]), video)
        self.assertEqual(list(reasons), ["labels"])

    def test_nothing_is_unpickled(self):
        class Bomb:
            def __reduce__(self):
                return os.mkdir, (str(marker),)

        marker = self.root / "marker"
        bomb = np.array([Bomb()], dtype=object)
        np.save(self.root / "bomb.npy", bomb, allow_pickle=True)
        np.savez(self.root / "bomb.npz", video=moving_square(), bomb=bomb)
        (self.root / "raw.npy").write_bytes(pickle.dumps(Bomb()))
        clips, reasons = video_files.read_clips(self.root / "bomb.npz")
        self.assertLen(clips, 1)
        self.assertRegex(reasons["bomb"], "Python objects")
        for name in ("bomb.npy", "raw.npy"):
            with self.assertRaises(ValueError):
                video_files.read_clips(self.root / name)
        self.assertFalse(marker.exists())

    def test_gif(self):
        video = moving_square()
        imageio.imwrite(self.root / "a.gif", video, duration=50, loop=0)
        [clip], _ = video_files.read_clips(self.root / "a.gif")
        np.testing.assert_array_equal(frames_of(clip), video)  # two colours fit in the palette

    @parameterized.parameters((".mp4", "libx264"), (".MP4", "libx264"), (".mkv", "libx264"), (".avi", "mpeg4"))
    def test_movies(self, suffix, codec):
        video = moving_square(size=(48, 64))
        path = self.root / f"a{suffix}"
        imageio.imwrite(path, video, plugin="pyav", codec=codec, fps=20, extension=suffix.lower())
        [clip], _ = video_files.read_clips(path)
        frames = frames_of(clip)
        self.assertEqual(frames.shape, video.shape)
        self.assertLess(np.abs(frames.astype(float) - video).mean(), 4.0)  # compressed, with loss
        rows, columns = np.nonzero(frames[5, :, :, 0] > 150)
        self.assertBetween(columns.mean(), 12.5, 14.5)  # of 10 to 17
        self.assertBetween(rows.mean(), 10.5, 12.5)  # of 8 to 15

    @parameterized.parameters(".mp4", ".gif", ".npz", ".npy")
    def test_damaged_and_foreign_files(self, suffix):
        path = self.root / f"a{suffix}"
        path.write_bytes(b"")
        with self.assertRaisesRegex(UnreadableError, "is empty"):
            video_files.read_clips(path)
        path.write_bytes(b"no video " * 100)
        with self.assertRaises(Exception):  # noqa: B017  (of a type that depends on the reader)
            frames_of(video_files.read_clips(path)[0][0])

    def test_truncated_movie(self):
        path = self.root / "a.mp4"
        imageio.imwrite(path, moving_square(size=(48, 64)), plugin="pyav", codec="libx264", fps=20)
        os.truncate(path, path.stat().st_size // 2)
        with self.assertRaisesRegex(UnreadableError, "or it is damaged"):
            frames_of(video_files.read_clips(path)[0][0])

    def test_other_types_and_directories(self):
        (self.root / "notes.txt").write_text("x")
        with self.assertRaisesRegex(UnreadableError, "^no reader knows it as a film"):
            video_files.read_clips(self.root / "notes.txt")
        with self.assertRaisesRegex(UnreadableError, "is a directory without numbered pictures"):
            video_files.read_clips(self.root)


class ResizeTest(parameterized.TestCase):
    @parameterized.parameters(8, 32, 64)
    def test_flat_images_stay_and_fine_grids_become_their_mean(self, size):
        flat = np.full((64, 64, 3), (10, 100, 250), np.uint8)
        np.testing.assert_array_equal(video_files.resize(flat, size, "stretch"), flat[:size, :size])
        grid = np.zeros((512, 512, 3), np.uint8)
        grid[::2, ::2] = grid[1::2, 1::2] = 200
        self.assertLess(np.abs(video_files.resize(grid, size, "stretch").astype(int) - 100).max(), 8)

    def test_a_shape_keeps_its_place_and_area(self):
        image = np.zeros((96, 192, 3), np.uint8)
        y, x = np.mgrid[:96, :192]
        image[(y - 60) ** 2 + (x - 120) ** 2 < 20**2] = 255
        small = video_files.resize(image, 32, "stretch")[..., 0] / 255.0
        self.assertAlmostEqual(small.mean(), image.mean() / 255.0, delta=2e-3)
        rows, columns = np.mgrid[:32, :32] + 0.5
        self.assertAlmostEqual((rows * small).sum() / small.sum(), 60.5 / 3, delta=0.1)
        self.assertAlmostEqual((columns * small).sum() / small.sum(), 120.5 / 6, delta=0.1)

    @parameterized.parameters((16, 48), (48, 16))
    def test_crop_takes_the_middle_and_stretch_everything(self, height, width):
        image = np.zeros((height, width, 3), np.uint8)
        image[(height - 16) // 2 : (height + 16) // 2, (width - 16) // 2 : (width + 16) // 2] = 255
        np.testing.assert_array_equal(video_files.resize(image, 16, "crop"), np.full((16, 16, 3), 255, np.uint8))
        self.assertAlmostEqual(video_files.resize(image, 16, "stretch").mean() / 255.0, 1 / 3, delta=0.02)


class FingerprintTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
        self.source = self.root / "source"
        (self.source / "below").mkdir(parents=True)
        (self.source / "a.npy").write_bytes(b"one")
        (self.source / "below" / "b.gif").write_bytes(b"two")

    def test_subdirectories_are_searched(self):
        (self.source / ".hidden").touch()
        (self.source / "link").symlink_to(self.source / "below")
        self.assertEqual(video_files.list_files(self.source), [".hidden", "a.npy", "below/b.gif", "link"])

    def test_depends_on_names_and_contents_only(self):
        before = video_files.fingerprint(self.source)
        self.assertRegex(before, "^[0-9a-f]{16}$")
        shutil.copytree(self.source, self.root / "copy")
        os.utime(self.root / "copy" / "a.npy", (1, 1))
        (self.root / "copy" / ".DS_Store").write_bytes(b"x")
        self.assertEqual(video_files.fingerprint(self.root / "copy"), before)

        seen = {before}
        for change in (
            lambda: (self.source / "a.npy").write_bytes(b"One"),
            lambda: (self.source / "a.npy").rename(self.source / "c.npy"),
            lambda: (self.source / "d.txt").write_bytes(b""),
            lambda: (self.source / "below" / "b.gif").unlink(),
        ):
            change()
            seen.add(video_files.fingerprint(self.source))
        self.assertLen(seen, 5)

    def test_unreadable_files_are_tolerated(self):
        denied = PermissionError(13, "Permission denied")
        with absltest.mock.patch.object(hashlib, "file_digest", side_effect=denied):
            unreadable = video_files.fingerprint(self.source)
        video_files._digest.cache_clear()
        self.assertNotEqual(video_files.fingerprint(self.source), unreadable)
