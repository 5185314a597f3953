"""Test clips that go on beyond the frames that a model sees: extended by the simulator, or whole films."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from data_builders.rendering import images as rendering
from data_builders.simulation import continuation
from experiments.clips.data import Clips

Example = Mapping[str, Any]

NOT_FOLLOWED = "needs the trajectories beyond the clips, farther than float64 can follow them"


class LongClips(NamedTuple):
    """Clips in the middle of longer ones.

    Attributes:
      frames: Observed frames, uint8 `[clips, time, size, size, 3]`.
      noise_free: The same frames without observation noise, float32 in [0, 1]; the frames themselves for films.
      margins: Numbers of frames before and after the clips in the middle.
      left_out: Number of clips that could not be made so long.
      q: True positions, float32 `[clips, time, d]`; None for films.
      p: True momenta of the same shape; None for films.
      examples: Examples that the clips were made from, without those left out; empty for films.
      scene: Features of the look of each clip, by name, where the looks differ.
    """

    frames: np.ndarray
    noise_free: np.ndarray
    margins: tuple[int, int]
    left_out: int
    q: np.ndarray | None = None
    p: np.ndarray | None = None
    examples: Sequence[Example] = ()
    scene: Mapping[str, np.ndarray] | None = None

    def expected_images(self, metadata: Mapping[str, Any]) -> np.ndarray:
        """Returns the best predictions that can be made of the frames, given the true states, float32 in [0, 1]."""
        if self.q is None:
            return self.noise_free
        return expected_images(metadata, self.q, self.scene)


def expected_images(metadata: Mapping[str, Any], q: np.ndarray, scene: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the expected images of true positions `[clips, time, d]`, float32 in [0, 1]; sharp ones without noise."""
    if metadata["observation_noise"]:
        return rendering.expected_images(metadata, q, scene)
    return _render(metadata, q, scene)


def _render(metadata: Mapping[str, Any], q: np.ndarray, scene: Mapping[str, np.ndarray]) -> np.ndarray:
    look = rendering.Look(*scene.values()) if scene else None
    return rendering.render(rendering.canvas_from_metadata(metadata), q, look).astype(np.float32) / 255.0


def extend(clips: Clips, examples: Sequence[Example], num_before: int, num_after: int) -> LongClips | None:
    """Extends clips of a simulated data set by what the simulator would have recorded before and after them.

    Args:
      clips: The data set.
      examples: Examples of its test split.
      num_before: Number of frames to add before each clip.
      num_after: Number of frames to add after it.

    Returns:
      The long clips, without those that float64 cannot follow so far; None if it can follow none of them.
    """
    metadata = clips.metadata
    extended = continuation.lengthen(metadata, examples, num_before, num_after)
    if not extended:
        return None
    by_index = {int(example["index"]): example for example in examples}
    frames, q, p = (np.stack([example[name] for example in extended]) for name in ("image", "q", "p"))
    names = rendering.scene_features(metadata)
    scene = {name: np.stack([example[name] for example in extended]) for name in names}
    return LongClips(
        frames=frames,
        noise_free=_render(metadata, q, scene),
        margins=(num_before, num_after),
        left_out=len(examples) - len(extended),
        q=q,
        p=p,
        examples=[by_index[int(example["index"])] for example in extended],
        scene=scene,
    )


def first_examples(clips: Clips, max_number: int, num_frames: int) -> list[Example]:
    """Returns the first examples of the test split of a simulated data set, with their first frames only."""
    test = clips.splits["test"]
    examples = test.__getitems__(list(range(min(max_number, len(test)))))
    series = ("image", "q", "p", "energy")
    return [{**example, **{name: example[name][:num_frames] for name in series}} for example in examples]


def take_films(clips: Clips, num_frames: int, max_beyond: int, max_clips: int) -> LongClips:
    """Takes long clips from the films of the test split.

    Films differ in length. The long clips have the length for which they hold most frames beyond the clips in their
    middle, and shorter films are left out.

    Args:
      clips: The data set, made by `video_folder`.
      num_frames: Number of frames of the clip in the middle, at most those of a window of the data set.
      max_beyond: Largest number of frames to take on each side of it.
      max_clips: Largest number of long clips.
    """
    longest = num_frames + 2 * max_beyond
    parts = []
    for film in _films(clips):
        parts += [film[first : first + longest] for first in range(0, len(film), longest)]
        if len(parts) >= max_clips:
            break
    parts = [part for part in parts[:max_clips] if len(part) >= num_frames]
    lengths = np.array([len(part) for part in parts])
    length = max(lengths, key=lambda length: ((length - num_frames) * np.sum(lengths >= length), length))
    frames = np.stack([part[:length] for part in parts if len(part) >= length])
    before = (length - num_frames) // 2
    return LongClips(
        frames=frames,
        noise_free=frames.astype(np.float32) / 255.0,
        margins=(int(before), int(length - num_frames - before)),
        left_out=len(parts) - len(frames),
    )


def _films(clips: Clips) -> Iterator[np.ndarray]:
    """Yields the films of the test split, put together from their windows, uint8 `[time, size, size, 3]`.

    The data set holds the windows in random order. Where those of a film leave a gap, the film falls into two.
    """
    test, frame_step = clips.splits["test"], clips.metadata.get("frame_step", 1)
    windows = defaultdict(list)  # film -> first frame and index of each of its windows
    for index in range(len(test)):
        [example] = test.__getitems__([index])
        windows[example["video"]].append((int(example["first_frame"]) // frame_step, index))
    for film in sorted(windows):
        parts, end = [], 0
        for first, index in sorted(windows[film]):
            [example] = test.__getitems__([index])
            if parts and first > end:
                yield np.concatenate(parts)
                parts = []
            parts.append(example["image"][end - first :] if parts else example["image"])
            end = first + len(example["image"])
        yield np.concatenate(parts)
