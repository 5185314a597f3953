"""Tests of `hgn_jax.training.hosts` with a single process; `parallel_test.py` has those with two."""

import time

import jax
import numpy as np
import pytest

from hgn_jax.training import hosts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("127.0.0.1:1", 2, None), "belong together"),
        ((None, 2, 0), "belong together"),
        ((None, 2, None), "num_processes=1 to train alone"),
        (("127.0.0.1", 2, 0), "coordinator must be HOST:PORT"),
        (("127.0.0.1:http", 2, 0), "coordinator must be HOST:PORT"),
        (("127.0.0.1:1", 2, 2), "process_id must lie between 0"),
        (("127.0.0.1:1", 0, 0), "process_id must lie between 0"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        hosts.start(*arguments)


@pytest.mark.parametrize("launcher", hosts._LAUNCHERS, ids=lambda launcher: launcher.name)
def test_an_environment_that_says_only_part_is_refused_at_once(launcher, monkeypatch):
    for name in (each for other in hosts._LAUNCHERS for each in (other.count, *other.others)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(launcher.count, "4")
    for number in range(len(launcher.others)):
        missing = ", ".join(launcher.others[number:])
        with pytest.raises(ValueError, match=f"4 processes .* lacks {missing}; start them with {launcher.command}, or"):
            hosts.start()
        hosts.start(num_processes=1)
        monkeypatch.setenv(launcher.others[number], "1")
    hosts.start(num_processes=1)


def test_a_process_that_waits_for_others_says_so(monkeypatch, capsys):
    monkeypatch.setattr(hosts, "_PATIENCE", 0.0)
    monkeypatch.setattr(jax.distributed, "initialize", lambda *_, **__: time.sleep(0.5))
    hosts.start("127.0.0.1:1", 2, 0)
    line = "waiting for 2 processes at 127.0.0.1:1; to train alone: --num_processes=1\n"
    assert capsys.readouterr().err == line


def test_a_single_process_does_all_of_the_work():
    hosts.start()
    assert hosts.is_main()
    assert hosts.local_slice(6) == slice(0, 6)
    assert hosts.main_first(lambda: 3) == 3
    tree = {"x": np.arange(3)}
    assert hosts.broadcast_from_main(tree) is tree
    with pytest.raises(KeyError, match="missing"), hosts.fail_together():
        raise KeyError("missing")
