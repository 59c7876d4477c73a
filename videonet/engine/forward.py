"""Inference on uint8 views: the one path of test, prediction and features."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch

from videonet.data.batch import Batch
from videonet.data.preprocessing import Preprocessing

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(device: torch.device, precision: str) -> AbstractContextManager[None]:
    """Mixed precision on `device`; fp32 switches it off."""
    return torch.autocast(device.type, PRECISIONS[precision], enabled=precision != "fp32")


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
    """The views of a batch, (B, V, ...) float32 on the CPU. Never more than `max_views` of them, or those of one video
    that is finished there, are on the device: a batch may be larger than its memory.
    """
    if isinstance(batch.views, torch.Tensor):
        return run_views(network, batch.views, preprocessing, device, precision, max_views)
    _, first = batch.views[0]
    together = max(1, max_views // (len(first.rows) * len(first.crops)))  # videos
    outputs = []
    for start in range(0, len(batch), together):
        some = batch.views[start : start + together]
        views = torch.stack([finish(planes.to(device, non_blocking=True)) for planes, finish in some])
        outputs.append(run_views(network, views, preprocessing, device, precision, max_views))
    return torch.cat(outputs)
