"""Optimizers: torch.optim's, by name."""

from __future__ import annotations

from collections.abc import Iterable

import torch

OPTIMIZERS = ("sgd", "adamw")


def make_optimizer(
    name: str,
    parameters: Iterable[torch.nn.Parameter],
    lr: float,
    momentum: float,
    weight_decay: float,
    nesterov: bool = False,
) -> torch.optim.Optimizer:
    """SGD with momentum (the paper), or AdamW with beta1 = momentum. Weight decay applies to every parameter."""
    if name == "sgd":
        return torch.optim.SGD(parameters, lr, momentum, weight_decay=weight_decay, nesterov=nesterov)
    if name == "adamw":
        return torch.optim.AdamW(parameters, lr, betas=(momentum, 0.999), weight_decay=weight_decay)
    raise ValueError(f"optimizer {name!r} is not known; known: {', '.join(OPTIMIZERS)}")


def set_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """The same learning rate for every group."""
    for group in optimizer.param_groups:
        group["lr"] = lr
