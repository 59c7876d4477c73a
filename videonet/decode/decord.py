"""The decord backend (extra `decoders`; decord2 off x86, under the same import name): batched calls, one thread.

Rotation is applied by the library.
"""

from types import ModuleType
from typing import BinaryIO

import numpy as np
import torch

from videonet.decode.batched import Library, Opened
from videonet.decode.errors import BackendMissing

INSTALL = "install it with: pip install 'videonet[decoders]' (decord on x86, decord2 elsewhere)"


def _module() -> ModuleType:
    try:
        import decord
    except (ImportError, OSError, RuntimeError) as error:
        raise BackendMissing(f"backend 'decord' does not work here ({error}); {INSTALL}") from error
    return decord


def _open(source: str | BinaryIO, stream: int) -> Opened:
    reader = _module().VideoReader(source, num_threads=1)
    starts_seconds = reader.get_frame_timestamp(list(range(len(reader))))[:, 0]  # of its index, not of what it decodes

    def fetch(indices: list[int]) -> tuple[torch.Tensor, np.ndarray]:
        return torch.from_numpy(reader.get_batch(indices).asnumpy()), starts_seconds[indices]

    return Opened(len(reader), float(starts_seconds[0]), fetch)


def library() -> Library:
    """The row of decord; raises BackendMissing."""
    return Library(
        name="decord",
        open=_open,
        errors=(_module().DECORDError, RuntimeError),
        wrong_on=(
            "frames without times of their own",
            "an MPEG transport stream",
            "an MPEG program stream",
            "periodic intra refresh",
            "open groups of pictures",
        ),
    )
