"""Inference on uint8 views: the one path of test, prediction and features."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch

from videonet.data.preprocessing import Preprocessing

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(device: torch.device, precision: str, cache: bool = True) -> AbstractContextManager[None]:
    """Mixed precision on `device`; fp32 switches it off. cache: cast a weight once, however often it is used."""
    return torch.autocast(device.type, PRECISIONS[precision], enabled=precision != "fp32", cache_enabled=cache)


@torch.inference_mode()
def run_views(
    network: Callable[[torch.Tensor], torch.Tensor],
    views: torch.Tensor,
    preprocessing: Preprocessing,
    device: torch.device,
    precision: str,
    max_views: int,
) -> torch.Tensor:
    """(B, V, 3, T, S, S) uint8 -> (B, V, ...) float32 on the CPU, at most `max_views` views on the device at once."""
    flat = views.flatten(0, 1)  # (B * V, 3, T, S, S)
    outputs = []
    for chunk in flat.split(max_views):
        x = preprocessing.normalise(chunk.to(device, non_blocking=True))
        with autocast(device, precision):
            outputs.append(network(x).float().cpu())
    return torch.cat(outputs).unflatten(0, views.shape[:2])
