"""The head (Table I, "ending"): mean over time and space, dropout, one linear layer.

It reads (N, C, T, H, W) in 2D and 3D nets alike; averaging the frames before the linear layer is averaging their
logits (temporal segment networks).
"""

from __future__ import annotations

from torch import nn

from videonet.models.block import norm


def pooling(channels: int, *, activate: bool) -> dict[str, nn.Module]:
    """Layers from (N, channels, T, H, W) to (N, channels); `activate`: BN and ReLU first (pre-activation nets)."""
    layers: dict[str, nn.Module] = {}
    if activate:
        layers = {"bn_last": norm(channels, dims=3), "relu_last": nn.ReLU(inplace=True)}
    return layers | {"avgpool": nn.AdaptiveAvgPool3d(1), "flatten": nn.Flatten(1)}


def classifier(features: int, classes: int, dropout: float) -> dict[str, nn.Module]:
    """Layers from (N, features) to logits (N, classes)."""
    return {"dropout": nn.Dropout(dropout), "fc": nn.Linear(features, classes)}
