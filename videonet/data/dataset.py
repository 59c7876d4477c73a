"""VideoItem -> open once -> plan -> unique frames decoded once -> views. Training and test use the same class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from videonet.decode.reader import Undecodable, VideoError, open_video

from .lists import VideoItem
from .views import Views

Key = tuple[int, int]  # (epoch, index of the item)

_MOST_SUBSTITUTES = 20
_MOST_BAD_FRAMES = 0.25  # a video counts as unreadable when more of the frames wanted from it are damaged
_MOST_MISSING_FRAMES = 0.1  # or when more of its frames are missing, since the file was cut short


@dataclass(frozen=True)
class Failure:
    """A video that could not be read, and why."""

    id: str
    path: str
    reason: str


@dataclass(frozen=True)
class Sample:
    """One video with all its views.

    views: uint8 (V, 3, T, S, S) with V = clips x crops, or None when the video could not be read.
    seconds: float64 (V_t, 2), first and last frame of each clip.
    """

    index: int
    label: int
    views: torch.Tensor | None
    seconds: np.ndarray
    failures: tuple[Failure, ...] = ()


class VideoDataset(Dataset[Sample]):
    """Indexed by (epoch, index); the same key gives the same sample, whoever asks.

    With `substitute`, an unreadable video is replaced by another one of the same epoch, chosen by the key alone, and
    the failure is reported in the sample (training). Without it, the sample has no views (test, features).
    A video also counts as unreadable when more than a tenth of its frames were cut off, or when more than a quarter of
    those wanted are damaged.
    """

    def __init__(self, items: Sequence[VideoItem], views: Views, seed: int = 0, substitute: bool = False) -> None:
        self.items = list(items)
        self.views = views
        self.seed = seed
        self.substitute = substitute

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, key: Key) -> Sample:
        epoch, index = key
        failures: list[Failure] = []
        others = np.random.default_rng((self.seed, epoch, index, 1)).permutation(len(self.items))
        candidates = [index, *others[others != index][:_MOST_SUBSTITUTES].tolist()] if self.substitute else [index]
        for candidate in candidates:
            item = self.items[candidate]
            try:
                views, seconds = self._read(item, np.random.default_rng((self.seed, epoch, candidate)))
            except VideoError as error:
                failures.append(Failure(item.id, item.path, error.reason))
                continue
            return Sample(candidate, item.label, views, seconds, tuple(failures))
        return Sample(index, self.items[index].label, None, np.zeros((0, 2)), tuple(failures))

    def _read(self, item: VideoItem, rng: np.random.Generator) -> tuple[torch.Tensor, np.ndarray]:
        preprocessing = self.views.preprocessing
        with open_video(item.path) as reader:
            info = reader.info
            promised = info.frames + info.missing
            if info.missing > _MOST_MISSING_FRAMES * promised:
                raise Undecodable(item.path, f"cut short: {info.missing} of {promised} frames are gone")
            plan = self.views.plan(preprocessing.ticks(info), (info.height, info.width), rng)
            wanted, place = np.unique(plan.ticks, return_inverse=True)
            clip = preprocessing.read(reader, wanted, plan.emit)
        bad = clip.damaged + clip.substituted
        if bad > _MOST_BAD_FRAMES * len(wanted):
            raise Undecodable(item.path, f"{bad} of the {len(wanted)} frames wanted are damaged")
        place = place.reshape(plan.ticks.shape)  # (V_t, T) -> rows of clip.frames
        clips = clip.frames[torch.from_numpy(place)]  # (V_t, T, h, w, 3)
        views = torch.stack([box.cut(clips) for box in plan.crops], dim=1).flatten(0, 1)  # (V, T, S, S, 3)
        seconds = clip.pts_seconds[place]
        return views.permute(0, 4, 1, 2, 3).contiguous(), np.stack([seconds.min(axis=1), seconds.max(axis=1)], axis=1)
