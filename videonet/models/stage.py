"""A stage: residual blocks at one resolution, wired by their place in it (paper section III-A).

`WIRINGS` is the paper's Figure 1. The state-dict keys of a stage are "0", "1", ... in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from videonet.models.block import BlockShape, Dims, ResidualBlock, Wiring, basic_layer, bottleneck_layer
from videonet.models.shortcut import Projection, shortcut

BlockKind = Literal["bottleneck", "basic"]
Place = Literal["only", "start", "second", "middle", "end", "second and end"]

_LAYER = {"bottleneck": bottleneck_layer, "basic": basic_layer}
_BODY = {"bottleneck": "conv1 bn1 relu conv2 bn2 relu conv3", "basic": "conv1 bn1 relu conv2"}
_LAST_NORM = {"bottleneck": "bn3", "basic": "bn2"}

_ORIGINAL = Wiring(pre="", branch="body norm", post="relu")
_PREACT = Wiring(pre="bn0 relu", branch="body", post="", projection_reads="pre(x)")

WIRINGS: dict[str, dict[Place, Wiring]] = {
    "original": dict.fromkeys(get_args(Place), _ORIGINAL),  # Fig. 1(a)
    "preact": dict.fromkeys(get_args(Place), _PREACT),  # Fig. 1(b)
    "paper": {  # Fig. 1(c): one ReLU a stage on the way of the shortcuts
        "start": Wiring("", "body norm", ""),
        "second": Wiring("relu", "body", ""),
        "middle": Wiring("bn0 relu", "body", ""),
        "end": Wiring("bn0 relu", "body", "norm relu"),
        "second and end": Wiring("relu", "body", "norm relu"),
        "only": _ORIGINAL,
    },
    "released": {  # the authors' code: two ReLUs a stage there
        "start": Wiring("", "body norm", "relu"),
        "second": Wiring("", "body", ""),
        "middle": Wiring("bn0 relu", "body", ""),
        "end": Wiring("bn0 relu", "body", "norm relu"),
        "second and end": Wiring("", "body", "norm relu"),
        "only": _ORIGINAL,
    },
}
"""Wiring name -> place in the stage -> order of the layers.

In the authors' code the ReLU that opens the second block works in place and so rectifies its shortcut too; here the
Start block ends with that ReLU, which is the same function without the aliasing. Their weights need it.
The second block never has a bn0: the Start block's norm comes right before it. A stage of one block is Start and End
at once: normalised before the sum as a Start, rectified after it as an End, which is ResNet's own block.
"""


def place(index: int, blocks: int) -> Place:
    """Place of block `index` in a stage of `blocks` blocks."""
    if blocks == 1:
        return "only"
    if index == 0:
        return "start"
    if index == 1:
        return "second and end" if blocks == 2 else "second"
    return "end" if index == blocks - 1 else "middle"


class Stage(nn.ModuleList):
    """Residual blocks one after the other.

    With `checkpoint_every` = k > 0, activations are kept only every k blocks and computed again in the backward pass.
    """

    def __init__(self, blocks: Iterable[nn.Module], checkpoint_every: int = 0) -> None:
        super().__init__(blocks)
        self.checkpoint_every = checkpoint_every

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, [T,] H, W) to (N, C', [T',] H', W')."""
        if not (self.checkpoint_every and torch.is_grad_enabled()):
            return _chain(list(self), x)
        for first in range(0, len(self), self.checkpoint_every):
            x = _checkpointed(list(self)[first : first + self.checkpoint_every], x)
        return x


def make_stage(
    shapes: Sequence[BlockShape],
    *,
    kind: BlockKind,
    wiring: Mapping[Place, Wiring],
    projection: Projection,
    dims: Dims,
    checkpoint_every: int = 0,
    drops: Sequence[float] | None = None,
) -> Stage:
    """A stage with one block for each of `shapes`, wired by a row of `WIRINGS`.

    drops: of each block, the probability with which its branch is left out in training; None: never.
    """
    blocks = []
    for index, shape in enumerate(shapes):
        order = wiring[place(index, len(shapes))].spelled(_BODY[kind], _LAST_NORM[kind])
        layers = {name: _LAYER[kind](name, shape, dims=dims) for name in order.layers()}
        path = shortcut(projection, shape.channels_in, shape.channels_out, shape.stride, dims=dims)
        blocks.append(ResidualBlock(layers, path, order, drops[index] if drops else 0.0))
    return Stage(blocks, checkpoint_every)


def _chain(blocks: Sequence[nn.Module], x: Tensor) -> Tensor:
    for block in blocks:
        x = block(x)
    return x


def _checkpointed(blocks: Sequence[nn.Module], x: Tensor) -> Tensor:
    draws = any(isinstance(block, ResidualBlock) and block.drop for block in blocks)  # the second time the same ones
    if torch.compiler.is_compiling():  # a compiled graph updates statistics once, and takes no context_fn
        return checkpoint(_chain, blocks, x, use_reentrant=False, preserve_rng_state=draws)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _statistics_held(blocks)

    return checkpoint(_chain, blocks, x, use_reentrant=False, preserve_rng_state=draws, context_fn=contexts)


@contextmanager
def _statistics_held(blocks: Sequence[nn.Module]) -> Iterator[None]:
    """Keep running statistics as they are: the second computation of a batch must not count it twice."""
    norms = [m for block in blocks for m in block.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    before = [(m, m.momentum, m.num_batches_tracked) for m in norms]
    for m in norms:
        m.momentum, m.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for m, momentum, batches in before:
            m.momentum, m.num_batches_tracked = momentum, batches
