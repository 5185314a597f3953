"""Tests of the verdict on a run with one's own films."""

import math

import pytest

from experiments.clips.results import BeyondTheClip, Errors, Videos
from experiments.clips.verdict import print_verdict, verdict
from tests.experiments import made_up_results

_VIDEOS = Videos(source="/films", fingerprint="0", train_windows=7, test_windows=3)
_MEAN_IMAGE = 8e-4


def _errors(mse, mean_image=_MEAN_IMAGE, changes=(0.0, 4e-4, 8e-4, 12e-4, 16e-4)):
    """Errors of a model beside a mean image; `changes` are those of the first frame held still."""
    return made_up_results.split_errors(
        mse=mse, skill=None,
        reference={
            "mean_image": Errors(mse=mean_image, mse_std=0.0, mse_per_step=[mean_image] * 5),
            "first_frame": Errors(mse=sum(changes) / 5, mse_std=0.0, mse_per_step=list(changes)),
        },
    )  # fmt: skip


def _beyond(horizon, num_steps, num_clips=12):
    return BeyondTheClip(
        skill=0.8, skill_forward={}, skill_backward={}, vpt=[None, None], horizon=horizon, horizon_threshold=0.5,
        clock_share=None, reencoding_error=None, kl_nats=None, true_dimensions=None, samples=None, period_error=None,
        energy_rank_correlation=None, symetric=None, law=None, num_clips=num_clips, left_out=0, num_steps=num_steps,
        not_measured={},
    )  # fmt: skip


def _verdict(test, train=None, beyond=None, videos=_VIDEOS, **more):
    results = {"test": test, "train": train or test, "beyond_the_clip": beyond, "videos": videos}
    return verdict(made_up_results.results(**results, **more))


@pytest.mark.parametrize("mse", [0.96 * _MEAN_IMAGE, _MEAN_IMAGE, 3 * _MEAN_IMAGE, math.nan, math.inf])
def test_a_model_that_does_not_beat_a_still_image_is_called_that_first(mse):
    first, second, *_, advice = _verdict(_errors(mse))
    assert first.startswith("The model is no better than a still image: on the held-out films its squared error is ")
    assert first.endswith(f"{mse / _MEAN_IMAGE:.2g} times that of the mean image.")
    assert second.startswith(f"Its skill against the mean image is {1 - mse / _MEAN_IMAGE:.2f},")
    assert advice.startswith("What to try: ") and "--config.state_channels" in advice


def test_a_held_first_frame_is_a_still_image_too():
    slow = (0.0, 1e-5, 2e-5, 3e-5, 4e-5)
    first, *_, advice = _verdict(_errors(4e-5, changes=slow))
    assert "no better than a still image" in first and "2 times that of the first frame held" in first
    assert "--config.data.frame_step or --config.data.num_steps, since little moves" in advice


@pytest.mark.parametrize("skill, part", [(0.2, "little"), (0.7, "much"), (0.95, "nearly all")])
def test_the_skill_in_words(skill, part):
    first, *rest = _verdict(_errors((1 - skill) * _MEAN_IMAGE))
    assert first == (
        f"The model has learned {part} of the motion: on the held-out films its skill against the mean image is "
        f"{skill:.2f}, where 1 is perfect and 0 a still image."
    )
    assert ("What to try" in rest[-1]) == (skill < 0.5)


def test_how_far_it_holds():
    *_, last = _verdict(_errors(1e-4), beyond=_beyond([29.0, 25.5], [30, 29]))
    assert last.startswith("Beyond the window it holds for 29 of 30 frames forwards and 25.5 of 29 backwards (median ")
    assert "below 50% of the mean image's" in last
    for beyond in (None, _beyond([0.0, 0.0], [0, 0])):
        assert "beyond a window of 5 frames is not known" in _verdict(_errors(1e-4), beyond=beyond)[-1]
    _, unknown, advice = _verdict(_errors(1e-4), beyond=_beyond([None, 3.0], [30, 29]))
    assert "is not known: its predictions are not finite" in unknown and advice.startswith("What to try")
    *_, advice = _verdict(_errors(1e-4), beyond=_beyond([29.0, 3.0], [30, 29]))
    assert advice.startswith("What to try")


def test_what_to_try_follows_from_the_numbers():
    advice = _verdict(_errors(_MEAN_IMAGE))[-1]
    for field in ("training.num_steps", "data.fit=motion", "latent"):
        assert f"--config.{field}" in advice
    assert "frame_step" not in advice and "stride" not in advice
    fast = _verdict(_errors(_MEAN_IMAGE, changes=(0.0, *[16e-4] * 4)))[-1]
    assert "a smaller --config.data.frame_step" in fast
    by_heart = _verdict(_errors(_MEAN_IMAGE), train=_errors(1e-4))[-1]
    assert "a smaller --config.data.stride" in by_heart
    used_up = Videos(**{**vars(_VIDEOS), "frame_step": 1, "stride": 1})  # neither can be smaller
    all_wrong = _errors(_MEAN_IMAGE, changes=(0.0, *[16e-4] * 4))
    nothing_smaller = _verdict(all_wrong, train=_errors(1e-4), videos=used_up)[-1]
    assert "filmed faster" in nothing_smaller and "more films, since" in nothing_smaller
    assert "frame_step" not in nothing_smaller and "stride" not in nothing_smaller
    cropped = Videos(**{**vars(_VIDEOS), "crop": {"left": 0.1, "top": 0.1, "right": 0.9, "bottom": 0.9}})
    assert "fit=motion" not in _verdict(_errors(_MEAN_IMAGE), videos=cropped)[-1]
    assert "latent" not in _verdict(_errors(_MEAN_IMAGE), model="pixel")[-1]


def test_nothing_moves():
    assert _verdict(_errors(1e-4, mean_image=0.0, changes=[0.0] * 5)) == [
        "Nothing moves in the held-out films, so there was nothing to learn."
    ]


def test_simulated_data_have_no_verdict(capsys):
    assert verdict(made_up_results.results()) == []
    print_verdict(made_up_results.results())
    assert capsys.readouterr().out == ""
    print_verdict(made_up_results.results(test=_errors(_MEAN_IMAGE), videos=_VIDEOS))
    assert capsys.readouterr().out.startswith("\nThe model is no better than a still image")
