"""The residual block y = post(branch(pre(x)) + shortcut(x)) (paper Eq. 1 and Fig. 1), and the layer factories.

Layout: (N, C, H, W) in a 2D net, (N, C, T, H, W) in a 3D net. Kernels and strides are (temporal, spatial) pairs;
a 2D net leaves the temporal number out, so that one description builds both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

Dims = Literal[2, 3]
Pair = tuple[int, int]
"""(temporal, spatial)"""

_CONV: dict[int, Callable[..., nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}
_NORM: dict[int, Callable[..., nn.Module]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_MAX_POOL: dict[int, Callable[..., nn.Module]] = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
_AVG_POOL: dict[int, Callable[..., nn.Module]] = {2: nn.AvgPool2d, 3: nn.AvgPool3d}


def conv(
    channels_in: int, channels_out: int, kernel: Pair, stride: Pair = (1, 1), groups: int = 1, *, dims: Dims
) -> nn.Module:
    """Convolution without bias, zero-padded so that stride 1 keeps the size and stride 2 halves it, rounding up."""
    size, step, pad = _spread(kernel, dims), _spread(stride, dims), _spread(_half(kernel), dims)
    return _CONV[dims](channels_in, channels_out, size, step, pad, groups=groups, bias=False)


def norm(channels: int, *, dims: Dims) -> nn.Module:
    """Batch normalisation (eps 1e-5, momentum 0.1)."""
    return _NORM[dims](channels)


def max_pool(kernel: Pair, stride: Pair, *, dims: Dims) -> nn.Module:
    """Max pooling padded as `conv` is."""
    return _MAX_POOL[dims](_spread(kernel, dims), _spread(stride, dims), _spread(_half(kernel), dims))


def avg_pool(stride: Pair, *, dims: Dims) -> nn.Module:
    """Spatial mean of each box of `stride`, of what there is of it at the border; time is skipped, not averaged."""
    size = _spread((1, stride[1]), dims)
    return _AVG_POOL[dims](size, _spread(stride, dims), ceil_mode=True, count_include_pad=False)


def run(owner: nn.Module, order: str, x: Tensor) -> Tensor:
    """`x` through children of `owner`: `order` is their names, separated by spaces."""
    for name in order.split():
        x = getattr(owner, name)(x)
    return x


def _spread(pair: Pair, dims: Dims) -> int | tuple[int, int, int]:
    time, space = pair
    return space if dims == 2 else (time, space, space)


def _half(kernel: Pair) -> Pair:
    return kernel[0] // 2, kernel[1] // 2


@dataclass(frozen=True)
class Wiring:
    """Order of a block's layers: names separated by spaces.

    In the table of `stage.py` "body" stands for the convolutions with what is between them, "norm" for the
    normalisation after the last one; `spelled` puts a kind of block in their place.
    """

    pre: str
    branch: str
    post: str
    projection_reads: Literal["x", "pre(x)"] = "x"

    def spelled(self, body: str, last_norm: str) -> Wiring:
        """The same order with the layers of one kind of block."""
        words = {"body": body, "norm": last_norm}
        pre, branch, post = (
            " ".join(words.get(word, word) for word in part.split()) for part in (self.pre, self.branch, self.post)
        )
        return replace(self, pre=pre, branch=branch, post=post)

    def layers(self) -> list[str]:
        """Names of the layers with parameters or state, in the order they run."""
        return [name for name in f"{self.pre} {self.branch} {self.post}".split() if name != "relu"]


def drop_path(y: Tensor, probability: float) -> Tensor:
    """Stochastic depth (Huang et al. 2016): each sample of `y` is 0 with this probability, and scaled up elsewhere.

    The mean stays what it was. Draws come from torch's generator. In a 2D net a sample is a frame.
    """
    kept = torch.empty(y.shape[0], *[1] * (y.ndim - 1), dtype=y.dtype, device=y.device).bernoulli_(1 - probability)
    return y * kept.div_(1 - probability)


class ResidualBlock(nn.Module):
    """post(branch(pre(x)) + shortcut(x)): layers by name, one ReLU in all its places.

    drop: probability with which the branch of a sample is left out in training.
    Keys: those of `layers`, and `downsample` for the shortcut.
    """

    def __init__(self, layers: Mapping[str, nn.Module], shortcut: nn.Module, wiring: Wiring, drop: float = 0.0) -> None:
        super().__init__()
        self.drop = drop
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.downsample = shortcut
        # In place, except where the first operation would overwrite the x that the shortcut still reads.
        self.relu = nn.ReLU(inplace=not wiring.pre.startswith("relu"))
        self.pre, self.branch, self.post = wiring.pre, wiring.branch, wiring.post
        self.shortcut_reads_pre = wiring.projection_reads == "pre(x)" and not isinstance(shortcut, nn.Identity)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, [T,] H, W) to (N, C', [T',] H', W')."""
        h = run(self, self.pre, x)
        s = self.downsample(h if self.shortcut_reads_pre else x)
        y = run(self, self.branch, h)
        if self.drop and self.training:
            y = drop_path(y, self.drop)
        y += s  # in place: y is fresh from a convolution, a norm or a product, and nothing else reads it
        return run(self, self.post, y)


@dataclass(frozen=True)
class BlockShape:
    """Sizes of one block."""

    channels_in: int
    inner: int
    """Channels of the spatial convolution."""
    channels_out: int
    stride: Pair = (1, 1)
    groups: int = 1
    times: Pair = (1, 1)
    """Temporal kernels of conv1 and conv2."""


def bottleneck_layer(name: str, shape: BlockShape, *, dims: Dims) -> nn.Module:
    """One layer of the block 1x1, 3x3 (stride and groups here), 1x1."""
    match name:
        case "conv1":
            return conv(shape.channels_in, shape.inner, (shape.times[0], 1), dims=dims)
        case "conv2":
            return conv(shape.inner, shape.inner, (shape.times[1], 3), shape.stride, shape.groups, dims=dims)
        case "conv3":
            return conv(shape.inner, shape.channels_out, (1, 1), dims=dims)
    channels = {"bn0": shape.channels_in, "bn1": shape.inner, "bn2": shape.inner, "bn3": shape.channels_out}
    return norm(channels[name], dims=dims)


def basic_layer(name: str, shape: BlockShape, *, dims: Dims) -> nn.Module:
    """One layer of the block 3x3 (stride here), 3x3; conv1 is spatial too, so it takes the longer temporal kernel."""
    match name:
        case "conv1":
            return conv(shape.channels_in, shape.inner, (max(shape.times), 3), shape.stride, dims=dims)
        case "conv2":
            return conv(shape.inner, shape.channels_out, (shape.times[1], 3), dims=dims)
    channels = {"bn0": shape.channels_in, "bn1": shape.inner, "bn2": shape.channels_out}
    return norm(channels[name], dims=dims)
