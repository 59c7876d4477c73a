"""The one preprocessing object of a model: how a video becomes the numbers the network sees.

It is stored in the checkpoint and serves training, test, prediction and features alike.
"""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch

from videonet.decode.reader import Clip, Emits, VideoInfo, VideoReader

from . import clips


@dataclass(frozen=True)
class Preprocessing:
    """Sampling in time, geometry at test, and normalisation; fields as `videonet.config.schema.ClipConfig`."""

    sampler: Literal["dense", "segment"]
    frames: int
    stride: int
    fps: float | None
    crop: int
    short_side: int
    fit: Literal["crop", "letterbox"]
    input: Literal["rgb", "centred", "difference", "raw"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    short: clips.Short = "hold"
    pixels: Literal["rgb", "yuv"] = "rgb"

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Preprocessing:
        """From what `to_dict` gave (also after a trip through JSON)."""
        return cls(**{**values, "mean": tuple(values["mean"]), "std": tuple(values["std"])})

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return asdict(self)

    def ticks(self, info: VideoInfo) -> int:
        """Length of the video's timeline: its frames, or its duration at `fps`."""
        return self.ticks_of(info.frames, info.duration_seconds)

    def ticks_of(self, frames: int, duration_seconds: float) -> int:
        """The same of a video that is not at hand."""
        return frames if self.fps is None else max(1, round(duration_seconds * self.fps))

    def read(self, reader: VideoReader, ticks: clips.Indices, emit: Emits) -> Clip:
        """Frames on screen at these ticks (1-D); one `emit` for all, or one a tick."""
        if self.fps is None:
            return reader.at_index(ticks.tolist(), emit)
        return reader.at((ticks / self.fps).tolist(), emit)

    def normalise(self, views: torch.Tensor) -> torch.Tensor:
        """(N, 3, T, H, W) uint8 -> float32 of the same shape, on the tensor's device.

        "rgb": (x / 255 - mean) / std. "centred": less the mean over T, over std. "difference": less the frame before,
        over std, the first frame 0. "raw": the views as they are, for a network that normalises them itself.
        """
        if views.ndim != 5 or views.shape[1] != 3 or views.dtype != torch.uint8:
            raise ValueError(f"expected uint8 (N, 3, T, H, W), got {views.dtype} {tuple(views.shape)}")
        if self.input == "raw":
            return views
        x = views.float()
        if self.input == "centred":
            x -= x.mean(dim=2, keepdim=True)
        elif self.input == "difference":
            x -= torch.cat([views[:, :, :1], views[:, :, :-1]], dim=2)
        else:
            x -= _levels(self.mean, x.device)
        return x.div_(_levels(self.std, x.device))


def _levels(shares: tuple[float, float, float], device: torch.device) -> torch.Tensor:
    """float32 (3, 1, 1, 1), of 255."""
    return _new_levels(shares, device) if torch.compiler.is_compiling() else _kept_levels(shares, device)


def _new_levels(shares: tuple[float, float, float], device: torch.device) -> torch.Tensor:
    with torch.inference_mode(False):
        return torch.tensor(shares, device=device).view(3, 1, 1, 1) * 255.0


_kept_levels = functools.cache(_new_levels)
"""Kept on the device: a copy of three numbers would wait for all that runs there. Never what a tracer makes of it."""
