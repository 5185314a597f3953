"""Films that no renderer of this project made, to try `--config=video` on.

`python -m benchmarks.films --directory=DIR` writes each set of films into a directory of its own below DIR, as `.npy`
files `[frames, size, size, 3]` of uint8. Energy is conserved in all of them, and what moves moves smoothly.

`pendulum` and `cartpole` are dm_control's, without their damping, and need an environment of their own, because
dm_control is no dependency of this project:

    python -m venv films && films/bin/pip install dm_control==1.0.31 mujoco==3.3.3 pillow && apt-get install libosmesa6
    MUJOCO_GL=osmesa films/bin/python -m benchmarks.films --directory=DIR

The others need NumPy and Pillow only: `--only=rod,discs,long_film`.
"""

import argparse
import math
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

_NUM_FRAMES = 90
_SUBSTEPS = 20  # of the integrator, per frame
_DETAIL = 4  # pixels drawn per pixel of a frame, along a side

Films = Iterator[np.ndarray]


def pendulum(num_films: int = 60, size: int = 64) -> Films:
    """Yields films of dm_control's pendulum, swinging about the lowest point at random phases, a frame every 0.06 s."""
    physics = _load("pendulum", timestep=0.005)
    random = np.random.default_rng(0)
    top = 2 * 9.81 / 0.5  # energy of the upright pendulum, of length 0.5, per unit of inertia
    while num_films > 0:
        angle, speed = random.uniform(-2.2, 2.2), random.uniform(-6.0, 6.0)
        if speed**2 / 2 + top / 2 * (1 - math.cos(angle)) < 0.8 * top:
            yield _render(physics, [math.pi + angle], [speed], steps_per_frame=12, size=size)
            num_films -= 1


def cartpole(num_films: int = 60, size: int = 64) -> Films:
    """Yields films of dm_control's cartpole with a hanging pole and a cart that drifts, a frame every 0.04 s."""
    physics = _load("cartpole", timestep=0.01)
    random = np.random.default_rng(1)
    for _ in range(num_films):
        angle, speed = random.uniform(-1.8, 1.8), random.uniform(-1.0, 1.0)
        begin, end = random.uniform(-0.5, 0.5, 2)
        drift = (end - begin) / (0.04 * _NUM_FRAMES)  # of the common centre of mass; the cart swings about it
        recoil = 0.1 * 0.5 * math.cos(angle) * speed / 1.1  # the pole, of mass 0.1, hangs from a cart of mass 1
        yield _render(physics, [begin, math.pi + angle], [drift + recoil, speed], steps_per_frame=4, size=size)


def rod(num_films: int = 24, size: int = 128) -> Films:
    """Yields films of a rod that swings on wide white margins, as gymnasium's Pendulum-v1: 0.05 s, length 1 of ±2.2."""
    random = np.random.default_rng(2)
    for _ in range(num_films):
        start = np.array([random.uniform(-2.0, 2.0)]), np.array([random.uniform(-1.0, 1.0)])
        angles = integrate(lambda q: -15.0 * np.sin(q), *start, dt=0.05, num_frames=_NUM_FRAMES)[:, 0]
        yield np.stack([_draw_rod(angle, size) for angle in angles])


def discs(num_films: int = 24, size: int = 64) -> Films:
    """Yields films of two discs, of masses 1 and 2, on a spring between them and weak springs to the middle.

    They move in front of a textured background, the same one in all films.
    """
    random = np.random.default_rng(3)
    masses = np.array([[1.0], [2.0]])

    def acceleration(q: np.ndarray) -> np.ndarray:
        line = q[1] - q[0]
        pull = 4.0 * (1.0 - 1.0 / np.linalg.norm(line)) * line
        return (np.stack([pull, -pull]) - 0.5 * q) / masses

    background = _texture(random, size)
    for _ in range(num_films):
        direction = random.uniform(0, 2 * math.pi)
        line = random.uniform(0.9, 1.3) * np.array([math.cos(direction), math.sin(direction)])
        turn = random.choice([-1.0, 1.0]) * random.uniform(0.4, 0.9) * np.array([-line[1], line[0]])
        centre, drift = random.uniform(-0.15, 0.15, 2), random.uniform(-0.1, 0.1, 2)
        places = np.stack([centre - line * 2 / 3, centre + line / 3])
        velocities = np.stack([drift - turn * 2 / 3, drift + turn / 3])
        path = integrate(acceleration, places, velocities, dt=0.12, num_frames=_NUM_FRAMES)
        yield np.stack([_draw_discs(both, background) for both in path])


def long_film(num_films: int = 1, size: int = 64, num_frames: int = 300) -> Films:
    """Yields one film of a ball that swings on a string, of 300 frames, one every 0.05 s."""
    for amplitude in np.linspace(1.2, 0.8, num_films):
        start = np.array([amplitude]), np.array([0.0])
        angles = integrate(lambda q: -9.81 * np.sin(q), *start, dt=0.05, num_frames=num_frames)[:, 0]
        yield np.stack([_draw_ball(angle, size) for angle in angles])


