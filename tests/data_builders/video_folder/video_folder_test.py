"""Tests of the builder of data sets from your own videos."""

import contextlib
import io
import json
import os
import pathlib
import re
import shutil
import tempfile

import imageio.v3 as imageio
import numpy as np
import tensorflow_datasets as tfds
from absl.testing import absltest, parameterized

from data_builders import build, caller, datasets
from data_builders.overrides import parse_flags
from data_builders.video_folder import video_files
from data_builders.video_folder.video_folder_dataset_builder import Builder
from hgn_jax.data import datasets as data

SIZE = 8
WINDOW = {"num_steps": 4, "image_size": SIZE, "stride": 3}


def video(number, num_frames=20):
    """Makes frames of one colour each, which identifies the video and the frame, `[T, SIZE, SIZE, 3]`."""
    frames = np.zeros((num_frames, SIZE, SIZE, 3), np.uint8)
    frames[..., 0], frames[..., 1] = 10 * number, np.arange(num_frames)[:, None, None]
    frames[..., 2] = 200
    return frames


def _raising(error):
    return absltest.mock.Mock(side_effect=error)


class VideoFolderTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
        self.source, self.data_dir = self.root / "my films", self.root / "data"
        self.source.mkdir()
        self.printed = self.enter_context(contextlib.redirect_stdout(io.StringIO()))

    def save(self, *numbers, num_frames=20):
        for number in numbers:
            np.save(self.source / f"{number}.npy", video(number, num_frames))

    def config(self, **overrides):
        return datasets.derive_config("video_folder", "default", **{"source": str(self.source), **WINDOW, **overrides})

    def built(self, **overrides):
        """Returns the path of the data set, its examples by split, and its metadata."""
        path = datasets.ensure_built("video_folder", self.config(**overrides), self.data_dir)
        splits, metadata = data.open_dataset(path)
        return path, {split: [source[i] for i in range(len(source))] for split, source in splits.items()}, metadata

    @parameterized.parameters(({}, 1, 3), ({"frame_step": 2}, 2, 3), ({"stride": 5}, 1, 5))
    def test_windows_are_cut_from_the_videos(self, overrides, frame_step, stride):
        self.save(1, 2, 3, 4, 5)
        _, splits, metadata = self.built(**overrides)
        last = len(range(0, 20, frame_step)) - 5
        train_starts = [frame_step * start for start in range(0, last + 1, stride)]
        test_starts = sorted({*train_starts, frame_step * last})  # the last frame is in the last window
        for split, num_files, starts in (("train", 4, train_starts), ("test", 1, test_starts)):
            self.assertLen(splits[split], num_files * len(starts))
            self.assertEqual(metadata["splits"][split]["num_trajectories"], num_files * len(starts))
            for example in splits[split]:
                number, start = int(example["video"].decode().removesuffix(".npy")), int(example["first_frame"])
                np.testing.assert_array_equal(example["image"], video(number)[start::frame_step][:5])
                self.assertIn(start, starts)
            self.assertCountEqual([int(e["index"]) for e in splits[split]], range(len(splits[split])))
            images = np.stack([example["image"] for example in splits[split]]) / 255.0
            self.assertAlmostEqual(metadata["splits"][split]["mean_image_mse"], images.var(axis=(0, 1)).mean())

    def test_every_file_is_in_one_split_or_left_out(self):
        self.save(*range(10))
        imageio.imwrite(self.source / "long.gif", video(11, 30), duration=50)
        imageio.imwrite(self.source / "long.mp4", np.zeros((30, 32, 48, 3), np.uint8), plugin="pyav", codec="libx264")
        (self.source / "below").mkdir()
        np.savez(self.source / "below" / "two.npz", a=video(12), b=video(13), short=video(14, 4), labels=np.arange(9))
        (self.source / "notes.txt").write_text("x")
        (self.source / "bad.mp4").write_bytes(b"no video" * 100)
        (self.source / ".DS_Store").write_bytes(b"x")
        (self.source / "gone.mp4").symlink_to(self.source / "nowhere")
        (self.source / os.fsdecode(b"\xff.npy")).write_bytes(b"x")
        _, splits, metadata = self.built(test_fraction=0.3)
        files = {split: {e["video"].decode().split(":")[0] for e in examples} for split, examples in splits.items()}
        self.assertEqual(
            files["train"] | files["test"],
            {*(f"{i}.npy" for i in range(10)), "long.gif", "long.mp4", "below/two.npz"},
        )
        self.assertLen(files["test"], 4)  # 0.3 of 13
        self.assertEmpty(files["train"] & files["test"])
        self.assertCountEqual(
            metadata["left_out"],
            ["notes.txt", "bad.mp4", ".DS_Store", "gone.mp4", r"\udcff.npy"]
            + ["below/two.npz:short", "below/two.npz:labels"],
        )
        self.assertEqual(metadata["left_out"]["below/two.npz:short"], "too short: 4 frames, and a window has 5")
        for name, reason in metadata["left_out"].items():
            self.assertIn(f"  left out: {name}: {reason}\n", self.printed.getvalue())
        self.assertIn("13 of 18 files", self.printed.getvalue())

    def test_other_seeds_choose_other_files(self):
        self.save(*range(8))
        chosen = {tuple(self.built(split_seed=seed)[2]["videos"]["test"]) for seed in range(5)}
        self.assertGreater(len(chosen), 2)

    def test_clips_of_one_file(self):
        np.savez(self.source / "many.npz", clips=np.stack([video(i) for i in range(10)]))
        with self.assertRaisesRegex(datasets.DatasetError, "only one usable file in .*many.npz.*split_by=clip, which"):
            self.built()
        _, splits, _ = self.built(split_by="clip")
        numbers = {split: {int(e["image"][0, 0, 0, 0]) for e in examples} for split, examples in splits.items()}
        self.assertEqual((len(numbers["train"]), len(numbers["test"])), (8, 2))
        self.assertEmpty(numbers["train"] & numbers["test"])

    def test_the_end_of_one_clip(self):
        self.save(1, num_frames=40)
        np.save(self.source / "short.npy", video(2, 9))
        with self.assertRaisesRegex(datasets.DatasetError, "only one usable clip in .*split_by=time, which"):
            self.built(split_by="clip", num_steps=9)
        _, splits, metadata = self.built(split_by="time", test_fraction=0.25)
        frames = {
            split: {int(t) for e in examples for t in e["image"][:, 0, 0, 1]} for split, examples in splits.items()
        }
        self.assertEqual(max(frames["train"]), 28)  # the windows from 0, 3, ..., 24; frame 29 is in none
        self.assertEqual((min(frames["test"]), max(frames["test"])), (30, 39))
        for example in splits["test"]:
            self.assertEqual(example["image"][0, 0, 0, 1], example["first_frame"])
        self.assertEqual(
            metadata["left_out"], {"short.npy": "too short: 9 frames, and split_by=time needs two windows of 5"}
        )

    @parameterized.parameters(
        ({}, [("a", 1, 40)], {}),
        ({"num_steps": 20}, [("a", 1, 30)], {}),
        ({}, [("a", 1, 30), ("b", 1, 4)], {}),
        ({"num_steps": 20}, [("a", 1, 15), ("b", 1, 17)], {}),
        ({"num_steps": 20, "frame_step": 4}, [("a", 1, 60), ("b", 1, 60)], {}),
        ({"split_by": "time", "num_steps": 20}, [("a", 1, 30)], {}),
        ({}, [("a", 12, 9)], {"batch_size": 8, "num_test": 2}),
        ({"num_steps": 20}, [("a", 1, 15), ("b", 1, 17)], {"batch_size": 5, "num_test": 2}),
    )
    def test_what_the_message_advises_works(self, overrides, files, needs):
        """Each flag in the message cuts the number of windows that it says, which are enough."""
        for name, number, num_frames in files:
            np.savez(self.source / f"{name}.npz", clips=np.stack([video(i, num_frames) for i in range(number)]))
        with caller.calling(caller.Caller(**needs)):
            with self.assertRaises(datasets.DatasetError) as caught:
                self.built(**overrides)
        pieces = re.findall(
            r"((?:--config\S+ ?)+), which cuts (\d+) windows? for training and (\d+)", str(caught.exception)
        )
        self.assertNotEmpty(pieces, str(caught.exception))
        for flags, train, test in pieces:
            changes = parse_flags(flags.split())[1]
            batch_size = changes.pop("batch_size", needs.get("batch_size", 1))
            _, splits, _ = self.built(**{**overrides, **changes})
            self.assertEqual((len(splits["train"]), len(splits["test"])), (int(train), int(test)))
            self.assertGreaterEqual(len(splits["train"]), batch_size)
            self.assertGreaterEqual(len(splits["test"]), needs.get("num_test", 1))

    def test_many_files_that_fail_alike_share_a_line(self):
        self.save(1, 2, 3)
        for number in range(200):
            (self.source / f"{number}.log").write_text(f"line {number}")
        self.built()
        lines = [line for line in self.printed.getvalue().splitlines() if "left out" in line]
        self.assertEqual(
            lines, ["  left out: 200 alike, 0.log to 99.log: no reader knows it as a film, or it is damaged"]
        )

    def test_films_of_different_rates_are_taken_at_the_slowest(self):
        for rate in (10, 20, 50):
            imageio.imwrite(self.source / f"{rate}.gif", video(rate // 10, 4 * rate), duration=1000 / rate)
        _, splits, metadata = self.built(num_steps=9)
        self.assertIn("Films have 10 to 50 frames per second; all are taken at 10", self.printed.getvalue())
        self.assertAlmostEqual(metadata["frame_rate"], 10, places=3)
        self.assertIn("50.gif: has 50 frames per second; at 10 its 200 frames become 40:", self.printed.getvalue())
        _, _, metadata = self.built(num_steps=9, rate=5)
        self.assertEqual(metadata["frame_rate"], 5)
        self.assertEqual([length for _, _, length in metadata["films"]], [20, 20, 20])

    def test_folders_of_pictures_are_films(self):
        for run in range(3):
            (self.source / f"run{run}").mkdir()
            for number, frame in enumerate(video(run, 12)):
                imageio.imwrite(self.source / f"run{run}" / f"{number}.png", frame)
        _, splits, metadata = self.built()
        self.assertCountEqual(sum(metadata["videos"].values(), []), ["run0/*.png", "run1/*.png", "run2/*.png"])
        self.assertIn("36 of 36 files in", self.printed.getvalue())
        self.assertIn("3 of 3 films without times are taken frame by frame", self.printed.getvalue())
        for example in (*splits["train"], *splits["test"]):
            number, start = int(example["video"].decode()[3]), int(example["first_frame"])
            np.testing.assert_array_equal(example["image"], video(number, 12)[start : start + 5])

    def test_frames_of_two_sizes_are_no_film(self):
        (self.source / "run").mkdir()
        for number in range(6):
            imageio.imwrite(self.source / "run" / f"{number}.png", np.zeros((8, 8 + number // 4, 3), np.uint8))
        self.save(1, 2)
        _, _, metadata = self.built()
        self.assertEqual(metadata["left_out"], {"run/*.png": "frame 4 is 8x9, and the first is 8x8"})

    def test_frames_that_equal_the_one_before_are_counted(self):
        film = video(1)
        film[5:8] = film[4]
        np.save(self.source / "a.npy", film)
        self.save(2)
        _, _, metadata = self.built()
        self.assertIn("3 of 20 frames equal the one before", metadata["remarks"]["a.npy"])
        self.assertNotIn("equal", metadata["remarks"]["2.npy"])

    def test_crops_all_videos_to_where_things_move(self):
        """A spot moves from column 8 to 16 in one video and from row 40 to 48 in the other, of 64×96 pixels."""
        films = np.zeros((2, 12, 64, 96, 3), np.uint8)
        for t in range(12):
            films[0, t, 24:28, 8 + t % 9 : 12 + t % 9] = 255
            films[1, t, 40 + t % 9 : 44 + t % 9, 20:24] = 255
        for number, film in enumerate(films):
            np.save(self.source / f"{number}.npy", film)
        np.save(self.source / "too short.npy", np.arange(3 * 64 * 96).reshape(3, 64, 96) % 256)
        _, splits, metadata = self.built(fit="motion", image_size=32)
        crop = metadata["crop"]
        self.assertRegex(self.printed.getvalue(), r"Things move from \d% to \d\d% of the width and from ")
        for name, edge in {"left": 8 / 96, "top": 24 / 64, "right": 24 / 96, "bottom": 52 / 64}.items():
            self.assertAlmostEqual(crop[name], edge, delta=0.04)
        spot, area = 4 * 4, ((crop["bottom"] - crop["top"]) * 64) ** 2  # a square as high as the part
        for example in (*splits["train"], *splits["test"]):
            bright = example["image"][..., 0].astype(float).mean(axis=(1, 2)) / 255.0
            np.testing.assert_allclose(bright, spot / area, rtol=0.1)  # all of the spot is in all frames
        self.assertNotIn("crop", self.built(image_size=32)[2])

    def test_a_crop_to_motion_needs_motion(self):
        np.save(self.source / "still.npy", np.full((2, 12, 16, 16, 3), 90, np.uint8))
        with self.assertRaisesRegex(datasets.DatasetError, "fit=motion finds nothing that moves in .*fit=stretch$"):
            self.built(fit="motion", split_by="clip")
        self.assert_nothing_is_left()

    def test_no_usable_video(self):
        with self.assertRaisesRegex(datasets.DatasetError, "^no usable video among 0 files in .*my films$"):
            self.built()
        (self.source / "notes.txt").write_text("x")
        self.save(1, num_frames=3)
        with self.assertRaisesRegex(
            datasets.DatasetError,
            "^no usable video among 2 files in .*1.npy: too short: 3 frames.*; more films are needed, or longer ones$",
        ):
            self.built()
        self.assert_nothing_is_left()

    def assert_nothing_is_left(self):
        self.assertEmpty([path for path in self.data_dir.glob("video_folder/[!.]*")])

    @parameterized.parameters(KeyboardInterrupt, MemoryError)
    def test_an_interrupted_build_leaves_nothing(self, error):
        self.save(1, 2, 3)
        for module, name in ((video_files, "resize"), (Builder, "_generate_examples"), (np, "memmap")):
            with (
                absltest.mock.patch.object(module, name, side_effect=error),
                self.assertRaises((error, datasets.DatasetError)),
            ):
                self.built()
            self.assert_nothing_is_left()
        path, splits, _ = self.built()
        self.assertEqual([child.name for child in path.parent.iterdir()], ["1.2.0"])
        self.assertNotEmpty(splits["train"])

    def test_a_full_disk_is_not_taken_for_bad_videos(self):
        self.save(1, 2, 3)
        full = absltest.mock.Mock(write=_raising(OSError(28, "No space left on device")))
        open_file = pathlib.Path.open

        def opened(path, *args, **kwargs):
            return full if path.name == "frames" else open_file(path, *args, **kwargs)

        with absltest.mock.patch.object(pathlib.Path, "open", opened):
            with self.assertRaisesRegex(datasets.DatasetError, "^cannot write to .*: No space left on device"):
                self.built()
        self.assert_nothing_is_left()

    def test_a_capped_build_is_not_taken_for_the_whole(self):
        self.save(1, 2, 3)
        builder = Builder(config=self.config(), data_dir=self.data_dir)
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(max_examples_per_split=2))
        with self.assertRaisesRegex(datasets.DatasetError, "is incomplete: 2 of 12 train trajectories"):
            self.built()

    def test_is_built_again_only_if_the_videos_change(self):
        self.save(1, 2, 3)
        path, _, _ = self.built()
        os.utime(self.source / "1.npy", (1, 1))
        with absltest.mock.patch.object(Builder, "download_and_prepare", side_effect=AssertionError):
            self.assertEqual(self.built()[0], path)
        self.save(4)
        changed, splits, _ = self.built()
        self.assertNotEqual(changed, path)
        self.assertLen(splits["train"] + splits["test"], 4 * 6)
        np.save(self.source / "4.npy", video(5))  # as many bytes as before
        self.assertNotIn(self.built()[0], (path, changed))

    def test_directories_do_not_collide(self):
        self.save(1, 2)
        other = self.root / "other" / "my films"
        other.mkdir(parents=True)
        for number in (1, 2):
            np.save(other / f"{number}.npy", video(number + 5))
        path, splits, _ = self.built()
        self.assertIn(
            f"Cutting the videos in {self.source} into windows of 5 frames, 8x8, into {path}\n", self.printed.getvalue()
        )
        other_path, other_splits, _ = self.built(source=str(other))
        self.assertNotEqual(path, other_path)
        self.assertNotEqual(splits["test"][0]["image"][0, 0, 0, 0], other_splits["test"][0]["image"][0, 0, 0, 0])
        self.assertTrue(path.parent.name.startswith("my_films-default-fingerprint_"), path)

    def test_a_data_set_is_found_by_its_fingerprint(self):
        self.save(1, 2)
        config = self.config()
        again = {"fingerprint": config.fingerprint}
        path, _, _ = self.built()
        self.save(3)
        self.assertEqual(self.built(**again)[0], path)
        with self.assertRaisesRegex(datasets.DatasetError, "have changed .fingerprint .*, not .* no data set .* in .*"):
            self.built(**again, stride=1)
        shutil.rmtree(self.source)
        self.assertEqual(self.built(**again)[0], path)
        with self.assertRaisesRegex(
            datasets.DatasetError, "my films is not there, nor a data set built from it in .*data"
        ):
            self.built(**again, stride=1)
        with self.assertRaisesRegex(ValueError, "my films is not there"):
            self.config()

    @parameterized.parameters(
        ({"stride": 0}, "stride must be 1 or more, got 0"),
        ({"num_steps": 1.5}, "num_steps: cannot use 1.5"),
        ({"axes": "TXY"}, "axes must be T, H and W, with N or C or both, in an order; got 'TXY'"),
        ({"range": "white"}, "range must be values of black and white, as 0,4095; got 'white'"),
        ({"range": [1, 0]}, "range must be values of black and white, as 0,4095; got '1,0'"),
        ({"backdrop": "transparent"}, "backdrop must be a colour: black, white, #rrggbb or 0,128,255"),
        ({"timing": "fast"}, "timing must be one of real, frames"),
        ({"rate": 0}, "rate must be positive and finite, got 0"),
        ({"fit": "pad"}, "fit must be one of stretch, crop, motion; got 'pad'"),
        ({"split_by": "frame"}, "split_by must be one of file, clip, time"),
        ({"test_fraction": 1.0}, "test_fraction must lie between 0 and 1"),
        ({"test_fraction": "half"}, "test_fraction: cannot use 'half'"),
        ({"observation_noise": 0.1}, "unknown field observation_noise; choose from source, fingerprint, num_steps"),
    )
    def test_wrong_values_are_errors(self, overrides, message):
        with self.assertRaisesRegex(ValueError, message):
            self.config(**overrides)

    def test_a_configuration_without_source(self):
        with self.assertRaisesRegex(datasets.DatasetError, "needs source, the directory of your videos"):
            datasets.ensure_built("video_folder", "default", self.data_dir)

    def test_command_line(self):
        self.save(1, 2, 3)
        config = json.dumps({"name": "mine", "source": str(self.source), **WINDOW})
        build.main(build.parse_flags(["build", "video_folder", f"--data_dir={self.data_dir}", f"--config={config}"]))
        splits, _ = data.open_dataset(self.data_dir / "video_folder" / "mine" / "1.2.0")
        self.assertLen(splits["train"], 12)
