"""Tests of `hgn_jax.training.hosts` with a single process; `parallel_test.py` has those with two."""

import numpy as np
import pytest

from hgn_jax.training import hosts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("127.0.0.1:1", 2, None), "belong together"),
        ((None, 2, 0), "belong together"),
        (("127.0.0.1", 2, 0), "coordinator must be HOST:PORT"),
        (("127.0.0.1:http", 2, 0), "coordinator must be HOST:PORT"),
        (("127.0.0.1:1", 2, 2), "process_id must lie between 0"),
        (("127.0.0.1:1", 0, 0), "process_id must lie between 0"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        hosts.start(*arguments)


def test_a_single_process_does_all_of_the_work():
    hosts.start()
    assert hosts.is_main()
    assert hosts.local_slice(6) == slice(0, 6)
    assert hosts.main_first(lambda: 3) == 3
    tree = {"x": np.arange(3)}
    assert hosts.broadcast_from_main(tree) is tree
    with pytest.raises(KeyError, match="missing"), hosts.fail_together():
        raise KeyError("missing")
