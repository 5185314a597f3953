"""Tests of `experiments.run.results`."""

import dataclasses
import json

import pytest

from experiments.run.command_line import UserError
from experiments.run.results import Multiplier, Results, RunFacts, read_results, write_results

_FACTS = RunFacts(
    preset="line", steps=12, seed=0, device="1 x cpu", multiplier=Multiplier(last=2.0, saturated=None),
    versions={"jax": "0"}, wall_time_s={"training": 1.0}, cpu_time_s={"training": 2.0},
)  # fmt: skip


@dataclasses.dataclass(kw_only=True)
class _Part:
    values: list[float]


@dataclasses.dataclass(kw_only=True)
class _Results(Results):
    part: _Part
    by_name: dict[str, _Part]
    skill: float | None = None


_RESULTS = _Results(part=_Part(values=[1.0, 0.1]), by_name={"a": _Part(values=[])}, run=_FACTS)


def test_results_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "metrics.json"
    write_results(path, _RESULTS)
    assert read_results(path, _Results) == _RESULTS
    values = json.loads(path.read_text())
    assert values["version"] == 1 and values["part"] == {"values": [1.0, 0.1]}
    assert "skill" not in values  # a quantity that was not measured


def _without(name):
    return lambda values: {key: value for key, value in values.items() if key != name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without("version"), "metrics.json has version None, and this program reads 1"),
        (lambda values: values | {"version": 2}, "metrics.json has version 2, and this program reads 1"),
        (lambda values: [values], "metrics.json has version None"),
        (_without("part"), "metrics.json does not hold what it should .*part"),
        (lambda values: values | {"colour": 1}, "metrics.json does not hold what it should .*colour"),
        (lambda values: values | {"part": {"values": ["red"]}}, "metrics.json does not hold what it should"),
    ],
)
def test_other_contents_are_refused_in_one_line_that_names_the_remedy(tmp_path, change, message):
    path = tmp_path / "metrics.json"
    write_results(path, _RESULTS)
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    _assert_refused(path, message)


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "metrics.json"
    write_results(path, _RESULTS)
    path.write_text(path.read_text()[:-9])
    _assert_refused(path, "metrics.json is damaged")


def test_an_unfinished_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="is not finished: there is no metrics.json"):
        read_results(tmp_path / "metrics.json", _Results)


def _assert_refused(path, message):
    with pytest.raises(UserError, match=message) as caught:
        read_results(path, _Results)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(f"measure again: python -m experiments.evaluate --workdir={path.parent}")
