"""Where the time of the training steps goes: seconds a part, measured on the device where the parts run there."""

from __future__ import annotations

import time

import torch

PARTS = ("data", "copy", "forward", "backward", "update")


class Clock:
    """`start(part)` ends the part before; `read()` gives the seconds of each since the last reading."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._marks: list[tuple[str, float | torch.cuda.Event]] = []

    def begin(self, part: str) -> None:
        """As `start`, and what was not read is forgotten: an epoch's steps begin after the test of the one before."""
        self._marks = []
        self.start(part)

    def start(self, part: str) -> None:
        """From now on time counts for `part`; no wait for the device."""
        mark: float | torch.cuda.Event = time.perf_counter()
        if self._cuda:
            mark = torch.cuda.Event(enable_timing=True)
            mark.record()
        self._marks.append((part, mark))

    def read(self) -> dict[str, float]:
        """Seconds of each part; waits for the device to have finished them. The part now running goes on from here."""
        seconds = dict.fromkeys(PARTS, 0.0)
        if not self._marks:
            return seconds
        running = self._marks[-1][0]
        self.start(running)
        for (part, begin), (_, end) in zip(self._marks, self._marks[1:], strict=False):
            seconds[part] += _between(begin, end)
        self._marks = self._marks[-1:]
        return seconds


def _between(begin: float | torch.cuda.Event, end: float | torch.cuda.Event) -> float:
    if isinstance(begin, float) or isinstance(end, float):
        assert isinstance(begin, float)
        assert isinstance(end, float)
        return end - begin
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1000


def advice(seconds: dict[str, float], cores_a_rank: float, workers: int) -> str:
    """One line: what the steps wait for most, and which setting to turn."""
    whole = sum(seconds.values())
    if not whole:
        return "no step was timed"
    share = {part: spent / whole for part, spent in seconds.items()}
    split = ", ".join(f"{part} {100 * share[part]:.0f} %" for part in PARTS)
    if share["data"] > 0.2:
        if workers < cores_a_rank:
            knob = f"raise data.workers above {workers} ({cores_a_rank:.0f} cores a rank)"
        else:
            knob = "make training copies (videonet prepare), or set train.clips_per_video=2 or clip.pixels=yuv"
        return f"{split}: the network waits for videos; {knob}"
    if share["copy"] > 0.2:
        return f"{split}: copying to the device takes long; look for another process on its bus"
    return f"{split}: the network is what takes time; try train.precision=bf16, train.channels_last, train.compile"
