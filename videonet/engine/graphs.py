"""CUDA graphs: forward and backward pass of a deep, narrow network as two launches in place of thousands."""

from __future__ import annotations

import torch
from torch import nn

from .forward import autocast
from .spread import unmoved


class GraphError(ValueError):
    """A batch is not of the size that was captured; the message says the way out."""


class _Pass(nn.Module):
    """The network with its precision; captured in place of the network itself, which stays as it is."""

    def __init__(self, network: nn.Module, precision: str) -> None:
        super().__init__()
        self.network, self._precision = network, precision

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        # without autocast's cache, whose entries would outlive the capture
        with autocast(clips.device, self._precision, cache=False):
            logits: torch.Tensor = self.network(clips).float()
        return logits


class Captured(nn.Module):
    """(N, 3, T, S, S) -> float32 (N, K), for clips of the shape of `sample` alone.

    Capture before DDP wraps it. Capturing runs the network; its statistics and the random numbers are then as before.
    Raises GraphError for another shape.
    """

    def __init__(self, network: nn.Module, precision: str, sample: torch.Tensor) -> None:
        super().__init__()
        with unmoved(network):
            self._graphed = torch.cuda.make_graphed_callables(_Pass(network, precision), (sample.clone(),))
        self._shape = sample.shape

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        if clips.shape != self._shape:
            raise GraphError(
                f"a batch of {len(clips)} clips came where train.cuda_graph has captured {self._shape[0]} (videos that "
                f"cannot be read leave short batches); delist the quarantined videos, or train without cuda_graph"
            )
        logits = self._graphed(clips)
        assert isinstance(logits, torch.Tensor)
        return logits
