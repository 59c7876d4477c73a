"""Batches on their way to the device: the next one is copied and made ready while the network works on this one.

A step asks for its batch as soon as the step before was asked of the device, which is long before the device has done
it. On a GPU the copy from pinned memory and the normalisation then run on a stream of their own, beside the network.
Nothing is taken from the loader ahead of its step (the loader reads ahead by itself), so that a run's position, its
failed videos and the names of a batch need no second bookkeeping.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import torch

from videonet.data.batch import Batch

Tensors = tuple[torch.Tensor, ...]


class Feed:
    """`feed(batch)` is `make_ready(batch)`, tensors on `device`; on the CPU that is all.

    On a GPU at most two batches are there at a time, the one in the network and the next: whoever runs further ahead
    of the device waits.
    """

    def __init__(self, device: torch.device, make_ready: Callable[[Batch], Tensors]) -> None:
        self._device, self._make_ready = device, make_ready
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._ends: deque[torch.cuda.Event] = deque()
        """Of the steps that were asked of the device and may still be running."""

    def __call__(self, batch: Batch) -> Tensors:
        """To be called once a step, by the thread that asks the device for the step."""
        if self._stream is None:
            return self._make_ready(batch)
        network = torch.cuda.current_stream(self._device)
        end = torch.cuda.Event()
        end.record(network)  # of the step before
        self._ends.append(end)
        if len(self._ends) > 1:
            self._ends.popleft().synchronize()
        with torch.cuda.stream(self._stream):
            tensors = self._make_ready(batch)
        network.wait_stream(self._stream)
        for tensor in tensors:
            tensor.record_stream(network)  # its memory is not used again before the network has read it
        return tensors
