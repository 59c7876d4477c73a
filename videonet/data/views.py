"""Which views of a video are taken: one random view to train, clips x crops fixed views to test.

A plan is made from numbers (length of the timeline, frame size, generator) before anything is decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from . import clips, transforms
from .clips import FrameOrder
from .preprocessing import Preprocessing
from .transforms import Box, Size, Spatial


@dataclass(frozen=True)
class ViewPlan:
    """clips x crops views: `ticks` (V_t, T) int64; `emit` runs on each wanted frame; `crops` (V_s) cut the result."""

    ticks: clips.Indices
    emit: Spatial
    crops: tuple[Box, ...]


class Views(Protocol):
    """Makes the plan of one video."""

    @property
    def preprocessing(self) -> Preprocessing: ...

    def plan(self, ticks: int, frame: Size, rng: np.random.Generator) -> ViewPlan:
        """`ticks` is the length of the timeline, `frame` the (height, width) of the source."""
        ...


@dataclass(frozen=True)
class TrainViews:
    """One random clip with one random geometry."""

    preprocessing: Preprocessing
    crop: Literal["resized", "jitter"]
    area: tuple[float, float]
    aspect: tuple[float, float]
    short_side: tuple[int, int]
    flip: float

    def plan(self, ticks: int, frame: Size, rng: np.random.Generator) -> ViewPlan:
        """One view."""
        p = self.preprocessing
        if p.sampler == "dense":
            indices = clips.dense_random(ticks, p.frames, p.stride, rng)
        else:
            indices = clips.segment_random(ticks, p.frames, rng)
        flip = bool(rng.random() < self.flip)
        if p.fit == "letterbox":
            emit = transforms.scaled_letterbox(frame, p.crop, self.area, flip, rng)
        elif self.crop == "resized":
            emit = transforms.resized_crop(frame, p.crop, self.area, self.aspect, flip, rng)
        else:
            emit = transforms.jittered_crop(frame, p.crop, self.short_side, flip, rng)
        return ViewPlan(indices, emit, (Box(0, 0, p.crop, p.crop),))


@dataclass(frozen=True)
class TestViews:
    """clips x crops fixed views; `order` rearranges the frames inside each clip (keyed on the video)."""

    __test__ = False  # not a pytest class

    preprocessing: Preprocessing
    clips: int
    crops: int
    order: FrameOrder = "normal"

    def plan(self, ticks: int, frame: Size, rng: np.random.Generator) -> ViewPlan:
        """clips x crops views, the crops of one clip side by side."""
        p = self.preprocessing
        if p.sampler == "dense":
            indices = clips.dense_uniform(ticks, p.frames, p.stride, self.clips)
        else:
            indices = clips.segment_uniform(ticks, p.frames, self.clips)
        indices = clips.reorder(indices, self.order, rng)
        if p.fit == "letterbox":
            return ViewPlan(indices, transforms.centred_letterbox(frame, p.crop), (Box(0, 0, p.crop, p.crop),))
        emit = transforms.short_side_resize(frame, p.short_side)
        return ViewPlan(indices, emit, tuple(transforms.uniform_crops(emit.size, p.crop, self.crops)))
