"""Tests of `hgn_jax.data.tables`."""

import math
import pathlib

import numpy as np
from absl.testing import parameterized

from hgn_jax.data import tables

_ROWS = np.random.default_rng(0).normal(loc=[5.0, -3.0, 0.1], scale=[2.0, 0.01, 300.0], size=(40, 3))


class TableTestCase(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content, encoding="utf-8")
        return path

    def save(self, array, **options):
        np.save(self.folder / "rows.npy", array, **options)
        return self.folder / "rows.npy"

    def assert_fails(self, message, function, *arguments):
        with self.assertRaisesRegex(ValueError, message) as caught:
            function(*arguments)
        self.assertNotIn("\n", str(caught.exception))
        return str(caught.exception)


class LoadTableTest(TableTestCase):
    @parameterized.parameters("float64", "float32", "int16", "uint8", "bool", ">f8")
    def test_npy_comes_back_as_float64(self, dtype):
        array = np.random.default_rng(1).permuted(np.arange(80).reshape(40, 2) % 77, axis=0).astype(dtype)
        rows = tables.load_table(self.save(array))
        self.assertEqual(rows.dtype, np.float64)
        np.testing.assert_array_equal(rows, array.astype(np.float64))

    def test_one_axis_is_a_single_column(self):
        np.testing.assert_array_equal(tables.load_table(self.save(_ROWS[:, 0])), _ROWS[:, :1])

    def test_csv_comes_back_to_the_last_digit(self):
        text = "\n".join(",".join(repr(float(cell)) for cell in row) for row in _ROWS)
        np.testing.assert_array_equal(tables.load_table(str(self.write("rows.csv", text))), _ROWS)

    @parameterized.parameters(
        "1,2\n3,4\n",
        "1,2\r\n3,4",
        "x,y\n1,2\n3,4\n",
        '"length, cm",y\n1,2\n3,4\n',
        "\ufeffx,y\n1,2\n\n3,4\n\n",
        ' 1 , 2e0\n"3",+4.0\n',
        "x;y\n1;2\n3;4\n",
        "x\ty\n1\t2\n3\t4\n",
        "1 2\n3   4\n",
    )
    def test_csv_with_and_without_header(self, text):
        np.testing.assert_array_equal(tables.load_table(self.write("rows.CSV", text)), [[1.0, 2.0], [3.0, 4.0]])

    def test_csv_of_one_column(self):
        np.testing.assert_array_equal(tables.load_table(self.write("rows.csv", "x\n1\n2\n")), [[1.0], [2.0]])

    @parameterized.parameters(
        ("'abc' in line 3 \\(column 'y'\\) must be numbers.*\\(1\\); mend .* leave_out=y", "x,y\n1,2\n3,abc\n"),
        ("'b' in line 3 .*'a' in line 2 .*\\(3\\).* leave_out=x,y", "x,y\n1,a\nb,c\n3,4\n"),
        ("no column of numbers is left: 'x': text", "x\na\n"),
        (
            "only 1 of 4 rows .* missing in 'y' \\(3\\): leave such columns out, leave_out=y",
            "x,y\n1,2\n2,\n3,NA\n4,-\n",
        ),
        ("line 3 has 1 cells, the lines before it 2", "1,2\n3,4\n5\n"),
        ("line 2 has 3 cells, the lines before it 2", "x,y\n1,2,3\n"),
        ("is empty: it has a header and no rows", "x,y\n"),
        ("it is empty", ""),
        ("it is empty", "\n \n"),
        ("infinite numbers: 1, in column 'y'", "x,y\n1,2\n3,4\n5,6\n7,-inf\n"),
        ("it is not text", b"1,2\n\x00\x01,4\n"),
        ("cannot read .*rows.csv: .*", '1,2\n"3,4\n'),
    )
    def test_wrong_csv_is_named(self, message, content):
        path = self.write("rows.csv", content)
        self.assertIn(str(path), self.assert_fails(message, tables.load_table, path))

    @parameterized.parameters(
        ("must have shape \\[rows, columns\\].*\\[rows\\] for a single column, not \\[2, 3, 4\\]", np.zeros((2, 3, 4))),
        ("must have shape .* not \\[\\]", np.float64(3.0)),
        ("is empty: it has 0 rows and 3 columns", np.zeros((0, 3))),
        ("is empty: it has 3 rows and 0 columns", np.zeros((3, 0))),
        ("infinite numbers: 1, in column 'column 1'", np.array([[1.0], [2.0], [math.inf]])),
        ("must hold real numbers, not <U1", np.array([["a", "b"]])),
        ("must hold real numbers, not complex128", np.ones((2, 2), complex)),
        ("must hold real numbers, not datetime64", np.array([["2020-01-01"]], "datetime64[D]")),
    )
    def test_wrong_npy_is_named(self, message, array):
        path = self.save(array)
        self.assertIn(str(path), self.assert_fails(message, tables.load_table, path))

    def test_pickled_objects_are_not_loaded(self):
        path = self.save(np.array([[1.0, "a"]], dtype=object), allow_pickle=True)
        self.assert_fails("rows.npy: not a complete .npy array of numbers without pickled", tables.load_table, path)

    @parameterized.parameters(0, 5, 60, 140, -8)
    def test_truncated_npy_is_named(self, size):
        whole = self.save(_ROWS).read_bytes()
        path = self.write("rows.npy", whole[:size])
        self.assert_fails("rows.npy: not a complete .npy array", tables.load_table, path)

    def test_other_files_with_the_suffix_of_an_array_are_named(self):
        np.savez(self.folder / "rows.npz", rows=_ROWS)
        path = (self.folder / "rows.npz").rename(self.folder / "rows.npy")
        self.assert_fails("rows.npy: not a complete .npy array", tables.load_table, path)
        path = self.write("rows.npy", "1,2\n3,4\n")
        self.assert_fails("rows.npy: not a complete .npy array", tables.load_table, path)

    def test_refuses_missing_files_and_other_suffixes(self):
        self.assert_fails("none.csv: there is no such file", tables.load_table, self.folder / "none.csv")
        (self.folder / "folder.npy").mkdir()
        self.assert_fails("folder.npy: there is no such file", tables.load_table, self.folder / "folder.npy")
        for name in ("rows.xlsx", "rows.parquet", "rows"):
            path = self.write(name, "1,2\n")
            message = f"{name}: its name must end in .csv, .tsv, .tab, .txt, .dat or .npy"
            self.assert_fails(message, tables.load_table, path)


