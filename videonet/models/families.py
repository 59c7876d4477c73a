"""THE TABLE: what tells the paper's networks apart, one row a family, and the recipes they are built by.

A name is family, "3d" for video, depth, the family's suffix, "_cifar" for CIFAR: `iresnet50`, `iresnet3d50`,
`resnext3d50_32x4d`, `iresnet164_cifar`. Variants are rows; `create.py` makes nets of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from videonet.models.block import Dims
from videonet.models.shortcut import Projection


@dataclass(frozen=True)
class Family:
    """What makes a family. Channels count in units of a stage's width: 64, 128, 256, 512."""

    arrangement: Literal["original", "preact", "staged"]
    """Order of the layers in a block; staged: by place in the stage, as the `wiring` asked for."""
    projection: Projection
    stem_pool: bool
    """3x3 max pool in the stem; without it, stage 1 takes the stride."""
    inner: int = 1
    """Channels of the 3x3 convolution (bottleneck)."""
    outer: int = 4
    """Channels of the block's output (bottleneck)."""
    groups: tuple[int, int, int, int] = (1, 1, 1, 1)
    """Groups of the 3x3 convolution in each stage."""
    suffix: str = ""

    @property
    def plain(self) -> bool:
        """Ungrouped: the families that also have basic blocks (18, 34) and CIFAR nets."""
        return self.groups == (1, 1, 1, 1)


FAMILIES = {
    # order of the layers, projection, stem pool; [n] are the paper's references
    "resnet": Family("original", "conv", True),  # [5]
    "preact_resnet": Family("preact", "conv", True),  # [6]
    "resstage": Family("staged", "conv", True),  # section III-A
    "resmax": Family("original", "maxpool", False),  # section III-B
    "resnet_avg": Family("original", "avgpool", True),  # [7], Table IV
    "iresnet": Family("staged", "maxpool", False),  # III-A and III-B
    "resnext": Family("original", "conv", True, inner=2, groups=(32, 32, 32, 32), suffix="_32x4d"),  # [32]
    "resgroup": Family("original", "conv", True, inner=4, outer=2, groups=(8, 16, 32, 64)),  # section III-C
    "resgroupfix": Family("original", "conv", True, inner=4, outer=2, groups=(64, 64, 64, 64)),
    "iresgroup": Family("staged", "maxpool", False, inner=4, outer=2, groups=(8, 16, 32, 64)),
    "iresgroupfix": Family("staged", "maxpool", False, inner=4, outer=2, groups=(64, 64, 64, 64)),
}

BASIC_DEPTHS: dict[int, tuple[int, ...]] = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
BOTTLENECK_DEPTHS: dict[int, tuple[int, ...]] = {
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
    302: (4, 34, 58, 4),
    404: (4, 46, 80, 4),
    1001: (4, 155, 170, 4),
}
CIFAR_DEPTHS: dict[int, tuple[int, ...]] = {
    164: (18, 18, 18),
    1001: (111, 111, 111),
    2000: (222, 222, 222),
    3002: (333, 334, 333),
}


@dataclass(frozen=True)
class Inflation:
    """How a video net reaches into time: temporal kernels and strides."""

    stem: int
    """Temporal kernel of the stem's convolution."""
    conv1: tuple[tuple[int, ...], ...]
    """Temporal kernels of the blocks' conv1: for each stage, a cycle over its blocks."""
    conv2: int
    """Temporal kernel of the blocks' conv2."""
    strides: tuple[int, int, int, int]
    """Temporal stride of each stage, on the convolution with the spatial stride and on the shortcut."""
    time_pool: int = 1
    """Kernel and stride of a max pool over time between stages 1 and 2."""


INFLATIONS = {
    # stem, conv1 in stages 1 to 4, conv2, temporal strides of stages 1 to 4; i3d, c2d and slow are PySlowFast's
    "paper": Inflation(5, ((1,), (1,), (1,), (1,)), 3, (1, 1, 2, 2)),  # Table V: 3x3 -> 3x3x3, 1x1 -> 1x1x1
    "i3d": Inflation(5, ((3,), (3, 1), (3, 1), (1, 3)), 1, (1, 1, 1, 1), time_pool=2),  # time in every other block
    "c2d": Inflation(1, ((1,), (1,), (1,), (1,)), 1, (1, 1, 1, 1), time_pool=2),  # time in the pool only
    "slow": Inflation(1, ((1,), (1,), (3,), (3,)), 1, (1, 1, 1, 1)),  # time in the last two stages only
    "2d": Inflation(1, ((1,), (1,), (1,), (1,)), 1, (1, 1, 1, 1)),  # every frame by itself
}


@dataclass(frozen=True)
class Recipe:
    """What surrounds the stages for a kind of data."""

    dims: Dims
    classes: int
    input: tuple[int, int, int, int, int]
    """(N, C, T, H, W) of the paper's counts."""
    inflation: str
    width: int = 64
    stem_kernel: int = 7
    stem_stride: int = 2


IMAGENET = Recipe(2, 1000, (1, 3, 1, 224, 224), "2d")
VIDEO = Recipe(3, 400, (1, 3, 16, 224, 224), "paper")
CIFAR = Recipe(2, 10, (1, 3, 1, 32, 32), "2d", width=16, stem_kernel=3, stem_stride=1)


class Row(NamedTuple):
    """One network that has a name."""

    family: Family
    recipe: Recipe
    basic: bool
    blocks: tuple[int, ...]


def _rows() -> dict[str, Row]:
    rows = {}
    for name, family in FAMILIES.items():
        for recipe, kind in ((IMAGENET, ""), (VIDEO, "3d")):
            for basic, depths in ((True, BASIC_DEPTHS), (False, BOTTLENECK_DEPTHS)):
                if family.plain or not basic:
                    for depth, blocks in depths.items():
                        rows[f"{name}{kind}{depth}{family.suffix}"] = Row(family, recipe, basic, blocks)
        if family.plain:
            for depth, blocks in CIFAR_DEPTHS.items():
                rows[f"{name}{depth}_cifar"] = Row(family, CIFAR, False, blocks)
    return rows


MODELS: dict[str, Row] = _rows()
