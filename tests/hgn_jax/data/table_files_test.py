"""Tests that a table comes back whatever program wrote it, and that a broken one is refused in one line."""

import itertools
import re

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from hgn_jax.data import tables

_ROWS = np.random.default_rng(0).normal(loc=[5.0, -3.0, 1e4], scale=[2.0, 0.01, 3000.0], size=(12, 3))
_INDEX = range(12)


def _read(tmp_path, content, name="rows.csv", encoding="utf-8", **options):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return tables.read_table(path, **options)


def _assert_rows(rows, names=None, values=_ROWS):
    np.testing.assert_array_equal(rows.values, values)
    if names is not None:
        assert rows.names == tuple(names)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_every_separator_encoding_header_decimal_mark_and_end_of_line(tmp_path, separator, encoding):
    headers = {"words": ("Länge", "b", "x.2"), "years": ("2021", "2022", "2023"), "none": None}
    for header, decimal, end in itertools.product(headers, ".,", ("\n", "\r\n")):
        lines = [separator.join(repr(cell).replace(".", decimal) for cell in row) for row in _ROWS.tolist()]
        lines = ([separator.join(headers[header])] if headers[header] else []) + lines
        if decimal == separator:
            continue
        rows = _read(tmp_path, end.join(lines) + end, encoding=encoding)
        _assert_rows(rows, headers[header] or ("column 1", "column 2", "column 3"))
        assert ("no header" in rows.layout) == (header == "none")
        assert ("decimal" in rows.layout) == (decimal == ",")


@pytest.mark.parametrize("header", [["a", "b", "c"], ["2021", "2022", "2023"], True])
@pytest.mark.parametrize("index", [range(12), range(5, 17), np.arange(12)[::-1] * 2, list("abcdefghijkl"), None])
def test_what_pandas_writes(tmp_path, header, index):
    frame = pd.DataFrame(_ROWS, index=index, columns=None if header is True else header)
    rows = _read(tmp_path, frame.to_csv(index=index is not None))
    _assert_rows(rows, ("0", "1", "2") if header is True else header)
    assert list(rows.left_out) == (["column 1"] if index is not None else [])


@pytest.mark.parametrize("options", [{}, {"delimiter": ","}, {"header": "a b c"}, {"header": "a b c", "comments": ""}])
def test_what_numpy_writes(tmp_path, options):
    np.savetxt(tmp_path / "rows.txt", _ROWS, fmt="%.17g", **options)
    _assert_rows(tables.read_table(tmp_path / "rows.txt"), "abc" if "header" in options else None)


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
def test_what_r_writes(tmp_path, separator):
    lines = [separator.join(['"a"', '"b"', '"c"'])]
    lines += [separator.join([f'"{i}"', *map(repr, row)]) for i, row in enumerate(_ROWS.tolist(), start=1)]
    _assert_rows(_read(tmp_path, "\n".join(lines)), "abc")


def test_what_spreadsheets_write(tmp_path):
    lines = ["sep=;", "a;b;c", *(";".join(map(repr, row)).replace(".", ",") for row in _ROWS.tolist()), ";;"]
    _assert_rows(_read(tmp_path, "\r\n".join(lines), encoding="cp1252"), "abc")


@pytest.mark.parametrize(
    ("decimal", "thousands"),
    [(".", ","), (",", "."), (".", " "), (",", " "), (",", "\u202f"), (".", "'"), (".", "\u2019"), (".", "_")],
)
def test_marks_between_thousands(tmp_path, decimal, thousands):
    values = np.array([[1234567.25, 0.5], [-2345.5, 1e3], [12.0, 3.5]])

    def write(value):
        return f"{value:,.2f}".replace(",", "T").replace(".", decimal).replace("T", thousands)

    lines = ['"x","y"', *(",".join(f'"{write(cell)}"' for cell in row) for row in values)]
    rows = _read(tmp_path, "\n".join(lines))
    _assert_rows(rows, "xy", values)
    assert "between thousands" in rows.layout


def test_one_mark_may_be_either_and_is_asked_for(tmp_path):
    text = 'x,y\n"1,234",1\n"5,678",3\n'
    with pytest.raises(ValueError, match="'1,234' may be 1.234 or 1234: .* decimal=',' or decimal='.'"):
        _read(tmp_path, text)
    _assert_rows(_read(tmp_path, text, decimal="."), values=[[1234, 1], [5678, 3]])
    _assert_rows(_read(tmp_path, text.replace(",1\n", ";1\n").replace(",3", ";3").replace("x,", "x;"), decimal=","),
                 values=[[1.234, 1], [5.678, 3]])  # fmt: skip