class MakeTableTest(TableTestCase):
    def test_training_rows_are_standardised_and_test_rows_by_the_same_numbers(self):
        table = tables.make_table(_ROWS, 0.25, seed=3)
        self.assertEqual((table.train.shape, table.test.shape), ((30, 3), (10, 3)))
        self.assertEqual((table.train.dtype, table.test.dtype), (np.float32, np.float32))
        np.testing.assert_allclose(table.train.mean(axis=0), 0.0, atol=1e-6)
        np.testing.assert_allclose(table.train.std(axis=0), 1.0, rtol=1e-6)
        self.assertGreater(np.abs(table.test.mean(axis=0)).max(), 1e-2)

    def test_every_row_is_in_one_of_the_two_parts(self):
        table = tables.make_table(_ROWS, 0.3, seed=3)
        back = table.columns.restore(np.concatenate([table.train, table.test]))
        order = np.argsort(back[:, 0])
        np.testing.assert_allclose(back[order], _ROWS[np.argsort(_ROWS[:, 0])], rtol=1e-5, atol=1e-4)

    def test_the_seed_decides_the_split(self):
        first, again, other = (tables.make_table(_ROWS, 0.25, seed) for seed in (0, 0, 1))
        for part in ("train", "test"):
            np.testing.assert_array_equal(getattr(first, part), getattr(again, part))
        self.assertFalse(np.allclose(first.columns.mean, other.columns.mean, rtol=1e-6))
        in_order = first.columns.standardise(_ROWS[:10])
        self.assertFalse(np.allclose(first.test, in_order, atol=1e-3))

    @parameterized.parameters((10, 0.1, 1), (10, 0.26, 3), (10, 0.8, 8), (3, 0.3, 1))
    def test_test_fraction_is_rounded_to_rows(self, num_rows, test_fraction, num_test):
        table = tables.make_table(_ROWS[:num_rows], test_fraction, seed=0)
        self.assertEqual((len(table.train), len(table.test)), (num_rows - num_test, num_test))

    def test_one_axis_is_a_single_column(self):
        self.assertEqual(tables.make_table(_ROWS[:, 0], 0.5, seed=0).train.shape, (20, 1))

    @parameterized.parameters(0.0, 1.0, -0.1, 1.5, math.nan)
    def test_test_fraction_is_between_zero_and_one(self, test_fraction):
        self.assert_fails(
            f"test_fraction must be between 0 and 1, both excluded, got {test_fraction}",
            *(tables.make_table, _ROWS, test_fraction, 0),
        )

    @parameterized.parameters((1, 0.5), (2, 0.5), (3, 0.1), (3, 0.6), (40, 0.99))
    def test_too_few_rows_are_counted(self, num_rows, test_fraction):
        self.assert_fails(
            f"^{num_rows} rows with test_fraction={test_fraction} leave .* at least 2 and 1 are needed",
            *(tables.make_table, _ROWS[:num_rows], test_fraction, 0),
        )

    @parameterized.parameters(0.0, 0.1, 1e9 / 3)
    def test_a_constant_column_is_named(self, value):
        rows = _ROWS.copy()
        rows[:, 1] = value
        self.assert_fails("'column 2': constant over the training rows", tables.make_table, rows, 0.25, 0)
        rows[:, 0] = value
        self.assert_fails("'a', 'b': constant", tables.make_table, rows, 0.25, 0, ("a", "b", "c"))

    @parameterized.parameters(1e307, 1e-200)
    def test_numbers_that_cannot_be_standardised_are_named(self, factor):
        rows = _ROWS * [1, factor, 1]
        self.assert_fails("'column 2': too large or too small", tables.make_table, rows, 0.25, 0)

    def test_a_column_that_varies_only_in_the_test_rows_is_constant(self):
        rows = np.stack([np.arange(20.0), np.zeros(20)], axis=1)
        numbers = tables.make_table(rows[:, 0], 0.25, seed=5)  # the same split of the numbers of the rows alone
        test_row = round(float(numbers.columns.restore(numbers.test)[0, 0]))
        rows[test_row, 1] = 1.0
        self.assert_fails("'column 2': constant over the training rows", tables.make_table, rows, 0.25, 5)

    @parameterized.parameters(
        ("the table has NaN or infinite numbers in 2 rows, the first at row index 1", [[1], [math.inf], [math.nan]]),
        ("the table must have shape", np.zeros((2, 2, 2))),
        ("the table is empty", np.zeros((0, 2))),
        ("the table must hold real numbers, not object", np.array([[None, 1.0]])),
    )
    def test_wrong_rows_are_named(self, message, rows):
        self.assert_fails(message, tables.make_table, rows, 0.5, 0)


class ExampleRowsTest(TableTestCase):
    @parameterized.parameters(
        ("iris", (150, 4)), ("wine", (178, 13)), ("breast_cancer", (569, 30)), ("diabetes", (442, 10))
    )
    def test_are_the_features_and_make_a_table(self, name, shape):
        self.assertIn(name, tables.EXAMPLES)
        rows = tables.example_rows(name)
        self.assertEqual((rows.shape, rows.dtype), (shape, np.float64))
        table = tables.make_table(rows, 0.1, seed=0)
        self.assertEqual(len(table.train) + len(table.test), shape[0])

    def test_unknown_name_lists_the_names(self):
        self.assert_fails("'irsi'.*iris, wine, breast_cancer, diabetes", tables.example_rows, "irsi")
