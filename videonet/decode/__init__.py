"""Decoding: exact frames of a video by time or by index, from any file, with a named error for every bad one."""

from videonet.decode.clip import Clip, Emit
from videonet.decode.reader import (
    BACKENDS,
    Limits,
    NoVideoStream,
    OpenError,
    Source,
    TooLarge,
    Undecodable,
    VideoError,
    VideoInfo,
    VideoReader,
    open_video,
)

__all__ = [
    "BACKENDS",
    "Clip",
    "Emit",
    "Limits",
    "NoVideoStream",
    "OpenError",
    "Source",
    "TooLarge",
    "Undecodable",
    "VideoError",
    "VideoInfo",
    "VideoReader",
    "open_video",
]
