"""Tests of `experiments.nhf.report`'s words and numbers; `page_test.py` opens its page, `nhf_test.py` runs it whole."""

from absl.testing import absltest

from experiments.nhf import report as nhf_report
from tests.experiments.reporting.reported_runs import RUN


def _value(mean):
    return {"mean": mean, "standard_error": 0.1}


def _results(**test):
    errors = {"inverse": 1e-7, "volume": 2e-9}
    bounds = {"elbo": _value(-3.0), "log_prob": {"1": _value(-3.0), "8": _value(-2.9)}}
    return {
        "test": {"num_points": 50, **bounds, **test},
        "map": {"float32": errors, "float64": errors},
        "run": RUN,
    }


class NHFReportTest(absltest.TestCase):
    def test_of_a_known_density(self):
        results = _results(exact_log_prob=_value(-2.8), kl=_value(0.1), gaussian_kl=_value(1.5))
        likelihood, exactness = nhf_report._tables(results)
        self.assertEqual(likelihood.rows["KL(target || model), from the largest K"], ("0.1000 ± 0.1000",))
        self.assertIn("own log-density", likelihood.meaning)
        self.assertEqual(exactness.rows["| |det J| - 1 |, float64"], ("2.0e-09",))
        self.assertIn("is 0.1 nats from its target; a Gaussian is 1.5 nats", nhf_report._describe(results))

    def test_of_a_table(self):
        results = _results(gaussian_log_prob=_value(-3.5))
        likelihood, _ = nhf_report._tables(results)
        self.assertEqual(likelihood.rows["Gaussian fit"], ("-3.5000 ± 0.1000",))
        self.assertNotIn("own log-density", likelihood.meaning)
        self.assertIn("gives a test point -2.9 nats; a fitted Gaussian gives it -3.5", nhf_report._describe(results))

    def test_minima_of_the_potential(self):
        results = _results(gaussian_log_prob=_value(-3.5)) | {"minima": {"near": 0.6, "fraction_of_modes": 0.75}}
        self.assertEqual(nhf_report._tables(results)[-1].rows, {"modes with a minimum of V within 0.6": ("75%",)})


if __name__ == "__main__":
    absltest.main()
