"""Inference on uint8 views: the one path of test, prediction and features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import torch

from videonet.data.batch import Batch
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


def run_batch(
    network: Callable[[torch.Tensor], torch.Tensor],
    batch: Batch,
    preprocessing: Preprocessing,
    device: torch.device,
    precision: str,
    max_views: int,
) -> torch.Tensor:
    """The views of a batch, (B, V, ...) float32 on the CPU."""
    groups = finished_groups(batch, device, max_views)
    return torch.cat([run_views(network, views, preprocessing, device, precision, max_views) for views in groups])


def finished_groups(batch: Batch, device: torch.device, max_views: int) -> Iterator[torch.Tensor]:
    """uint8 (b, V, 3, T, S, S), the batch's videos in turn. What is finished on the device comes in groups of at most
    `max_views` views, or one video: a batch may be larger than the device's memory. The rest is still on the CPU.
    """
    if isinstance(batch.views, torch.Tensor):
        yield batch.views
        return
    _, first = batch.views[0]
    together = max(1, max_views // (len(first.rows) * len(first.crops)))  # videos
    for start in range(0, len(batch), together):
        some = batch.views[start : start + together]
        yield torch.stack([finish(pixels.to(device, non_blocking=True)) for pixels, finish in some])
