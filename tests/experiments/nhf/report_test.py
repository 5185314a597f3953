"""Tests of the words and numbers of `experiments.nhf.report`; `page_test.py` opens its page in a browser."""

from experiments.nhf import report
from experiments.nhf.results import Estimate, FlowResults, Likelihood, MapErrors, Minima
from tests.experiments.made_up_results import RUN


def _estimate(mean):
    return Estimate(mean=mean, standard_error=0.1)


def _results(minima=None, **test):
    errors = MapErrors(inverse=1e-7, volume=2e-9)
    bounds = {"1": _estimate(-3.0), "8": _estimate(-2.9)}
    estimates = {name: _estimate(mean) for name, mean in {"elbo": -3.0, **test}.items()}
    likelihood = Likelihood(num_points=50, log_prob=bounds, **estimates)
    return FlowResults(test=likelihood, map={"float32": errors, "float64": errors}, minima=minima, run=RUN)


def test_a_known_density():
    results = _results(exact_log_prob=-2.8, kl=0.1, gaussian_kl=1.5)
    likelihood, exactness = report.tables(results)
    assert ("KL(target || model), from the largest K", "0.1000 ± 0.1000") in likelihood.rows
    assert "own log-density" in likelihood.meaning
    assert ("| |det J| - 1 |, float64", "2.0e-09") in exactness.rows
    assert "is 0.1 nats from its target; a Gaussian is 1.5 from it" in report.describe(results)


def test_a_table_of_data():
    results = _results(gaussian_log_prob=-3.5)
    likelihood, _ = report.tables(results)
    assert ("Gaussian fit", "-3.5000 ± 0.1000") in likelihood.rows
    assert "own log-density" not in likelihood.meaning
    assert "gives the test points -2.9 nats on average; a fitted Gaussian gives them -3.5" in report.describe(results)


def test_minima_of_the_potential():
    results = _results(Minima(positions=[], near=0.6, fraction_of_modes=0.75), gaussian_log_prob=-3.5)
    assert report.tables(results)[-1].rows == [("modes with a minimum of V within 0.6", "75%")]
