"""Which views of a video are taken: random clips to train, the fixed views of a test.

A plan is made from numbers (length of the timeline, frame size, generator) before anything is decoded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from . import clips, transforms
from .clips import FrameOrder
from .photometric import Photometric, Retouch
from .preprocessing import Preprocessing
from .transforms import Box, Size, Spatial
from .view_table import ViewTable


@dataclass(frozen=True)
class ViewPlan:
    """clips x crops views: V_t clips of T frames, V_s crops of each."""

    ticks: clips.Indices
    """int64 (V_t, T)."""
    emits: tuple[Spatial, ...]
    """Run on each wanted frame as it leaves the decoder: one for all clips, or V_t, one a clip."""
    crops: tuple[Box, ...]
    """V_s boxes, cut out of what `emits` gave."""
    flipped: bool = False
    """Whether left and right are swapped, in all clips alike: some labels change with it."""
    retouches: tuple[Retouch, ...] = ()
    """What is then done to the pixels of each clip; nothing, or one a clip."""
    cut_later: bool = False
    """Whether clips and crops are cut on the device, out of frames that came there once (one emit, no retouches)."""

    def __post_init__(self) -> None:
        if len(self.emits) not in (1, len(self.ticks)):
            raise ValueError(f"{len(self.emits)} emits for {len(self.ticks)} clips; give one, or one a clip")
        if len({emit.out_size for emit in self.emits}) != 1:
            raise ValueError(f"emits give frames of {[emit.out_size for emit in self.emits]}; all must agree")
        if self.cut_later and (len(self.emits) > 1 or self.retouches):
            raise ValueError("clips that are cut later share one emit and are not retouched")


class Views(Protocol):
    """Makes the plan of one video."""

    @property
    def preprocessing(self) -> Preprocessing: ...

    def plan(self, ticks: int, frame: Size, rng: np.random.Generator) -> ViewPlan:
        """`ticks` is the length of the timeline, `frame` the (height, width) of the source."""
        ...


@dataclass(frozen=True)
class TrainViews:
    """`clips_per_video` random clips, each with a random geometry of its own; one draw of the flip for all."""

    preprocessing: Preprocessing
    crop: Literal["resized", "jitter", "pad"]
    area: tuple[float, float]
    aspect: tuple[float, float]
    short_side: tuple[int, int]
    flip: float
    clips_per_video: int = 1
    pad: int = 4
    photometric: Photometric = field(default_factory=Photometric)

    def plan(self, ticks: int, frame: Size, rng: np.random.Generator) -> ViewPlan:
        """`clips_per_video` views."""
        p, views = self.preprocessing, self.clips_per_video
        if p.sampler == "dense":
            indices = clips.dense_random(ticks, p.frames, p.stride, rng, views, p.short)
        else:
            indices = clips.segment_random(ticks, p.frames, rng, views)
        flip = bool(rng.random() < self.flip)
        emits = tuple(self._geometry(frame, flip, rng) for _ in range(views))
        retouches = () if self.photometric.idle else tuple(self.photometric.draw(rng) for _ in range(views))
        return ViewPlan(indices, emits, (Box(0, 0, p.crop, p.crop),), flip, retouches)

    def _geometry(self, frame: Size, flip: bool, rng: np.random.Generator) -> Spatial:
        out = self.preprocessing.crop
        if self.preprocessing.fit == "letterbox":
            return transforms.scaled_letterbox(frame, out, self.area, flip, rng)
        if self.crop == "resized":
            return transforms.resized_crop(frame, out, self.area, self.aspect, flip, rng)
        if self.crop == "pad":
            return transforms.padded_crop(frame, out, self.pad, flip, rng)
        return transforms.jittered_crop(frame, out, self.short_side, flip, rng)


@dataclass(frozen=True)
class TestViews:
    """Fixed views: those of a test of `clips` x `crops`, and with `curve` the clips of tests of these counts as well.

    `order` rearranges the frames inside each clip (keyed on the video). `cut_later`: see `ViewPlan`.
    """

    __test__ = False  # not a pytest class

    preprocessing: Preprocessing
    clips: int
    crops: int
    order: FrameOrder = "normal"
    curve: tuple[int, ...] = ()
    cut_later: bool = False

    @property
    def table(self) -> ViewTable:
        """Which view is which, the same for every video."""
        return ViewTable.of(self.preprocessing.sampler, (self.clips, *self.curve), self.crops)

    def plan(self, ticks: int, frame: Size, rng: np.random.Generator) -> ViewPlan:
        """The views of `table`, the crops of one clip side by side."""
        p, places = self.preprocessing, self.table.places
        if p.sampler == "dense":
            indices = clips.dense_at(ticks, p.frames, p.stride, places, p.short)
        else:
            indices = clips.segment_at(ticks, p.frames, places)
        indices = clips.reorder(indices, self.order, rng, places)
        emit, crops = fixed_geometry(p, frame, self.crops)
        return ViewPlan(indices, (emit,), crops, cut_later=self.cut_later)


def fixed_geometry(preprocessing: Preprocessing, frame: Size, crops: int) -> tuple[Spatial, tuple[Box, ...]]:
    """How a frame of the source is resized, and the crops that are cut out of it; a letterbox has but one."""
    p = preprocessing
    if p.fit == "letterbox":
        return transforms.centred_letterbox(frame, p.crop), (Box(0, 0, p.crop, p.crop),)
    emit = transforms.short_side_resize(frame, p.short_side)
    return emit, tuple(transforms.uniform_crops(emit.size, p.crop, crops))