FILMS: dict[str, Callable[..., Films]] = {
    "pendulum": pendulum,
    "cartpole": cartpole,
    "rod": rod,
    "discs": discs,
    "long_film": long_film,
}


def integrate(
    acceleration: Callable[[np.ndarray], np.ndarray], q: np.ndarray, v: np.ndarray, dt: float, num_frames: int
) -> np.ndarray:
    """Integrates q'' = acceleration(q) by leapfrog; returns the places at the frames, `[num_frames, ...]`."""
    step, path = dt / _SUBSTEPS, [q]
    for _ in range(num_frames - 1):
        for _ in range(_SUBSTEPS):
            v = v + step / 2 * acceleration(q)
            q = q + step * v
            v = v + step / 2 * acceleration(q)
        path.append(q)
    return np.stack(path)


def _load(domain: str, timestep: float) -> Any:
    """Returns a world of dm_control without damping."""
    from dm_control import suite

    physics = suite.load(domain, "swingup").physics
    physics.model.dof_damping[:] = 0.0
    physics.model.opt.timestep = timestep
    return physics


def _render(physics: Any, qpos: list[float], qvel: list[float], steps_per_frame: int, size: int) -> np.ndarray:
    with physics.reset_context():
        physics.data.qpos[:], physics.data.qvel[:] = qpos, qvel
    frames = []
    for _ in range(_NUM_FRAMES):
        frames.append(physics.render(camera_id=0, height=size, width=size))
        physics.step(steps_per_frame)
    return np.stack(frames)


def _texture(random: np.random.Generator, size: int) -> Image.Image:
    """Draws stains of several sizes, in muted colours."""
    image = np.full((size, size, 3), 0.45)
    for cells, strength in ((4, 0.15), (8, 0.1), (32, 0.05)):
        stains = Image.fromarray(random.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        image += strength * (np.asarray(stains.resize((size, size), Image.Resampling.BICUBIC)) / 127.5 - 1.0)
    return Image.fromarray(np.uint8(255 * image.clip(0, 1)))


def _canvas(size: int, colour: Any = "white") -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (size * _DETAIL, size * _DETAIL), colour)
    return image, ImageDraw.Draw(image)


def _shrunk(image: Image.Image) -> np.ndarray:
    return np.asarray(image.reduce(_DETAIL))


def _circle(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour: Any) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _draw_rod(angle: float, size: int) -> np.ndarray:
    image, draw = _canvas(size)
    middle, unit = size * _DETAIL / 2, size * _DETAIL / 4.4  # the picture shows lengths of ±2.2
    end = middle + unit * math.sin(angle), middle + unit * math.cos(angle)
    draw.line((middle, middle, *end), (204, 77, 77), round(0.2 * unit))
    for x, y in ((middle, middle), end):
        _circle(draw, x, y, 0.1 * unit, (204, 77, 77))
    _circle(draw, middle, middle, 0.05 * unit, "black")
    return _shrunk(image)


def _draw_discs(places: np.ndarray, background: Image.Image) -> np.ndarray:
    image = background.resize((background.width * _DETAIL,) * 2, Image.Resampling.NEAREST)
    draw, half = ImageDraw.Draw(image), image.width / 2
    for (x, y), radius, colour in zip(places, (0.11, 0.15), ((230, 60, 50), (50, 90, 230)), strict=True):
        _circle(draw, half * (1 + x / 1.5), half * (1 - y / 1.5), radius * half, colour)
    return _shrunk(image)


def _draw_ball(angle: float, size: int) -> np.ndarray:
    image, draw = _canvas(size, (225, 222, 210))
    unit = size * _DETAIL
    x, y = unit * (0.5 + 0.42 * math.sin(angle)), unit * (0.3 + 0.42 * math.cos(angle))
    draw.line((unit / 2, unit * 0.3, x, y), (90, 90, 90), unit // 64)
    _circle(draw, x, y, 0.08 * unit, (40, 110, 60))
    return _shrunk(image)


def write(directory: pathlib.Path, films: Films) -> int:
    """Writes films into a directory as `film_00.npy`, `film_01.npy`, ...; returns their number."""
    directory.mkdir(parents=True, exist_ok=True)
    number = -1
    for number, film in enumerate(films):
        np.save(directory / f"film_{number:02}.npy", film)
    return number + 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", type=pathlib.Path, required=True, help="directory of the sets of films")
    parser.add_argument("--only", default=",".join(FILMS), help="names of the sets, separated by commas")
    options = parser.parse_args()
    for name in options.only.split(","):
        if name not in FILMS:
            parser.error(f"no films {name!r}; choose from {', '.join(FILMS)}")
    for name in options.only.split(","):
        print(f"{name}: {write(options.directory / name, FILMS[name]())} films in {options.directory / name}")


if __name__ == "__main__":
    main()
