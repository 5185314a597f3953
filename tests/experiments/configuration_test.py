"""Any preset with any overrides either makes a model that can be trained, or is refused in one line.

The command line is tried as a user types it, in the test's own process. That a step can be made is asked of JAX's
shape evaluation, which runs all of the program but the arithmetic, and for a few of them of the arithmetic itself.
"""

import contextlib
import dataclasses
import functools
import io
import itertools
import sys
import types
import typing
import unittest.mock

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl import flags
from absl.testing import absltest, parameterized
from hypothesis import strategies

from experiments.hgn import presets
from experiments.hnn import presets as hnn_presets
from experiments.hnn.data import STATE_FEATURES
from experiments.nhf import presets as nhf_presets
from experiments.run import command_line
from hgn_jax import make_hgn, make_hnn, make_nhf, training
from hgn_jax.training.geco import geco

_NUM_EXAMPLES = {"hgn": 1000, "hnn": 600, "nhf": 800}
_EVERY = 60  # valid configurations from one that is run to the next

# So small that it can be tried hundreds of times; all can be overridden in turn.
_TINY = {
    "hgn": (
        "--config.image_size=8", "--config.state_channels=2", "--config.encoder_filters=2,",
        "--config.transform_filters=2,", "--config.hamiltonian_filters=2,", "--config.decoder_filters=2,",
        "--config.data.num_steps=4", "--config.data.num_train=8", "--config.data.num_test=4", "--config.unroll=1",
        "--config.training.batch_size=2", "--config.loss_frames=2", "--config.initial_horizon=3",
    ),
    "hnn": (
        "--config.image_size=8", "--config.hidden_sizes=3,", "--config.encoder_sizes=3,", "--config.decoder_sizes=3,",
        "--config.encoder_filters=2,", "--config.decoder_filters=2,", "--config.latent_channels=2",
        "--config.data.num_steps=3", "--config.data.num_train=8", "--config.data.num_test=4",
        "--config.training.batch_size=2",
    ),
    "nhf": (
        "--config.hidden_sizes=3,", "--config.posterior_sizes=3,", "--config.num_links=2",
        "--config.training.batch_size=4",
    ),
}  # fmt: skip
_PROGRAMS = {"hgn": presets, "hnn": hnn_presets, "nhf": nhf_presets}

_VALUES = {
    int: ("-1", "0", "1", "2", "3", "4", "8", "16", "31", "100000", "1.5", "1e3", "many", ""),
    float: ("-1", "0", "1e-6", "0.3", "1", "2", "1e30", "nan", "inf", "-inf", "fast", ""),
    bool: ("true", "false", "1", "maybe", ""),
    str: tuple(
        "nonsense none 0 leapfrog euler rk4 yoshida4 joint authors elbo geco cosine separate merged shared flow normal "
        "tanh swish softplus sigmoid leaky_relu quadratic noise_free small paper pendulum three_body rings iris file "
        "state pixel convolutional vector mlp both bfloat16 tensorfloat32 full "
        .split(" ")
    ),
    tuple[int, ...]: ("2,", "2,3", "2,2,2", "0,", "-1,2", "()", "", "2", "a,b", "(1, 2)", "1.5,"),
}  # fmt: skip


def _fields(config, prefix="config"):
    """Every field that can be overridden, and the type of its values."""
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), f"{prefix}.{field.name}"
        if dataclasses.is_dataclass(value):
            yield from _fields(value, name)
        else:
            options = typing.get_args(field.type) if isinstance(field.type, types.UnionType) else (field.type,)
            yield name, options[0]


@functools.cache
def _overrides(program):
    """Hypothesis's choice of one override, as typed: of a field there is, now and then of one there is not."""
    fields = [
        *_fields(next(iter(_PROGRAMS[program].PRESETS.values()))),
        ("config.colour", str),
        ("config.training", int),
    ]
    choices = [
        strategies.sampled_from(_VALUES[kind]).map(lambda text, name=name: f"--{name}={text}") for name, kind in fields
    ]
    return strategies.one_of(*choices)


