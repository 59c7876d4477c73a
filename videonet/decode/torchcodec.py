"""The torchcodec backend (extra `decoders`, and FFmpeg's libraries): exact seeks, batched calls, one thread.

Only `get_frames_at` is used: `get_frame_played_at` was measured to give wrong frames where the rate varies. Rotation is
applied by the library.
"""

import functools
from typing import Any, BinaryIO

import numpy as np
import torch

from videonet.decode.batched import Library, Opened
from videonet.decode.errors import BackendMissing

INSTALL = "install it with: pip install 'videonet[decoders]', and FFmpeg (apt install ffmpeg, or conda install ffmpeg)"

# A GIF of one pixel. The package imports without FFmpeg's libraries, and fails at its first decoder.
ONE_PIXEL = bytes.fromhex("47494638396101000100800000ffffff00000021f90400000000002c00000000010001000002024401003b")


@functools.cache
def _decoder_class() -> Any:
    """The library's VideoDecoder, once it has been seen to work; raises BackendMissing."""
    try:
        from torchcodec.decoders import VideoDecoder

        VideoDecoder(ONE_PIXEL)
    except (ImportError, OSError, RuntimeError) as error:
        raise BackendMissing(f"backend 'torchcodec' does not work here ({error}); {INSTALL}") from error
    return VideoDecoder


def _open(source: str | BinaryIO, stream: int) -> Opened:
    decoder = _decoder_class()(source, stream_index=stream, dimension_order="NHWC", num_ffmpeg_threads=1, device="cpu")

    def fetch(indices: list[int]) -> tuple[torch.Tensor, np.ndarray]:
        batch = decoder.get_frames_at(indices)
        return batch.data, batch.pts_seconds.numpy()

    return Opened(len(decoder), decoder.metadata.begin_stream_seconds, fetch)


def library() -> Library:
    """The row of torchcodec; raises BackendMissing."""
    _decoder_class()
    return Library(
        name="torchcodec",
        open=_open,
        errors=(RuntimeError, ValueError, IndexError),
        wrong_on=(
            "frames without times of their own",
            "an MPEG transport stream",
            "an MPEG program stream",
            "periodic intra refresh",
        ),
    )
