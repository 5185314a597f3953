"""Tests of `hgn_jax.data.datasets`."""

from collections.abc import Sequence

import chex
import numpy as np
from absl.testing import absltest, parameterized
from hypothesis import given
from hypothesis import strategies as st

from data_builders import datasets
from hgn_jax.data.batching import BatchOrder
from hgn_jax.data.datasets import Batches, Cached, DataError, Split, open_dataset, stack


class _Source(list):
    """Random access as `tfds.data_source` gives it."""

    def __getitems__(self, indices):
        return [self[i] for i in indices]


_SOURCE = _Source({"image": np.full((2, 2), i), "index": i} for i in range(23))


class DataTest(absltest.TestCase):
    def test_stack(self):
        batch = stack(_SOURCE, np.array([3, 5]), ("image", "index"))
        np.testing.assert_array_equal(batch["index"], [3, 5])
        self.assertEqual(batch["image"].shape, (2, 2, 2))

    def test_batches_hold_the_examples_of_the_order(self):
        batches = Batches(_SOURCE, 4, seed=1, features=("index",))
        for step in (0, 7, 3):
            np.testing.assert_array_equal(batches(step)["index"], BatchOrder(23, 4, seed=1)(step))

    def test_the_parts_of_a_batch_are_the_batch(self):
        parts = [Batches(_SOURCE, 4, 1, ("index",), part)(3)["index"] for part in (slice(0, 2), slice(2, 4))]
        np.testing.assert_array_equal(np.concatenate(parts), Batches(_SOURCE, 4, 1, ("index",))(3)["index"])


_NUMBERS = st.integers(-60, 60)
_SLICES = st.slices(23) | st.builds(slice, *[st.none() | _NUMBERS] * 2, st.none() | _NUMBERS.filter(bool))


@parameterized.parameters(
    lambda: Split("train split of x", _SOURCE),
    lambda: Cached(_SOURCE, ("image", "index"), 1e3),
    lambda: Split("train split of x", _Source([*_SOURCE[:2], *_SOURCE, *_SOURCE[:4]]))[2:-4],
)
class SequenceTest(parameterized.TestCase):
    """Examples behave like the list of them."""

    def _numbers(self, examples):
        return [int(example["index"]) for example in examples]

    def test_iteration_in_both_directions(self, make):
        examples = make()
        self.assertIsInstance(examples, Sequence)
        self.assertLen(examples, 23)
        self.assertEqual(self._numbers(examples), list(range(23)))
        self.assertEqual(self._numbers(reversed(examples)), list(range(23))[::-1])
        self.assertEqual(self._numbers(e for e, _ in zip(examples, "abc", strict=False)), [0, 1, 2])

    @given(_SLICES, _NUMBERS)
    def test_indices_and_slices_of_slices(self, make, part, index):
        examples, expected = make()[part], list(range(23))[part]
        self.assertEqual(self._numbers(examples), expected)
        self.assertEqual(self._numbers(examples[::-2]), expected[::-2])
        for kind in (int, np.int64, np.array):
            try:
                number = expected[index]
            except IndexError:
                with self.assertRaisesRegex(IndexError, f"no example {index}: there are {len(expected)}"):
                    examples[kind(index)]
            else:
                self.assertEqual(examples[kind(index)]["index"], number)
                self.assertEqual(self._numbers(examples.__getitems__([kind(index), 0])), [number, expected[0]])

    def test_other_indices_are_refused(self, make):
        for index in ("image", 1.0, None, [0, 1]):
            with self.assertRaisesRegex(TypeError, "whole number or a slice"):
                make()[index]

    def test_stack_takes_indices_from_the_end(self, make):
        np.testing.assert_array_equal(stack(make(), [-1, 0], ("index",))["index"], [22, 0])


class CachedTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.read = read = []

        class Recorded(_Source):
            def __getitems__(self, indices):
                read.extend(indices)
                return super().__getitems__(indices)

        self.source = Recorded(_SOURCE)

    def _read_epochs(self, max_bytes, num_steps=60):
        cached = Cached(self.source, ("image",), max_bytes)
        batches, expected = Batches(cached, 4, seed=1), Batches(_SOURCE, 4, seed=1)
        for step in range(num_steps):
            chex.assert_trees_all_equal(batches(step), expected(step))

    def test_each_example_is_read_once(self):
        self._read_epochs(1e6)
        self.assertLen(self.read, len(set(self.read)))
        self.assertLen(self.read, len(_SOURCE))

    def test_keeps_no_more_than_the_maximal_size(self):
        self._read_epochs(3 * _SOURCE[0]["image"].nbytes)
        reread = [index for index in set(self.read) if self.read.count(index) > 1]
        self.assertLen(set(self.read) - set(reread), 3)

    def test_repeated_indices_and_only_the_requested_features(self):
        cached = Cached(self.source, ("index",), 1e6)
        for _ in range(2):
            self.assertEqual(
                [dict(example) for example in cached.__getitems__([2, 5, 2])], [{"index": i} for i in (2, 5, 2)]
            )
        self.assertLen(cached, len(_SOURCE))


class BrokenDataTest(absltest.TestCase):
    def _split(self, *values):
        return Split("train split of x", _Source({"q": np.asarray(value)} for value in values))

    def test_returns_intact_examples(self):
        split = self._split([0.0], [1.0], [2.0])
        self.assertLen(split, 3)
        self.assertEqual(split[1]["q"], 1.0)
        self.assertEqual([example["q"] for example in split.__getitems__([2, 0])], [2.0, 0.0])

    def test_a_slice_names_the_number_in_the_split(self):
        part = self._split([0.0], [1.0], [np.nan])[::-1]
        with self.assertRaisesRegex(DataError, "example 2 is not finite"):
            part[0]

    def test_refuses_values_that_are_not_finite(self):
        for value in (np.nan, np.inf):
            with self.assertRaisesRegex(DataError, "train split of x: q of example 2 is not finite"):
                self._split([0.0], [1.0], [value]).__getitems__([1, 2])

    def test_refuses_another_shape(self):
        with self.assertRaisesRegex(DataError, r"q of example 1 has shape \(2,\), that of the first \(1,\)"):
            self._split([0.0], [1.0, 2.0])[1]

    def test_a_flipped_byte_is_an_error_that_names_the_example(self):
        config = datasets.derive_config("mass_spring", "small", num_train=6, num_test=2, num_steps=4)
        path = datasets.ensure_built("mass_spring", config, self.create_tempdir().full_path)
        whole = [example["image"] for example in open_dataset(path)[0]["train"].__getitems__(range(6))]
        shard = next(path.glob("*train*array_record*"))
        content, errors = shard.read_bytes(), 0
        record_bytes = 64 * 1024  # padding follows, then the index
        for position in range(100, record_bytes, record_bytes // 20):
            shard.write_bytes(content[:position] + bytes([content[position] ^ 0x10]) + content[position + 1 :])
            try:
                images = [example["image"] for example in open_dataset(path)[0]["train"].__getitems__(range(6))]
            except DataError as error:
                self.assertRegex(str(error), r"^train split of .*small-.*: example \d cannot be read \([^\n]+\)$")
                errors += 1
            else:  # an unused byte
                np.testing.assert_array_equal(images, whole)
        self.assertGreater(errors, 1)
