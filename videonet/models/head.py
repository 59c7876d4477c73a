"""The head (Table I, "ending"): mean over time and space, dropout, one linear layer.

It reads (N, C, T, H, W) in 2D and 3D nets alike; the mean over the frames before the linear layer is the mean of their
logits after it (temporal segment networks).
"""

from __future__ import annotations

from torch import nn

from videonet.models.block import norm


def head(channels: int, classes: int, dropout: float, *, last_norm: bool) -> dict[str, nn.Module]:
    """Layers from (N, channels, T, H, W) to logits (N, classes), in order; `flatten` gives the pooled (N, channels).

    last_norm: starts with a normalisation, as pre-activation nets need; the net's own ReLU goes behind it.
    """
    layers: dict[str, nn.Module] = {"bn_last": norm(channels, dims=3)} if last_norm else {}
    return layers | {
        "avgpool": nn.AdaptiveAvgPool3d(1),
        "flatten": nn.Flatten(1),
        "dropout": nn.Dropout(dropout),
        "fc": nn.Linear(channels, classes),
    }
