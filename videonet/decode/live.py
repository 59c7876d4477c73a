"""A video that is still coming: a pipe, a camera, a stream on the network. It cannot be sought, its end is not known.

Frames come as they are decoded, RGB, upright and all of the size of the first; only one is in memory. Times are seconds
after the first frame. A clock that jumps back (a camera that was plugged in again) goes on where it stood.
"""

import sys
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import BinaryIO, Self

import av
import torch

from videonet.decode.errors import BackendMissing, NoVideoStream, OpenError, Undecodable
from videonet.decode.limits import DEFAULT_LIMITS, Limits
from videonet.decode.pixels import ToRgb
from videonet.decode.remote import is_url
from videonet.decode.track import decode

# What FFmpeg calls the cameras of a platform, and how it wants the first of them, 0, to be named.
CAMERAS: dict[str, tuple[str, Callable[[str], str]]] = {
    "linux": ("v4l2", lambda name: f"/dev/video{name}" if name.isdecimal() else name),
    "darwin": ("avfoundation", lambda name: name),
    "win32": ("dshow", lambda name: name if name.startswith("video=") else f"video={name}"),
}


class LiveVideo:
    """An open stream; iterating gives (seconds, uint8 (H, W, 3)) until it ends. A context manager."""

    def __init__(
        self, source: str | BinaryIO, name: str, container: str | None = None, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        """Opens it and waits for the first frame.

        source: what FFmpeg opens, or a binary file, which need not be seekable. name: for messages. container: FFmpeg's
        name of the input format; None: told by the data. Raises OpenError, NoVideoStream, Undecodable or TooLarge.
        """
        self.name, self._limits = name, limits
        self.damaged = 0
        """Packets that could not be decoded so far."""
        try:
            self._container = av.open(source, "r", format=container, metadata_errors="replace")
        except (av.FFmpegError, OSError, ValueError) as error:
            reason = f"cannot be opened ({getattr(error, 'strerror', None) or error})"
            raise OpenError(name, reason, "check that it is there, is a video, and is not in use") from error
        try:
            if not self._container.streams.video:
                raise NoVideoStream(name, "no video track in this stream")
            self._stream = self._container.streams.video[0]
            self._stream.codec_context.thread_type = "SLICE"
            self.fps = float(self._stream.average_rate or self._stream.guessed_rate or 25)
            self.half_tick_seconds = float(self._stream.time_base or 0) / 2
            self._pictures = self._decoded()
            first = next(self._pictures, None)
            if first is None:
                raise Undecodable(name, "the stream ended before its first frame")
            self._first: av.VideoFrame | None = first
            self._to_rgb = ToRgb(name, first)
        except BaseException:
            self._container.close()
            raise

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the frames."""
        width, height = self._to_rgb.size
        return (width, height) if self._to_rgb.quarter_turns % 2 else (height, width)

    def __iter__(self) -> Iterator[tuple[float, torch.Tensor]]:
        """Once only. Raises Undecodable where the stream breaks off, TooLarge where it grows past the limits."""
        last = shift = 0.0
        start: float | None = None
        frame = self._first
        self._first = None
        while frame is not None:
            at = frame.time if frame.time is not None else (start or 0.0) - shift + last + 1 / self.fps
            if start is None:
                start, seconds = at, 0.0
            else:
                seconds = at - start + shift
                if seconds <= last:
                    shift += last + 1 / self.fps - seconds
                    seconds = last + 1 / self.fps
            yield seconds, self._to_rgb(frame)
            last = seconds
            frame = next(self._pictures, None)

    def _decoded(self) -> Iterator[av.VideoFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except av.EOFError:
                packet = None
            except (av.FFmpegError, OSError) as error:
                raise Undecodable(self.name, f"the stream broke off ({error.strerror})", "start it again") from error
            if packet is None:
                return
            frames = decode(self._stream.codec_context, packet)
            self.damaged += frames is None
            for frame in frames or ():
                self._limits.check_size(self.name, frame.width, frame.height)
                yield frame

    def close(self) -> None:
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_camera(name: str, limits: Limits = DEFAULT_LIMITS) -> LiveVideo:
    """A camera by its number or name, or a stream by its URL (rtsp://...); "lavfi:GRAPH" is a source FFmpeg draws.

    Raises what `LiveVideo` raises, and BackendMissing where PyAV's FFmpeg cannot read cameras of this platform.
    """
    if is_url(name):
        return LiveVideo(name, name, limits=limits)
    if name.startswith("lavfi:"):
        container, device = "lavfi", name.removeprefix("lavfi:")
    elif sys.platform in CAMERAS:
        container, spelled = CAMERAS[sys.platform]
        device = spelled(name)
    else:
        raise BackendMissing(f"camera {name}: it is not known how {sys.platform} names cameras; give a URL instead")
    try:
        av.format.ContainerFormat(container, "r")
    except ValueError:
        raise BackendMissing(
            f"camera {name}: this build of PyAV has no {container!r} input; pipe the camera in: "
            f"ffmpeg -f {container} -i {device} -f mpegts - | videonet predict - ..."
        ) from None
    return LiveVideo(device, f"camera {name} ({device})", container, limits)
