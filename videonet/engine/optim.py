"""Optimizers by name, and which parameters get which rate and decay."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import nn

OPTIMIZERS = ("sgd", "adamw", "lars", "lamb")


def make_optimizer(
    name: str,
    groups: list[dict[str, Any]],
    lr: float,
    momentum: float,
    weight_decay: float,
    nesterov: bool = False,
    fused: bool | None = None,
) -> torch.optim.Optimizer:
    """SGD with momentum (the paper), AdamW and LAMB with beta1 = momentum, LARS with momentum (both timm's).

    groups: of `parameter_groups`. fused: one kernel for all weights, SGD and AdamW alone; None: on GPUs.
    Raises ValueError for an unknown name, and where timm is needed and not installed.
    """
    if name in ("sgd", "adamw"):
        fused = groups[0]["params"][0].is_cuda if fused is None else fused
    if name == "sgd":
        return torch.optim.SGD(groups, lr, momentum, weight_decay=weight_decay, nesterov=nesterov, fused=fused)
    if name == "adamw":
        return torch.optim.AdamW(groups, lr, betas=(momentum, 0.999), weight_decay=weight_decay, fused=fused)
    if name not in OPTIMIZERS:
        raise ValueError(f"optimizer {name!r} is not known; known: {', '.join(OPTIMIZERS)}")
    if fused:
        raise ValueError(f"optim.fused goes with sgd and adamw, not with {name}")
    try:
        from timm.optim import Lamb, Lars
    except ImportError:
        raise ValueError(f"optimizer {name!r} is timm's, which is not installed: pip install 'videonet[zoo]'") from None
    optimizer: torch.optim.Optimizer
    if name == "lars":
        optimizer = Lars(groups, lr, momentum, weight_decay=weight_decay, nesterov=nesterov)
    else:
        optimizer = Lamb(groups, lr, betas=(momentum, 0.999), weight_decay=weight_decay)
    return optimizer


def parameter_groups(
    model: nn.Module, decay_norm_and_bias: bool = True, layer_decay: float = 1.0
) -> list[dict[str, Any]]:
    """Groups of the learning parameters for an optimizer: `params`, `lr_scale`, and `weight_decay` where it is 0.

    decay_norm_and_bias: False: no weight decay on vectors (scales and shifts of norms, biases).
    layer_decay: each block, from the classifier down to the stem, learns at this share of the rate of the one above.
    """
    depths = {name: _block(name) for name, parameter in model.named_parameters() if parameter.requires_grad}
    order = sorted(set(depths.values()))
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        above = len(order) - 1 - order.index(depths[name]) if layer_decay != 1.0 else 0
        decays = decay_norm_and_bias or parameter.ndim > 1
        group = groups.setdefault((above, decays), {"params": [], "lr_scale": layer_decay**above})
        if not decays:
            group["weight_decay"] = 0.0
        group["params"].append(parameter)
    if not groups:
        raise ValueError("no parameter of the network learns; freeze less")
    return list(groups.values())


def set_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """The learning rate of every group: `lr` times its `lr_scale`."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("lr_scale", 1.0)


def _block(name: str) -> tuple[int, int]:
    """Where a parameter stands: (stage, block) with the stem at (0, 0) and what follows the stages last."""
    inside = re.match(r"layer(\d+)\.(\d+)\.", name) or re.match(r"layer(\d+)()\.", name)
    if inside:
        return int(inside[1]), int(inside[2] or 0)
    return (0, 0) if re.match(r"(conv1|bn1)\.", name) else (99, 0)
