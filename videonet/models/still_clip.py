"""Is an inflated net the 2D net? On a clip of one repeated frame its logits must be those of the frame.

centre: they are, on every clip. mean: a temporal kernel of t slices W / t gives W's answer only where it sees t frames;
the net pads both ends of the clip with zeros, which reach further in with every layer. So there are two exact claims:

    interior     logits of the frames of the last map that no padding reaches
    everywhere   logits of all frames, once the padding repeats the clip's end frames instead

The interior is found by padding with NaN: what stays a number was not reached.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from videonet.models.inflate import Mode
from videonet.models.recognizer import Recognizer

_CLIPS = (16, 32, 64, 128)
"""Frames of the clips in which an interior is looked for."""


@dataclass(frozen=True)
class StillClip:
    """Logits of a clip of one repeated frame against those of the frame, in float64."""

    claim: str
    """What was compared."""
    exact: bool
    """Whether the two must be equal."""
    max_abs_error: float
    largest_logit: float

    @property
    def passed(self) -> bool:
        """Equal but for the rounding of the weights to float32; a claim that is not exact always passes."""
        return not self.exact or self.max_abs_error <= 1e-5 * max(self.largest_logit, 1.0)

    def __str__(self) -> str:
        verdict = "not claimed equal" if not self.exact else "equal" if self.passed else "NOT EQUAL"
        figures = f"max abs error of logits {self.max_abs_error:.3g} (largest logit {self.largest_logit:.3g})"
        return f"{self.claim}: {verdict}, {figures}"


@torch.no_grad()
def compare_on_still_clip(model_2d: Recognizer, model_3d: Recognizer, mode: Mode, size: int = 32) -> list[StillClip]:
    """The claims that `mode` allows, checked with one random frame of `size` x `size` pixels.

    Raises ValueError where the nets are not a 2D and a 3D one with as many classes.
    """
    if (model_2d.dims, model_3d.dims) != (2, 3) or model_2d.num_classes != model_3d.num_classes:
        raise ValueError("expected a 2D net and its 3D net with as many classes")
    two, three = copy.deepcopy(model_2d).double().eval(), copy.deepcopy(model_3d).double().eval()
    frame = torch.randn(1, two.channels_in, 1, size, size, generator=torch.Generator().manual_seed(0)).double()
    of_frame = two(frame)

    def row(claim: str, exact: bool, of_clip: Tensor) -> StillClip:
        return StillClip(claim, exact, (of_clip - of_frame).abs().max().item(), of_frame.abs().max().item())

    def clip(frames: int) -> Tensor:
        return frame.repeat(1, 1, frames, 1, 1)

    if mode == "centre":
        return [row(f"everywhere, {frames} frames", True, three(clip(frames))) for frames in (2, 16)]
    with _padded_in_time(three, partial(_pad, mode="replicate")):
        rows = [row("everywhere, replicate padding in time, 16 frames", True, three(clip(16)))]
    rows.append(_interior(three, clip, row))
    rows.append(row("everywhere, zero padding as the net runs, 16 frames", False, three(clip(16))))
    return rows


def _interior(
    three: Recognizer, clip: Callable[[int], Tensor], row: Callable[[str, bool, Tensor], StillClip]
) -> StillClip:
    """Logits of the frames that no padding reaches, in the shortest clip that has any."""
    kept = count = 0

    def drop_reached(_: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        nonlocal kept, count
        unreached = inputs[0].isfinite().all(dim=(0, 1, 3, 4))
        kept, count = int(unreached.sum()), len(unreached)
        return inputs[0][:, :, unreached] if kept else inputs[0]

    handle = three.get_submodule("avgpool").register_forward_pre_hook(drop_reached)
    try:
        with _padded_in_time(three, partial(_pad, mode="constant", value=math.nan)):
            for frames in _CLIPS:
                logits = three(clip(frames))
                if kept:
                    return row(f"interior, {kept} of {count} frames of the last map, {frames} frames", True, logits)
    finally:
        handle.remove()
    return row(f"no interior: the padding reaches every frame of a clip of {_CLIPS[-1]}", False, logits)


@contextmanager
def _padded_in_time(model: nn.Module, fill: Callable[[Tensor, int], Tensor]) -> Iterator[None]:
    """Convolutions get the frames beyond the clip's ends from `fill(x, frames)` in place of zeros."""
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv3d) and int(m.padding[0]) > 0]
    before = [m.padding for m in convolutions]
    handles = []
    for m in convolutions:
        frames = int(m.padding[0])
        m.padding = (0, *m.padding[1:])
        handles.append(m.register_forward_pre_hook(partial(_fill, fill, frames)))
    try:
        yield
    finally:
        for m, padding, handle in zip(convolutions, before, handles, strict=True):
            m.padding = padding
            handle.remove()


def _fill(fill: Callable[[Tensor, int], Tensor], frames: int, _: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    return fill(inputs[0], frames)


def _pad(x: Tensor, frames: int, *, mode: str, value: float | None = None) -> Tensor:
    return pad(x, (0, 0, 0, 0, frames, frames), mode, value)
