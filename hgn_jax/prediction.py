"""The future and the past of films, predicted by a trained model of frames."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from hgn_jax.data.frames import as_frames
from hgn_jax.models.hgn import HGN
from hgn_jax.models.hgn_config import inferred_frame, num_seen
from hgn_jax.models.hnn import HNN
from hgn_jax.physics.phase_space import PhaseState
from hgn_jax.training.model import Model, Params

_PAIR = 2  # frames that an HNN sees, and decodes
_COLOURS = 3


class Prediction(NamedTuple):
    """What a model makes of films.

    Attributes:
      state: Inferred states, `[clips, ...]`.
      first: Number, in the film, of the frame that the states belong to, from 0.
      seen: Numbers of the first frame that the model has seen, and of the one after the last.
      forward: Frames from that of the state onwards, `[clips, num_steps + 1, size, size, 3]` in [0, 1].
      backward: Frames from that of the state back in time, of the same shape.
      energy: Learned energy of the states, `[clips]`, up to a constant and in units of the model's own.
    """

    state: PhaseState
    first: int
    seen: tuple[int, int]
    forward: np.ndarray
    backward: np.ndarray
    energy: np.ndarray

    def around(self) -> tuple[int, np.ndarray]:
        """Returns the number of the earliest predicted frame, which may be negative, and all frames in their order."""
        frames = np.concatenate([self.backward[:, :0:-1], self.forward], axis=1)
        return self.first + 1 - self.backward.shape[1], frames


class _Access(NamedTuple):
    """How a kind of model is used: what it sees, the frame of its state, and its functions of the parameters."""

    num_seen: int
    frame: int
    infer: Callable[[Params, Any], PhaseState]
    decode: Callable[[Params, PhaseState], Any]


def _access_hgn(hgn: HGN, params: Params) -> _Access:
    infer, decode = jax.jit(hgn.infer_state), jax.jit(hgn.decode)
    number = num_seen(hgn.config) or params["encoder"]["convolution_0"]["w"].shape[2] // _COLOURS  # all of a clip's
    return _Access(number, inferred_frame(hgn.config), infer, lambda params, path: decode(params, path.q))


def _access_hnn(hnn: HNN) -> _Access:
    encode, decode = jax.jit(hnn.encode), jax.jit(hnn.decode)
    infer = lambda params, frames: jax.tree.map(lambda x: x[:, 0], encode(params, frames))
    return _Access(_PAIR, 0, infer, lambda params, path: decode(params, path)[..., 0, :, :, :])


def predict(model: Model, params: Params, frames: Any, num_steps: int = 60, first_seen: int | None = 0) -> Prediction:
    """Infers the states of films and rolls them out in both directions of time.

    Args:
      model: An HGN, or an HNN of frames.
      params: Its parameters.
      frames: Films as `hgn_jax.data.as_frames` takes them, of the model's size and rate.
      num_steps: Number of frames to predict in each direction.
      first_seen: Number of the first frame that the model sees, of as many as in training; None for those in the
        middle.

    Raises:
      ValueError: In one line, if the model is not one of frames, or the films are not such or too short.
    """
    if isinstance(model, HGN):
        access = _access_hgn(model, params)
    elif isinstance(model, HNN) and model.encode is not None:
        access = _access_hnn(model)
    else:
        raise ValueError(f"a model of frames is needed to predict frames, got {_describe(model)}")
    frames = as_frames(frames, model.config.image_size)
    num_frames = frames.shape[1]
    if first_seen is None:
        first_seen = max(0, (num_frames - access.num_seen) // 2)
    for name, value in {"num_steps": num_steps, "first_seen": first_seen}.items():
        if value < 0:
            raise ValueError(f"{name} must be 0 or more, got {value}")
    end = first_seen + access.num_seen
    if num_frames < end:
        raise ValueError(
            f"the films have {num_frames} frames; the model sees {access.num_seen} from number {first_seen} on"
        )
    state = access.infer(params, frames[:, first_seen:end])
    rollout = jax.jit(model.rollout, static_argnums=2)
    directions = []
    for dt in (model.config.dt, -model.config.dt):
        images = access.decode(params, rollout(params, state, num_steps, dt))
        directions.append(np.clip(np.swapaxes(images, 0, 1), 0.0, 1.0))
    energy = jax.jit(lambda params, state: model.hamiltonian(params)(state))(params, state)
    return Prediction(
        jax.tree.map(np.asarray, state), first_seen + access.frame, (first_seen, end), *directions, np.asarray(energy)
    )


def _describe(model: Any) -> str:
    return "an HNN of states" if isinstance(model, HNN) else f"a model of type {type(model).__name__}"
