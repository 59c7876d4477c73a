"""The stem (Table I, "starting"): convolution, normalisation, ReLU and, where the family has it, a 3x3 max pool."""

from __future__ import annotations

from torch import nn

from videonet.models.block import Dims, Pair, conv, max_pool, norm


def stem(
    channels_in: int, channels_out: int, kernel: Pair, stride: Pair, *, pool: bool, dims: Dims
) -> dict[str, nn.Module]:
    """Layers of the stem by name, in the order they run; the pool halves height and width, never time."""
    layers: dict[str, nn.Module] = {
        "conv1": conv(channels_in, channels_out, kernel, stride, dims=dims),
        "bn1": norm(channels_out, dims=dims),
        "relu": nn.ReLU(inplace=True),
    }
    if pool:
        layers["maxpool"] = max_pool((1, 3), (1, 2), dims=dims)
    return layers
