import pytest

from hgn_jax.whole_files import is_part, whole_file


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "numbers.json"
    with whole_file(path) as part:
        part.write_text("1")
        assert not path.exists() and is_part(part) and part.suffix == path.suffix
    assert path.read_text() == "1" and [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize("begun", [True, False])
def test_a_writing_that_fails_leaves_what_was_there(tmp_path, error, begun):
    path = tmp_path / "numbers.json"
    path.write_text("1")
    with pytest.raises(error), whole_file(path) as part:
        if begun:
            part.write_text("2")
        raise error
    assert path.read_text() == "1" and [each.name for each in tmp_path.iterdir()] == [path.name]
