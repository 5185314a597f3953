"""Tests of `hgn_jax.data.table_columns`: the columns that are left out or spoken of, and those that are not."""

import re
import warnings

import numpy as np
import pytest

from hgn_jax.data import tables

_DRAW = np.random.default_rng(0)
_NORMAL = _DRAW.normal(size=(400, 2))
_X, _Y = _NORMAL.T

# A column beside two normal ones -> part of the reason for which it is left out.
_LEFT_OUT = {
    "constant": (np.full(400, 0.1), "constant"),
    "copied": (_X, "a copy of 'x', .* no bound"),
    "in other units": (_X * 1.8 + 32, "a copy in other units of 'x'"),
    "rounded like a copy": (np.float32(-3 * _X), "a copy in other units of 'x'"),
}
# A column beside two normal ones -> part of the warning.
_WARNED = {
    "of five grades": (_DRAW.integers(0, 5, 400), r"discrete column 'third' \(5 values\).* without bound"),
    "of labels": (_DRAW.integers(0, 2, 400), r"discrete column 'third' \(2 values\)"),
    "rounded": (np.round(_X * 8), r"discrete column 'third'"),
    "with many zeros": (np.maximum(_Y, 0), r"'third' \(0 in \d+ rows\) repeats one value"),
    "with a mark for missing cells": (np.where(_X > 1, -999, _Y), r"'third' \(-999 in \d+ rows\).* marks missing"),
    "that counts": (np.arange(400), "'third' counts the rows.* leave_out=third"),
    "that counts in another order": (_DRAW.permutation(400) + 1, "'third' counts the rows"),
    "of sums": (_X + 2 * _Y - 1, "columns 'x', 'y', 'third' determine each other"),
}
_FINE = {
    "normal": _DRAW.normal(size=400),
    "correlated": _X + 1e-3 * _DRAW.normal(size=400),
    "a function": _X**2,
    "far from zero": 1e9 + _DRAW.normal(size=400),
    "of large numbers": _DRAW.integers(0, 10**6, 400),
    "tiny": 1e-30 * _DRAW.exponential(size=400),
    "rounded a little": np.round(_DRAW.normal(size=400), 3),
}


def _rows(tmp_path, third, **options):
    values = np.stack([_X, _Y, third], axis=1).tolist()
    (tmp_path / "rows.csv").write_text("\n".join(["x,y,third", *(",".join(map(repr, row)) for row in values)]))
    return tables.read_table(tmp_path / "rows.csv", **options)


@pytest.mark.parametrize("kind", _LEFT_OUT)
def test_left_out(tmp_path, kind):
    third, reason = _LEFT_OUT[kind]
    rows = _rows(tmp_path, third)
    assert rows.names == ("x", "y") and not rows.warnings
    assert list(rows.left_out) == ["third"]
    assert re.search(reason, rows.left_out["third"])
    np.testing.assert_array_equal(rows.values, _NORMAL)


@pytest.mark.parametrize("kind", _WARNED)
def test_warned_of(tmp_path, kind):
    third, warning = _WARNED[kind]
    rows = _rows(tmp_path, third)
    assert rows.names == ("x", "y", "third") and not rows.left_out
    assert len(rows.warnings) == 1
    assert re.search(warning, rows.warnings[0])


@pytest.mark.parametrize("kind", _FINE)
def test_not_spoken_of(tmp_path, kind):
    rows = _rows(tmp_path, _FINE[kind])
    assert (rows.names, rows.left_out, rows.warnings) == (("x", "y", "third"), {}, ())


def test_many_columns_of_a_kind_take_one_line(tmp_path):
    np.save(tmp_path / "rows.npy", _DRAW.integers(0, 3, size=(800, 300)))
    rows = tables.read_table(tmp_path / "rows.npy")
    (line,) = rows.warnings
    assert "'column 1' (3 values)" in line and "295 more" in line and len(line) < 500


def test_fewer_rows_than_columns_are_spoken_of(tmp_path):
    np.save(tmp_path / "rows.npy", _DRAW.normal(size=(20, 30)))
    assert tables.read_table(tmp_path / "rows.npy").warnings == ("20 rows cannot determine a density of 30 columns",)


def test_copied_rows_are_counted(tmp_path):
    np.save(tmp_path / "rows.npy", np.concatenate([_NORMAL, _NORMAL[:7]]))
    assert re.search("^7 rows are a copy of another row", tables.read_table(tmp_path / "rows.npy").warnings[0])


def test_columns_that_are_asked_for_are_taken_whatever_they_hold(tmp_path):
    rows = _rows(tmp_path, _X, columns=("third", "x"))
    assert rows.names == ("third", "x") and rows.left_out == {"y": "not among the columns asked for"}
    assert re.search("determine each other", rows.warnings[0])


def test_an_array_comes_with_python_warnings(tmp_path):
    np.save(tmp_path / "rows.npy", np.stack([_X, np.full(400, 2.0)], axis=1))
    with pytest.warns(UserWarning, match="rows.npy: left out: column 2: constant"):
        assert tables.load_table(tmp_path / "rows.npy").shape == (400, 1)
    np.save(tmp_path / "rows.npy", _NORMAL)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tables.load_table(tmp_path / "rows.npy")


def test_the_fingerprint_is_of_names_and_numbers_only(tmp_path):
    def fingerprint(name, text):
        (tmp_path / name).write_text(text)
        return tables.fingerprint(tables.read_table(tmp_path / name))

    first = fingerprint("rows.csv", "x,y\n1.5,2\n3,4\n5,7\n")
    assert first == fingerprint("moved.txt", "x;y\r\n1,5;2,0\r\n3;4\r\n5;7\r\n")
    assert len({first, *(fingerprint("rows.csv", text) for text in (
        "x,y\n1.5,2\n3,4\n5,8\n", "x,z\n1.5,2\n3,4\n5,7\n", "x,y\n1.5,2\n3,4\n5,7\n5,7\n", "x,y\n3,4\n1.5,2\n5,7\n"
    ))}) == 5  # fmt: skip
