"""Tests of `experiments.hgn.law_report`."""

import pytest

from experiments.clips.results import Law, PairLaw
from experiments.hgn import law_report


def made_up(**fields):
    nothing = dict.fromkeys(("exponent", "flatness", "mass_ratio", "constant", "true_constant"))
    return Law(**{**nothing, **fields})


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"system": "two_body", "exponent": -1.984, "mass_ratio": 1.001, "constant": 1.012, "true_constant": 1.0},
            "two-body: the learned force falls as r^-1.98 (true -2), masses equal within 0.1 %, G·m = 1.01 (true 1)",
        ),
        (
            {"system": "mass_spring", "r_squared": 0.99991, "constant": 2.001, "true_constant": 2.0},
            "mass-spring: the learned force is a straight line in the displacement, R² = 0.99991; ω = 2.001 (true 2)",
        ),
        (
            {
                "system": "double_pendulum", "r_squared": 0.9995, "constant": 2.9954, "true_constant": 3.0,
                "inertia": [2.0138, 0.9979], "true_inertia": [2.0, 1.0],
            },
            "double-pendulum: the learned inertia is 2.014 : 0.998 : 1 (true 2 : 1 : 1), g / l = 2.995 (true 3)",
        ),
        (
            {
                "system": "pendulum", "r_squared": 0.9995, "constant": 2.44, "true_constant": 2.4495, "friction": 0.051,
                "true_friction": 0.05,
            },
            "pendulum: the learned potential is a straight line in 1 - cos(angle), R² = 0.99950; small swings have "
            "ω = 2.44 (true 2.45); momenta decay at a rate of 0.051 (true 0.05)",
        ),
    ],
)  # fmt: skip
def test_the_law_in_a_sentence(fields, text):
    assert law_report.sentence(made_up(**fields)) == text


def test_the_table_has_a_column_for_each_pair_of_bodies():
    pairs = {
        name: PairLaw(exponent=exponent, flatness=0.01, mass_ratio=1.002, constant=1.01)
        for name, exponent in (("1-2", -1.98), ("1-3", -2.04), ("2-3", -2.0))
    }
    law = made_up(system="three_body", exponent=-2.04, true_constant=1.0, pairs=pairs, friction=0.1, true_friction=0.0)
    table = law_report.law_table(law)
    assert table.columns == ("bodies 1-2", "bodies 1-3", "bodies 2-3", "true")
    assert table.rows[0] == ("exponent", "-1.980", "-2.040", "-2.000", "-2")
    assert all(len(row) == 5 for row in table.rows)


def test_the_table_of_one_coordinate():
    law = made_up(system="pendulum", r_squared=0.99991, constant=2.44, true_constant=2.4495)
    assert law_report.law_table(law).rows == [("R²", "0.99991", "1"), ("ω", "2.4400", "2.4495")]
