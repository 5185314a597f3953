"""Tests of `benchmarks.beside_torch`."""

import numpy as np
import pytest

from benchmarks import beside_torch
from benchmarks.beside_torch import Reached


def test_skill_is_one_for_the_films_and_zero_for_their_mean():
    films = np.random.default_rng(0).random((4, 3, 8, 8, 3))
    assert beside_torch.skill(films, films) == 1.0
    assert abs(beside_torch.skill(np.broadcast_to(films.mean(axis=(0, 1)), films.shape), films)) < 1e-12


def test_rows_compare_the_first_training_that_is_there():
    measured = [
        Reached("small", 100, 20.0, 0.5),
        Reached("small", 200, 40.0, 0.95),
        Reached("PyTorch, as the paper says", 40, 100.0, 0.2),
        Reached("PyTorch, as the paper says", 80, 200.0, 0.93),
    ]
    easy, hard = beside_torch.describe("mass_spring", measured)
    assert easy.ratio == 5.0 and easy.measured == "40 s, 200 steps, skill 0.950"
    assert hard.ratio is None and hard.measured == "not reached"
    assert hard.compared_with.endswith("200 s, 80 steps, skill 0.930; not there yet")


@pytest.mark.slow
def test_steps_without_and_with_torch():
    assert all(row.measured.endswith("GB") for row in beside_torch.rows(quick=True))


def test_torch_rolls_out_by_leapfrog():
    torch = pytest.importorskip("torch")
    from benchmarks import torch_hgn

    class Oscillator(torch.nn.Module):
        def forward(self, state):
            return 0.5 * (state**2).sum((1, 2, 3))

    model = torch_hgn.HGN(3)
    model.hamiltonian = Oscillator()
    model.eval()
    q, p = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    path = torch.stack(list(model._rollout(q, p, 50))).flatten().detach().numpy()
    assert np.max(np.abs(path - np.cos(0.125 * np.arange(51)))) < 0.01
