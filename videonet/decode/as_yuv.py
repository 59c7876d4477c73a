"""Any reader as one that gives YUV frames, for sources that are RGB by nature, such as images."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch

from videonet.decode.clip import Clip, Emit, Emits, Timeline
from videonet.decode.reader import OpenVideo, VideoInfo, VideoReader
from videonet.decode.yuv import Colour, YuvFrame, from_rgb

COLOUR = Colour("bt601", full_range=True)


class YuvOfRgb(OpenVideo):
    """A `VideoReader` whose frames are those of an RGB `reader`, turned into YUV of full range. Closes it on close."""

    def __init__(self, reader: VideoReader) -> None:
        self._reader = reader

    @property
    def info(self) -> VideoInfo:
        return self._reader.info

    @property
    def timeline(self) -> Timeline:
        return self._reader.timeline

    def at(self, seconds: Sequence[float], emit: Emits | None = None) -> Clip:
        return replace(self._reader.at(seconds, _each(emit)), colour=COLOUR)

    def at_index(self, indices: Sequence[int], emit: Emits | None = None) -> Clip:
        return replace(self._reader.at_index(indices, _each(emit)), colour=COLOUR)

    def stream(
        self, start_seconds: float = 0.0, stop_seconds: float | None = None, emit: Emit | None = None
    ) -> Iterator[tuple[float, torch.Tensor]]:
        return self._reader.stream(start_seconds, stop_seconds, _of_rgb(emit or YuvFrame.packed))

    def stream_index(self, indices: Sequence[int], emit: Emit | None = None) -> Iterator[torch.Tensor]:
        return self._reader.stream_index(indices, _of_rgb(emit or YuvFrame.packed))

    @property
    def bad_streamed(self) -> int:
        return self._reader.bad_streamed

    def close(self) -> None:
        self._reader.close()


def _each(emit: Emits | None) -> Emits:
    return [_of_rgb(one) for one in emit] if isinstance(emit, Sequence) else _of_rgb(emit or YuvFrame.packed)


def _of_rgb(emit: Emit) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda image: emit(from_rgb(image, COLOUR))
