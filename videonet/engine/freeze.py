"""What of a network does not learn: its first stages, its batch norms."""

from __future__ import annotations

from typing import Literal

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

BatchNorms = Literal["train", "frozen", "partial", "sync"]


def freeze(model: nn.Module, stages: int, batch_norm: BatchNorms) -> list[nn.Module]:
    """Take gradients from what is frozen; returns the modules to keep in eval mode, after each `model.train()`.

    stages: 0: none. k: the stem and the first k - 1 stages (`layer1` is stage 1).
    batch_norm: frozen: no batch norm moves, neither statistics nor scales. partial: all but the first (TSN).
    Raises ValueError for more stages than the network has.
    """
    parts = [name for name, _ in model.named_children() if name.startswith("layer")]
    if stages and not parts:
        raise ValueError(f"train.frozen_stages {stages} needs a network with stages (layer1 ...); this has none")
    if stages > len(parts) + 1:
        raise ValueError(
            f"train.frozen_stages {stages} is more than the stem and the {len(parts)} stages of the network"
        )
    learning = set(parts[max(0, stages - 1) :]) if stages else None
    still: list[nn.Module] = []
    for name, child in model.named_children():
        if learning is None or name in learning:
            continue
        if name.startswith("layer") or name in _STEM:
            still.append(child)
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if batch_norm in ("frozen", "partial"):
        still += norms[1 if batch_norm == "partial" else 0 :]
    for module in still:
        module.requires_grad_(False)
    return still


_STEM = frozenset({"conv1", "bn1"})
