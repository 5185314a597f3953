"""The HGN in PyTorch, to compare with: as the paper describes it (App. A.1), with a joint Hamiltonian as printed there.

Written for the benchmarks from the paper's text, at the sizes that it states, like the public replication in PyTorch
(Balsells Rodas et al. 2021): eight convolutions in the encoder, three in the transform, six in the Hamiltonian, three
residual blocks in the decoder, all 31 frames decoded, GECO, Adam at 1.5e-4. Forces are gradients by `torch.autograd`
that can be differentiated again.
"""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

_CHANNELS = 16  # of q and of p
_DT = 0.125
_TOLERANCE = 1e-3
_DECAY = 0.99  # of the moving average of GECO's constraint
_LARGEST_CHANGE, _LIMITS = 0.01, (1e-6, 1e6)  # of GECO's multiplier, the first per step and relative


def _convolution(channels_in: int, channels_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, stride, padding=1)


class _Block(nn.Module):
    """A residual block: doubles the image, then two convolutions with leaky ReLUs, closed by a sigmoid."""

    def __init__(self, channels_in: int, channels: int):
        super().__init__()
        self.first, self.second = _convolution(channels_in, channels), _convolution(channels, channels)
        self.skip = nn.Conv2d(channels_in, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.interpolate(x, scale_factor=2, mode="nearest")
        hidden = functional.leaky_relu(self.first(x))
        return torch.sigmoid(self.skip(x) + functional.leaky_relu(self.second(hidden)))


class HGN(nn.Module):
    """The model: frames `[batch, frames, 32, 32, 3]` to their reconstructions of the same shape, and the KL in nats.

    Args:
      num_frames: Number of frames in a clip; all of them are seen, stacked as channels.
    """

    def __init__(self, num_frames: int):
        super().__init__()
        sizes = (3 * num_frames, 32, 64, 64, 64, 64, 64, 64, 48)
        layers: list[nn.Module] = []
        for i, (before, after) in enumerate(zip(sizes, sizes[1:], strict=False)):
            layers += [_convolution(before, after, stride=2 if i < 3 else 1), nn.ReLU()]
        self.encoder = nn.Sequential(*layers)
        self.posterior = nn.Conv2d(48, 4 * _CHANNELS, 1)
        self.transform = nn.Sequential(
            _convolution(2 * _CHANNELS, 64), nn.ReLU(),
            _convolution(64, 64), nn.ReLU(),
            _convolution(64, 64), nn.ReLU(),
            _convolution(64, 2 * _CHANNELS),
        )  # fmt: skip
        hidden: list[nn.Module] = []
        for i in range(6):
            hidden += [_convolution(2 * _CHANNELS if i == 0 else 64, 64), nn.Softplus()]
        self.hamiltonian = nn.Sequential(*hidden, _convolution(64, 1))
        self.decoder = nn.Sequential(_Block(_CHANNELS, 64), _Block(64, 64), _Block(64, 64), _convolution(64, 3))

    def _force(self, q: torch.Tensor, p: torch.Tensor, of_position: bool) -> torch.Tensor:
        with torch.enable_grad():
            q, p = (x if x.requires_grad else x.requires_grad_() for x in (q, p))
            energy = self.hamiltonian(torch.cat([q, p], 1)).sum()
            return torch.autograd.grad(energy, q if of_position else p, create_graph=self.training)[0]

    def _rollout(self, q: torch.Tensor, p: torch.Tensor, num_steps: int) -> Iterator[torch.Tensor]:
        yield q
        for _ in range(num_steps):
            p = p - 0.5 * _DT * self._force(q, p, of_position=True)
            q = q + _DT * self._force(q, p, of_position=False)
            p = p - 0.5 * _DT * self._force(q, p, of_position=True)
            if not self.training:
                q, p = q.detach(), p.detach()
            yield q

    def forward(self, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        batch, time_, height, width, colours = frames.shape
        stacked = frames.permute(0, 1, 4, 2, 3).reshape(batch, time_ * colours, height, width)
        mean, log_variance = self.posterior(self.encoder(stacked.contiguous(memory_format=torch.channels_last))).chunk(
            2, 1
        )
        noise = torch.randn_like(mean) if self.training else torch.zeros_like(mean)
        z = mean + torch.exp(0.5 * log_variance) * noise
        q, p = self.transform(z).chunk(2, 1)
        path = torch.stack(list(self._rollout(q, p, time_ - 1)), 1)
        images = self.decoder(path.flatten(0, 1).contiguous(memory_format=torch.channels_last))
        kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum((1, 2, 3)).mean()
        return images.permute(0, 2, 3, 1).reshape(frames.shape), kl


class Training(NamedTuple):
    """A model with its training.

    Attributes:
      model: The model.
      step: Does one step of Adam on frames `[batch, time, 32, 32, 3]`, numbers in [0, 1], and returns the mean squared
        error.
    """

    model: HGN
    step: Callable[[np.ndarray], float]


def prepare(num_frames: int, seed: int = 0) -> Training:
    """Returns an untrained model and its training step, on the CPU with as many threads as PyTorch takes."""
    torch.manual_seed(seed)
    model = HGN(num_frames).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), 1.5e-4)
    multiplier, average = 1e5, None

    def step(frames: np.ndarray) -> float:
        nonlocal multiplier, average
        images = torch.from_numpy(frames)
        reconstruction, kl = model(images)
        mse = ((reconstruction - images) ** 2).mean()
        loss = kl + multiplier * (mse - _TOLERANCE)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        constraint = mse.item() - _TOLERANCE
        average = constraint if average is None else _DECAY * average + (1 - _DECAY) * constraint
        change = np.clip(average, -_LARGEST_CHANGE, _LARGEST_CHANGE)
        multiplier = float(np.clip(multiplier * np.exp(change), *_LIMITS))
        return mse.item()

    return Training(model, step)


def reconstruct(model: HGN, frames: np.ndarray, batch_size: int = 16) -> np.ndarray:
    """Reconstructs clips `[n, time, 32, 32, 3]` from their posterior's mean."""
    model.eval()
    with torch.no_grad():
        parts = [model(torch.from_numpy(frames[i : i + batch_size]))[0] for i in range(0, len(frames), batch_size)]
    model.train()
    return torch.cat(parts).numpy()


def median_seconds(step: Callable[[np.ndarray], float], frames: np.ndarray, repeats: int) -> float:
    """Returns the median wall time of a step, after a first one that is not timed."""
    step(frames)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        step(frames)
        times.append(time.perf_counter() - start)
    return float(np.median(times))
