"""Views that the device finishes, so that each frame crosses to it once, however many clips and crops show it.

Cut: frames uint8 (n, h, w, 3), resized; clips and crops are cut after the copy.
Finish: planes uint8 (n, h * 3 // 2, w) (YUV 4:2:0), n frames packed as `videonet.decode.yuv` says, of one box of the
source; colour, size and flip are done there as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from videonet.decode.yuv import Colour, EvenCut, to_rgb

from .transforms import Box, Spatial


@dataclass(frozen=True)
class Cut:
    """What is left to do to the frames of one video."""

    rows: np.ndarray
    """int64 (V_t, T): which of the n frames each clip is made of."""
    crops: tuple[Box, ...]

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        """(n, h, w, 3) -> (V_t * V_s, 3, T, S, S), both uint8 and on one device."""
        (clips, length), box = self.rows.shape, self.crops[0]
        views = frames.new_empty((clips * len(self.crops), 3, length, box.height, box.width))
        for number, rows in enumerate(self.rows):
            clip = frames[torch.from_numpy(rows).to(frames.device)]  # (T, h, w, 3)
            for view, crop in enumerate(self.crops, number * len(self.crops)):
                views[view] = crop.cut(clip).permute(3, 0, 1, 2)
        return views


@dataclass(frozen=True)
class Finish:
    """What is left to do to the planes of one video."""

    colour: Colour
    cut: EvenCut
    """Where in the source frame the planes come from."""
    rows: np.ndarray
    """int64 (V_t, T): which of the n frames each clip is made of."""
    emits: tuple[Spatial, ...]
    """One for all clips, or V_t; boxes are of the source frame."""
    crops: tuple[Box, ...]

    def __call__(self, planes: torch.Tensor) -> torch.Tensor:
        """(n, h * 3 // 2, w) -> (V_t * V_s, 3, T, S, S), both uint8 and on one device; clip by clip, to save memory."""
        emits = self.emits * len(self.rows) if len(self.emits) == 1 else self.emits
        views = []
        for rows, emit in zip(self.rows, emits, strict=True):
            rgb = to_rgb(planes[torch.from_numpy(rows).to(planes.device)], self.colour)  # (T, 3, h, w)
            clip = self._emit(rgb, emit).permute(0, 2, 3, 1)  # (T, h, w, 3)
            views += [crop.cut(clip).permute(3, 0, 1, 2) for crop in self.crops]
        return torch.stack(views)

    def _emit(self, frames: torch.Tensor, emit: Spatial) -> torch.Tensor:
        """`emit` for the cut, (T, 3, h, w), in place of the source frame."""
        top, left = emit.box.top - self.cut.box[0], emit.box.left - self.cut.box[1]
        frames = frames[..., top : top + emit.box.height, left : left + emit.box.width]
        if frames.shape[2:] != emit.size:
            resized = F.interpolate(frames.float(), emit.size, mode="bilinear", antialias=True)
            frames = resized.round_().clamp_(0, 255).to(torch.uint8)
        if emit.flip:
            frames = frames.flip(3)
        if emit.canvas is None:
            return frames
        (top, left), (height, width) = emit.offset, emit.size
        return F.pad(frames, (left, emit.canvas[1] - left - width, top, emit.canvas[0] - top - height))


Later = Cut | Finish


def cut_around(emits: Sequence[Spatial]) -> EvenCut:
    """The box that holds those of all emits, so that clips share their frames."""
    boxes = [emit.box for emit in emits]
    top, left = min(box.top for box in boxes), min(box.left for box in boxes)
    bottom, right = max(box.top + box.height for box in boxes), max(box.left + box.width for box in boxes)
    return EvenCut(top, left, bottom - top, right - left)
