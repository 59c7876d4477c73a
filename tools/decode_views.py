"""All test views of a video, clips x crops of 224 from frames with a short side of 256, by several libraries.

Every way takes the path of a video and gives uint8 (views, 3, T, S, S): what tools/bench_decode.py --views times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from decode_peers import read_views
from torch import Tensor
from torchvision.transforms import v2

from videonet.data.preprocessing import Preprocessing
from videonet.data.views import TestViews, ViewPlan


@dataclass(frozen=True)
class OneView:
    """One clip and crop of `whole`."""

    whole: TestViews
    clip: int
    crop: int

    @property
    def preprocessing(self) -> Preprocessing:
        return self.whole.preprocessing

    def plan(self, ticks: int, frame: tuple[int, int], rng: np.random.Generator) -> ViewPlan:
        plan = self.whole.plan(ticks, frame, rng)
        return replace(plan, ticks=plan.ticks[self.clip : self.clip + 1], crops=plan.crops[self.crop : self.crop + 1])


def views_in_one_plan(path: Path, views: TestViews) -> Tensor:
    """What a worker does in the test."""
    return read_views(path, views)


def views_one_by_one(path: Path, views: TestViews) -> Tensor:
    """The same, the video opened for each view."""
    alone = [OneView(views, clip, crop) for clip in range(views.clips) for crop in range(views.crops)]
    return torch.cat([read_views(path, view) for view in alone])


def views_by_torchcodec(path: Path, views: TestViews) -> Tensor:
    """One batch for all clips: it decodes a frame that is asked for twice once."""
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(path, num_ffmpeg_threads=1, seek_mode="exact")
    plan = _plan(views, len(decoder), decoder.get_frames_at([0]).data.shape[2:])
    return _resized_and_cut(decoder.get_frames_at(plan.ticks.flatten().tolist()).data, plan)


def views_by_decord(path: Path, views: TestViews) -> Tensor:
    """One batch for all clips, as MMAction2 asks for it: with repeats."""
    import decord

    reader = decord.VideoReader(str(path), num_threads=1)
    plan = _plan(views, len(reader), reader[0].shape[:2])
    frames = torch.from_numpy(reader.get_batch(plan.ticks.flatten().tolist()).asnumpy())
    return _resized_and_cut(frames.permute(0, 3, 1, 2), plan)


def _plan(views: TestViews, frames: int, size: Sequence[int]) -> ViewPlan:
    return views.plan(frames, (size[0], size[1]), np.random.default_rng(0))


def _resized_and_cut(frames: Tensor, plan: ViewPlan) -> Tensor:
    """(V_t * T, 3, H, W), channels last in memory -> (V, 3, T, S, S)."""
    size = plan.emits[0].size
    if frames.shape[2:] != size:
        frames = v2.functional.resize(frames, list(size), antialias=True)
    clips = frames.unflatten(0, plan.ticks.shape).permute(0, 1, 3, 4, 2)  # (V_t, T, h, w, 3)
    views = torch.stack([box.cut(clips) for box in plan.crops], dim=1).flatten(0, 1)
    return views.permute(0, 4, 1, 2, 3).contiguous()


@dataclass(frozen=True)
class ViewsWay:
    """How all test views of a video are made."""

    name: str
    read: Callable[[Path, TestViews], Tensor]
    needs: tuple[str, ...] = ()


VIEWS_WAYS = (
    ViewsWay("videonet, one plan", views_in_one_plan),
    ViewsWay("videonet, one open a view", views_one_by_one),
    ViewsWay("torchcodec, one batch", views_by_torchcodec, needs=("torchcodec",)),
    ViewsWay("decord, one batch", views_by_decord, needs=("decord",)),
)