def _parse(program, arguments):
    """The configuration that a command line asks for, or the exit status and what was printed on stderr."""
    flag_values, module, stderr = flags.FlagValues(), _PROGRAMS[program], io.StringIO()
    argv = ["program", *arguments]
    try:
        # The overrides become flags by what is found in sys.argv.
        with contextlib.redirect_stderr(stderr), unittest.mock.patch.object(sys, "argv", argv):
            config = command_line.define_config(module.get, module.PRESETS, next(iter(module.PRESETS)), flag_values)
            command_line.parse_flags(argv, flag_values)
    except SystemExit as end:
        return None, (end.code, stderr.getvalue())
    return config.value, None


def _model(program, config):
    """Its `init` and `loss`, and a batch."""
    size = config.training.batch_size
    if program == "nhf":
        nhf = make_nhf(config)
        return lambda key, batch: nhf.init(key, batch["x"]), nhf.loss, {"x": np.ones((size, 2), np.float32)}
    model = make_hnn(config) if program == "hnn" else make_hgn(config)
    num_frames, side = presets.dataset_config(config).num_steps + 1, config.image_size
    batch = {"image": np.broadcast_to(np.uint8(100), (size, num_frames, side, side, 3))}
    if program == "hnn" and config.model == "state":
        batch = dict.fromkeys(STATE_FEATURES, np.ones((size, num_frames, config.state_size), np.float32))
    return model.init, model.loss, batch


def _step(program, config):
    """`key -> scalars` of the first step of a run, with everything it takes made inside, and its batch."""
    init, loss, batch = _model(program, config)
    optimizer = training.make_optimizer(config.optimizer, config.training.num_steps)
    multiplier = geco(config.geco)

    def step(key, batch):
        params = init(key, batch)
        state = multiplier.init()
        slots = jnp.arange(config.training.batch_size)
        objective = functools.partial(loss, progress=0.0, slots=slots)
        gradient, aux = jax.grad(objective, has_aux=True)(params, state.multiplier, key, batch)
        optimizer.update(gradient, optimizer.init(params), params)
        if "constraint" in aux:
            multiplier.update(state, aux["constraint"])
        return aux

    return step, batch


@pytest.mark.slow
class ConfigurationTest(parameterized.TestCase):
    @parameterized.parameters(*_PROGRAMS)
    def test_runs_or_is_refused_in_one_line(self, program):
        module, counter, seen = _PROGRAMS[program], itertools.count(1), {"refused": 0, "valid": 0}

        @hypothesis.settings(
            max_examples=_NUM_EXAMPLES[program], deadline=None, derandomize=True, database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )  # fmt: skip
        @hypothesis.given(
            strategies.sampled_from(sorted(module.PRESETS)), strategies.lists(_overrides(program), max_size=3)
        )
        def check(preset, overrides):
            arguments = [f"--config={preset}", *_TINY[program], *overrides]
            config, refused = _parse(program, arguments)
            if refused:
                code, text = refused
                self.assertEqual((code, text[:7], text.count("\n")), (2, "error: ", 1), (arguments, text))
                seen["refused"] += 1
                return
            try:
                module.validate(config, 1)
            except ValueError as error:
                self.assertNotIn("\n", str(error), arguments)
                self.assertNotEmpty(str(error))
                seen["refused"] += 1
                return
            seen["valid"] += 1
            sizes = [getattr(config, name, 1) for name in ("image_size", "num_links", "steps_per_link")]
            if max(config.training.batch_size, *sizes) > 100:  # more than a test can hold, or compile
                return
            hypothesis.note(str(arguments))
            step, batch = _step(program, config)
            shapes = jax.eval_shape(step, jax.random.PRNGKey(0), batch)
            self.assertTrue(all(x.shape == () for x in jax.tree.leaves(shapes)), arguments)
            if next(counter) % _EVERY == 0:
                jax.block_until_ready(jax.jit(step)(jax.random.PRNGKey(0), jax.tree.map(jnp.asarray, batch)))

        check()
        self.assertGreater(min(seen.values()), _NUM_EXAMPLES[program] / 10, seen)
        print(program, seen, next(counter))


if __name__ == "__main__":
    absltest.main()
