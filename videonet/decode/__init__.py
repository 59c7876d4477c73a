"""Decoding: exact frames of a video by time or by index, from any file, with a named error for every bad one."""

from videonet.decode.clip import Clip, Emit, Emits
from videonet.decode.reader import (
    BACKENDS,
    BackendMissing,
    Limits,
    NoVideoStream,
    Opener,
    OpenError,
    Refused,
    Source,
    TimedOut,
    TooLarge,
    Undecodable,
    VideoError,
    VideoInfo,
    VideoReader,
    open_video,
)
from videonet.decode.yuv import Colour, EvenCut, YuvFrame, to_rgb

__all__ = [
    "BACKENDS",
    "BackendMissing",
    "Clip",
    "Colour",
    "Emit",
    "Emits",
    "EvenCut",
    "Limits",
    "NoVideoStream",
    "OpenError",
    "Opener",
    "Refused",
    "Source",
    "TimedOut",
    "TooLarge",
    "Undecodable",
    "VideoError",
    "VideoInfo",
    "VideoReader",
    "YuvFrame",
    "open_video",
    "to_rgb",
]
