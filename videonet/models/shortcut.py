"""The shortcut of a residual block (paper section III-B, Fig. 2): identity, or a projection where the size changes.

A projection first brings the space (and time) to size, then the channels by a 1x1 convolution and a normalisation:

    conv      nothing; the 1x1 convolution itself takes the stride and skips 3 of 4 activations   [5], Fig. 2(a)
    avgpool   2x2 mean                                                                            [7], Table IV
    maxpool   3x3 maximum, over the window of the block's own 3x3 convolution                     Fig. 2(b)
"""

from __future__ import annotations

from typing import Literal

from torch import nn

from videonet.models.block import Dims, Pair, avg_pool, conv, max_pool, norm

Projection = Literal["conv", "avgpool", "maxpool"]


def shortcut(kind: Projection, channels_in: int, channels_out: int, stride: Pair, *, dims: Dims) -> nn.Module:
    """Shortcut from (N, channels_in, ...) to (N, channels_out, ... / stride); no layer that would change nothing."""
    layers: list[nn.Module] = []
    if stride != (1, 1) and kind == "maxpool":
        layers.append(max_pool((3 if stride[0] > 1 else 1, 3), stride, dims=dims))
    elif stride != (1, 1) and kind == "avgpool":
        layers.append(avg_pool(stride, dims=dims))
    step = (1, 1) if layers else stride
    if channels_in != channels_out or step != (1, 1):
        layers += [conv(channels_in, channels_out, (1, 1), step, dims=dims), norm(channels_out, dims=dims)]
    return nn.Sequential(*layers) if layers else nn.Identity()
