"""With few or short films, all that is wrong is said at once, and every flag that is advised works."""

import pathlib
import re
import sys
import tempfile

import numpy as np

from experiments.clips.data import open_clips
from experiments.hgn import presets
from experiments.tasks import TASKS


def refusal(source, flags):
    """Opens the data of a run of the preset `video`; returns the message if it is refused, else an empty text."""
    config = presets.get("video")
    config.data.source, config.data.data_dir = str(source), str(source.parent / "data")
    for name, value in (flag.removeprefix("--config.").split("=") for flag in flags):
        *path, field = name.split(".")
        target = config
        for part in path:
            target = getattr(target, part)
        setattr(target, field, value if field == "split_by" else float(value) if "fraction" in field else int(value))
    try:
        open_clips(TASKS["hgn"].resolve(config))
    except ValueError as error:
        return str(error)
    return ""


with tempfile.TemporaryDirectory() as directory:
    for number, length in ((6, 31), (2, 45), (1, 70), (3, 20), (1, 400)):
        source = pathlib.Path(directory, f"{number} of {length}")
        source.mkdir()
        for film in range(number):
            frames = np.random.default_rng(film).integers(0, 256, (length, 16, 16, 3), np.uint8)
            np.save(source / f"{film}.npy", frames)
        first = refusal(source, [])
        if not first:
            sys.exit(f"FAULT: {source.name} is not refused")
        for advice in re.findall(r"--config\S+(?: --config\S+)*", first.replace(",", " ,")):
            then = refusal(source, advice.split())
            if then:
                sys.exit(f"FAULT: {source.name}: {first}\nand with {advice}: {then}")
        if "--config" not in first:
            sys.exit(f"FAULT: {source.name}: no advice in {first}")
print("OK")
