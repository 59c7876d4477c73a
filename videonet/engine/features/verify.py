"""Are the features what the index says? Shape, dtype, checksum, finite numbers, and rows as many as the video has."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from videonet.data import clips
from videonet.data.preprocessing import Preprocessing
from videonet.data.sliding import Hop

from .formats import of_feature
from .reading import FeatureSet
from .single_file import blocks

_DTYPES: dict[str, np.dtype[Any]] = {"fp32": np.dtype("<f4"), "fp16": np.dtype("<f2")}


@dataclass(frozen=True)
class Problem:
    """What is wrong with a feature of a video, or with what the index says of it (no feature)."""

    id: str
    feature: str | None
    reason: str

    def __str__(self) -> str:
        return f"{self.id}{f' {self.feature}' if self.feature else ''}: {self.reason}"


def verify(features: FeatureSet) -> list[Problem]:
    """Everything that is wrong, video by video; nothing where all is well."""
    problems = []
    settings = features.index["settings"]
    for position, row in enumerate(features.index["videos"]):
        problems += [Problem(row["id"], None, reason) for reason in _of_times(row, settings)]
        for feature in features.features:
            shape = features.shape(position, feature)
            if shape[0] != len(row["clip_seconds"]):
                times = len(row["clip_seconds"])
                problems.append(Problem(row["id"], feature, f"{shape[0]} rows in the index, with {times} times"))
            try:
                array = features.read(position, feature)
                reasons = _of_array(array, shape, _DTYPES[settings["dtype"]], of_feature(row["sha256"], feature))
            except (OSError, ValueError, KeyError) as error:
                reasons = [f"cannot be read: {error}"]
            problems += [Problem(row["id"], feature, reason) for reason in reasons]
    return problems


def _of_array(array: np.ndarray, shape: list[int], dtype: np.dtype[Any], sha256: str) -> list[str]:
    reasons = []
    if list(array.shape) != shape:
        reasons.append(f"shape {list(array.shape)}, and {shape} in the index")
    if array.dtype != dtype:
        reasons.append(f"{array.dtype}, and {dtype} in the index")
    digest, finite = hashlib.sha256(), True
    for _, block in blocks(array):
        digest.update(np.ascontiguousarray(block, array.dtype.newbyteorder("<")).data)
        finite &= bool(np.isfinite(block).all())
    if not finite:
        reasons.append("not all numbers are finite")
    if digest.hexdigest() != sha256:
        reasons.append("other numbers than were written (checksum)")
    return reasons


def _of_times(row: dict[str, Any], settings: dict[str, Any]) -> list[str]:
    """Of what the index says of a video's clock."""
    reasons = []
    rows, expected = len(row["clip_seconds"]), _expected_rows(row, settings)
    if rows != expected:
        reasons.append(f"{rows} rows, and {row['duration_seconds']:.2f} s of video make {expected}")
    times = np.array(row["clip_seconds"]).reshape(-1, 2)
    last = row["duration_seconds"] + 1e-3
    if (times[:, 0] > times[:, 1]).any() or (times < 0).any() or (times > last).any():
        reasons.append(f"times outside of the {row['duration_seconds']:.2f} s of the video, or with their ends swapped")
    if any(later < earlier for earlier, later in pairwise(times[:, 0])):
        reasons.append("times that do not rise")
    return reasons


def _expected_rows(row: dict[str, Any], settings: dict[str, Any]) -> int:
    if settings["clips"] is not None:
        return int(settings["clips"])
    p = Preprocessing.from_dict(settings["preprocessing"])
    hop = Hop(settings["hop_ticks"], settings["hop_seconds"])
    ticks = p.ticks_of(row["frames"], row["duration_seconds"])
    return len(clips.sliding_starts(ticks, p.frames, p.stride, hop.of(p.fps or row["fps"]), settings["tail"]))
