"""Tests of `benchmarks.growth`."""

import json

import pytest

from benchmarks import growth
from benchmarks.growth import Point
from experiments.hgn import presets


def test_the_power_of_the_size_is_found():
    points = [Point("frames", size, 0.5 * size**1.5, size**0.5) for size in (8, 16, 64)]
    assert growth.exponent(points, lambda point: point.seconds) == pytest.approx(1.5)
    assert growth.exponent(points, lambda point: point.gigabytes) == pytest.approx(0.5)
    (row,) = growth.describe(points)
    assert row.measured == "time ~ size^1.50, memory ~ size^0.50"


def test_costs_are_written_with_what_they_were_measured_with(tmp_path):
    points = [Point("frames", size, 0.5, 0.25) for size in (8, 16)]
    growth.write(points, tmp_path / "growth.json")
    content = json.loads((tmp_path / "growth.json").read_text())
    assert [Point(**cost) for cost in content["costs"]] == points
    assert "jax" in content["versions"][0]


@pytest.mark.parametrize("kind", [kind for kind in growth.KINDS if not kind.startswith("steps")])
def test_every_size_is_a_valid_configuration(kind, monkeypatch):
    configurations = []
    monkeypatch.setattr(growth, "training_step", lambda config, repeats: configurations.append(config))
    sizes, measure = growth.KINDS[kind]
    for size in sizes:
        measure(size, 1)
    for config in configurations:
        presets.validate(config)
    assert len({str(config) for config in configurations}) == len(sizes)
