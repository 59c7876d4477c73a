"""What is in a video at each time? Windows over it go through the network as they come; nothing else is kept."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch

from videonet.data.preprocessing import Preprocessing
from videonet.data.transforms import Box
from videonet.data.windows import Window

from .analysis import average_views
from .forward import run_views
from .loss import Activation
from .predict import top_classes


@dataclass(frozen=True)
class Span:
    """What the network says of the time [start_seconds, stop_seconds)."""

    start_seconds: float
    stop_seconds: float
    probabilities: np.ndarray
    """float32 (K,)."""

    def to_dict(self, class_names: Sequence[str], k: int) -> dict[str, Any]:
        """For JSON: the `k` most probable classes."""
        top = [{"class": name, "probability": share} for name, share in top_classes(self.probabilities, class_names, k)]
        return {"start": round(self.start_seconds, 4), "stop": round(self.stop_seconds, 4), "top": top}


@dataclass(frozen=True)
class Hop:
    """Time from one window to the next, in seconds or in frames (ticks of the timeline)."""

    value: float
    unit: str

    @classmethod
    def parse(cls, text: str) -> Hop:
        """ "0.5s" or "8f". Raises ValueError."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|f)", text.strip())
        if not found or not float(found[1]) or (found[2] == "f" and "." in found[1]):
            raise ValueError(f"{text!r} is not a time such as 0.5s, nor a number of frames such as 8f")
        return cls(float(found[1]), found[2])

    def ticks(self, rate: float) -> int:
        """At `rate` ticks a second; at least 1."""
        return int(self.value) if self.unit == "f" else max(1, round(self.value * rate))


def stride_of(preprocessing: Preprocessing, rate: float, window_seconds: float | None) -> int:
    """Ticks from frame to frame of a window, on a timeline of `rate` ticks a second.

    Models of the dense sampler know their stride. One of the segment sampler (a frame from each part of a whole video)
    needs to be told how long a window is. Raises ValueError where that is missing, or given to the other kind.
    """
    p = preprocessing
    if p.sampler == "dense":
        if window_seconds is not None:
            raise ValueError(f"windows of this model are {p.frames} frames {p.stride} apart, whatever their length")
        return p.stride
    if window_seconds is None:
        raise ValueError(
            "this model takes a frame from each part of a video (segment sampler): say how long a window is"
        )
    return max(1, round(window_seconds * rate / p.frames))


def predict_windows(
    network: torch.nn.Module,
    windows: Iterable[Window],
    crops: Sequence[Box],
    preprocessing: Preprocessing,
    device: torch.device,
    precision: str,
    together: int,
    activation: Activation = "softmax",
) -> Iterator[Span]:
    """One span a window, in order; `together` windows at a time. `crops` are cut from the frames and averaged.

    activation: of the loss that the model was trained with, see `videonet.engine.loss`.
    """
    network.eval()
    windows = iter(windows)
    while some := list(islice(windows, together)):
        views = torch.stack([torch.stack([_cut(window.frames, crop) for crop in crops]) for window in some])
        logits = run_views(network, views, preprocessing, device, precision, len(crops) * together)  # (B, V, K)
        probabilities = average_views(logits.numpy(), activation=activation)
        for window, row in zip(some, probabilities, strict=True):
            yield Span(window.start_seconds, window.stop_seconds, row)


def _cut(frames: torch.Tensor, crop: Box) -> torch.Tensor:
    """uint8 (T, h, w, 3) -> (3, T, S, S)."""
    return crop.cut(frames).permute(3, 0, 1, 2)


def table(spans: Sequence[Span], class_names: Sequence[str], k: int, path: str, as_json: bool) -> str:
    """The spans as the text of a file: start and stop in seconds, and the `k` most probable classes."""
    rows = [span.to_dict(class_names, k) for span in spans]
    if as_json:
        return json.dumps({"path": path, "windows": rows}, indent=2, ensure_ascii=False) + "\n"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    places = range(1, min(k, len(class_names)) + 1)
    writer.writerow(["start", "stop", *(head for n in places for head in (f"class_{n}", f"probability_{n}"))])
    for row in rows:
        shares = [value for one in row["top"] for value in (one["class"], f"{one['probability']:.6f}")]
        writer.writerow([row["start"], row["stop"], *shares])
    return text.getvalue()


def span_at(spans: Sequence[Span], middles: np.ndarray, seconds: float) -> Span:
    """The span whose middle is nearest; `middles` are those of all, rising."""
    after = int(np.searchsorted(middles, seconds))
    if after == len(spans):
        return spans[-1]
    return spans[after - (after > 0 and seconds - middles[after - 1] < middles[after] - seconds)]