@pytest.mark.parametrize("cells", [("2_1", "3_2"), ("1,23,4", "1,23,5"), ("12 kg", "3 kg"), ("5%", "6%")])
def test_what_is_no_number_is_not_read_as_one(tmp_path, cells):
    lines = ["x,y", *(f'"{cell}",{i}' for i, cell in enumerate(cells))]
    rows = _read(tmp_path, "\n".join(lines))
    assert (rows.names, rows.left_out) == (("y",), {"x": "text"})
    with pytest.raises(ValueError, match="must be numbers, .* or leave columns out: leave_out=x"):
        _read(tmp_path, "\n".join([*lines, "7,9"]))


@pytest.mark.parametrize("missing", ["", "NA", "NaN", "nan", "NULL", "?", "-", "N/A"])
def test_rows_with_missing_cells_are_left_out_and_counted(tmp_path, missing):
    cells = [list(map(repr, row)) for row in _ROWS.tolist()]
    cells[0][2] = cells[4][0] = cells[4][1] = missing
    rows = _read(tmp_path, "\n".join(["a,b,c", *map(",".join, cells)]))
    _assert_rows(rows, "abc", np.delete(_ROWS, [0, 4], axis=0))
    assert rows.numbers.tolist() == [1, 2, 3, *range(5, 12)] and rows.num_read == 12
    assert re.search("2 of 12 rows are left out.*'a', 'b', 'c'; the density is that of the complete", rows.warnings[0])


@pytest.mark.parametrize("first", ["2020,2021,2022", "400,500,600", "0,1,2"])
def test_a_first_line_of_numbers_that_may_be_a_header_is_asked_for(tmp_path, first):
    values = np.random.default_rng(1).integers(3, 99, size=(20, 3))
    text = "\n".join([first, *(",".join(map(str, row)) for row in values)])
    with pytest.raises(ValueError, match=f"{first.replace(',', ', ')}', may be a header .* header=yes or header=no"):
        _read(tmp_path, text)
    _assert_rows(_read(tmp_path, text, header="yes"), first.split(","), values)
    assert len(_read(tmp_path, text, header="no").values) == 21


@pytest.mark.parametrize("first", ["1,2", "0,1", "0.5,3"])
def test_a_first_row_like_the_others_is_data(tmp_path, first):
    text = "\n".join([first, "2,3", "0,1", "0.1,7", "3,0"])
    assert len(_read(tmp_path, text).values) == 5


def test_names_are_unique_and_chosen_by(tmp_path):
    text = "\n".join(["a,a,,b", *(",".join(map(repr, [*row, 7.0])) for row in _ROWS.tolist())])
    rows = _read(tmp_path, text)
    assert (rows.names, list(rows.left_out)) == (("a", "a.1", "column 3"), ["b"])
    _assert_rows(_read(tmp_path, text, columns=("column 3", "a")), ("column 3", "a"), _ROWS[:, [2, 0]])
    _assert_rows(_read(tmp_path, text, leave_out=("a",)), ("a.1", "column 3"), _ROWS[:, 1:])
    with pytest.raises(ValueError, match="no column 'z', 'y'; the columns are 'a', 'a.1', 'column 3', 'b'"):
        _read(tmp_path, text, columns=("z", "a", "y"))


_CELLS = st.sampled_from(
    ["1", "2.5", "x", "", "NA", '"', "1,5", ";", "\t", "-inf", "1e999", "\x00", "\ufeff", "é", "#"]
)


@hypothesis.settings(max_examples=40, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(
    content=st.one_of(
        st.binary(max_size=60),
        st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.lists(st.lists(_CELLS, max_size=4).map(",".join), max_size=6).map(lambda lines: "\n".join(lines).encode()),
    ),
    name=st.sampled_from(["rows.csv", "rows.txt", "rows.npy"]),
)
def test_a_broken_file_is_refused_in_one_line_or_gives_finite_rows(tmp_path, content, name):
    try:
        rows = _read(tmp_path, content, name)
    except ValueError as error:
        assert str(error).startswith("cannot read ") and len(str(error).splitlines()) == 1
    else:
        assert rows.values.size and np.isfinite(rows.values).all()
        assert rows.values.shape[1] == len(rows.names) == len(set(rows.names))
        assert set(rows.names).isdisjoint(rows.left_out)
