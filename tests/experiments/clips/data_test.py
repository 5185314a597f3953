"""Runs of HGN on other data than simulated clips of equal length, and on data that are damaged."""

import dataclasses
import shutil

import imageio.v3 as imageio
import numpy as np
import pytest

from experiments.clips.data import open_clips
from experiments.run import trainer
from experiments.run.command_line import UserError
from experiments.run.presets import pick
from experiments.run.run_directory import RunDirectory
from experiments.tasks import TASKS
from tests.experiments.tiny_runs import NUM_FRAMES, execute_quickly, shrink


def _rolling_ball(phase, num_frames=40):
    """A white disc on grey that swings from side to side: `[frames, 24, 32, 3]`."""
    y, x = np.mgrid[:24, :32]
    centres = 16 + 10 * np.cos(0.3 * np.arange(num_frames) + phase)
    inside = (y - 12) ** 2 + (x - centres[:, None, None]) ** 2 < 16
    return np.where(inside[..., None], 230, 80).astype(np.uint8).repeat(3, axis=-1)


@pytest.fixture
def video_config(tmp_path):
    source = tmp_path / "videos"
    source.mkdir()
    for number in range(4):
        np.savez(source / f"{number}.npz", clips=np.stack([_rolling_ball(number), _rolling_ball(number + 0.5)]))
    imageio.imwrite(source / "ball.gif", _rolling_ball(1.5), duration=50, loop=0)
    imageio.imwrite(source / "ball.mp4", _rolling_ball(2.5), plugin="pyav", codec="libx264", fps=20)
    (source / "notes.txt").write_text("about the balls")
    config = shrink(pick(TASKS["hgn"].presets, "video"), tmp_path)
    config.data.source = str(source)
    config.seen_frames = None  # the clips are shorter than those of the preset
    return config


def test_too_few_windows_for_a_batch(video_config):
    video_config.training.batch_size = 64
    with pytest.raises(ValueError, match="batch_size is 64, but there are only .*; try .*--config.data.stride=4"):
        open_clips(TASKS["hgn"].resolve(video_config))


@pytest.mark.slow
def test_a_run_of_videos_says_what_it_cannot_measure_and_outlives_them(video_config, tmp_path, capsys):
    task, directory, source = TASKS["hgn"], RunDirectory(tmp_path / "run"), tmp_path / "videos"
    results = execute_quickly(task, video_config, directory.path)
    for errors in (results.train, results.test):
        assert errors.reference.keys() == {"mean_image", "first_frame"}
        assert errors.skill is None
    assert results.not_measured.keys() == {"noise_floor", "skill", "SyMetric"}
    assert list(results.videos.left_out) == ["notes.txt"]
    page = (directory.report / "index.html").read_text()
    for text in ("noise floor", "skill", "needs the true states", "notes.txt", str(source)):
        assert text in page
    capsys.readouterr()
    task.print_summary(results)
    assert "not measured: noise floor, skill, SyMetric: needs the true states" in capsys.readouterr().out

    np.save(source / "new.npy", _rolling_ball(3.5))
    with pytest.raises(UserError, match="the data have changed .*fingerprint [0-9a-f]{16}, now [0-9a-f]{16}"):
        execute_quickly(task, video_config, directory.path)
    shutil.rmtree(source)
    task, run = trainer.restore(directory)
    assert dataclasses.replace(task.evaluate(run).results, run=results.run) == results


@pytest.mark.slow
def test_frames_beyond_the_training_clips_are_predicted(tmp_path):
    """The noise floor follows scenes whose place on the canvas differs."""
    config = shrink(pick(TASKS["hgn"].presets, "mass_spring_small"), tmp_path)
    config.data.fields = '{"num_test_steps": 20, "canvas_offset": 0.2}'
    results = execute_quickly(TASKS["hgn"], config, tmp_path / "run")
    assert results.frames_seen == len(results.train.mse_per_step) == NUM_FRAMES
    assert len(results.test.mse_per_step) == 21
    for errors in (results.train, results.test):
        assert errors.reference["noise_floor"].mse < 0.5 * errors.reference["mean_image"].mse


def test_a_truncated_data_set_is_refused_before_training(tiny_runs, tmp_path):
    config = tiny_runs("hgn").config
    shutil.copytree(config.data.data_dir, tmp_path / "data")
    for shard in (tmp_path / "data" / "mass_spring").rglob("*train*array_record*"):
        shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, data_dir=str(tmp_path / "data")))
    with pytest.raises(UserError, match="to repair"):
        execute_quickly(TASKS["hgn"], config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
