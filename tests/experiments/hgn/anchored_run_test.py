"""The tiny runs of the anchored HGN: what `tasks_test.py` does not say of every task."""

import chex
import pytest

from experiments.run import trainer
from experiments.run.run_directory import RunDirectory
from experiments.tasks import TASKS


class _InterruptedTask(type(TASKS["hgn"])):
    """HGN with data that cannot be read from the last step on."""

    def batches(self, config, data):
        batches = super().batches(config, data)

        def batch_at(step):
            if step == config.training.num_steps - 1:
                raise InterruptedError
            return batches.batch_at(step)

        return batches._replace(batch_at=batch_at)


def _train(task, config, directory):
    with trainer.claim(task, config, str(directory)) as (run_directory, config, data):
        return trainer.train(task, run_directory, config, data)


@pytest.mark.slow
def test_an_interrupted_run_ends_bit_identical_to_one_that_was_not(tiny_runs, tmp_path):
    whole = tiny_runs("hgn anchored")
    with pytest.raises(InterruptedError):
        _train(_InterruptedTask(), whole.config, tmp_path)
    assert int(trainer.restore(RunDirectory(tmp_path))[1].state.step) == whole.config.training.checkpoint_every
    resumed = _train(whole.task, whole.config, tmp_path)
    chex.assert_trees_all_equal(resumed.state, whole.run.state)
    assert (tmp_path / "metrics.csv").read_bytes() == (whole.directory.path / "metrics.csv").read_bytes()


@pytest.mark.slow
def test_measures_beyond_the_clip(tiny_runs):
    beyond = tiny_runs("hgn anchored").results.beyond_the_clip
    assert beyond.skill is not None and beyond.reencoding_error > 0 and beyond.kl_nats > 0
    assert set(beyond.skill_forward) == set(beyond.skill_backward)
    assert (beyond.law is None) == ("law" in beyond.not_measured)
