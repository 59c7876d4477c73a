"""THE TABLE: what tells the paper's networks apart, one row a family, and the recipes they are built by.

A name is family, "3d" for video, depth, the family's suffix, "_cifar" for CIFAR: `iresnet50`, `iresnet3d50`,
`resnext3d50_32x4d`, `iresnet164_cifar`. Variants are rows; `create_model` is the only way from a name to a net.
"""

from __future__ import annotations

import difflib
import fnmatch
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Literal, NamedTuple

from torch import nn

from videonet.models import zoo
from videonet.models.backbone import Parts
from videonet.models.block import BlockShape, Dims, ResidualBlock
from videonet.models.recognizer import Recognizer
from videonet.models.shortcut import Projection
from videonet.models.stage import WIRINGS, make_stage
from videonet.models.stem import stem

Network = Recognizer | zoo.ForeignRecognizer


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


def list_models(pattern: str | None = None) -> list[str]:
    """Names that `create_model` knows, all or those `pattern` matches; 50 comes before 101, other packages' come last.

    As a shell matches paths: "*50" matches our own nets, "pytorchvideo/*" and "*/*" those of the zoo.
    """
    ours = fnmatch.filter(MODELS, pattern or "*")
    ours.sort(key=lambda name: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)])
    return ours + zoo.names(pattern)


def default_input(name: str) -> tuple[int, int, int, int, int]:
    """(N, C, T, H, W) of the input for which the paper counts operations. Raises ValueError for an unknown name."""
    return zoo.default_input(name) if "/" in name else _row(name).recipe.input


def create_model(
    name: str,
    num_classes: int | None = None,
    wiring: str = "paper",
    *,
    width: int | None = None,
    blocks: Sequence[int] | None = None,
    dropout: float = 0.0,
    zero_init_residual: bool = False,
    inflation: str | None = None,
    checkpoint_every: int = 0,
) -> Network:
    """A network with fresh weights: Kaiming normal (fan out) convolutions, normalisations at scale 1 and shift 0.

    name: one of `list_models()`.
    num_classes: None: 1000, for CIFAR 10, for video 400.
    wiring: "paper" or "released" (the authors' weights need this one); the same net outside the staged families.
    width: channels of the stem and of stage 1's bottleneck; None: 64, for CIFAR 16.
    blocks: blocks of each stage in place of those of the depth; the depth in the name keeps the kind of block.
    dropout: probability of dropping a pooled feature.
    zero_init_residual: every branch starts at zero: its last layer, a normalisation or a convolution, gets weight 0.
    inflation: a row of `INFLATIONS`, for video nets; None: "paper".
    checkpoint_every: k > 0 keeps activations only every k blocks, for less memory and one more forward pass.
    Of these a network of the zoo ("package/name") takes `num_classes` and `dropout`.

    Raises ValueError for an unknown name, wiring or inflation and for numbers that fit no network.
    """
    if "/" in name:
        zoo.refuse(
            name,
            wiring=None if wiring == "paper" else wiring,
            width=width,
            blocks=blocks,
            zero_init_residual=zero_init_residual or None,
            inflation=inflation,
            checkpoint_every=checkpoint_every or None,
        )
        return zoo.create_foreign(name, 400 if num_classes is None else num_classes, dropout=dropout)
    classes = _row(name).recipe.classes if num_classes is None else num_classes
    _at_least("num_classes", classes, 1)
    parts = make_parts(name, wiring, width=width, blocks=blocks, inflation=inflation, checkpoint_every=checkpoint_every)
    model = Recognizer(parts, num_classes=classes, dropout=dropout)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d) and not module.weight.is_meta:
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    if zero_init_residual:
        for module in model.modules():
            if isinstance(module, ResidualBlock):
                nn.init.zeros_(module.get_parameter(f"{module.branch.split()[-1]}.weight"))
    return model


def make_parts(
    name: str,
    wiring: str = "paper",
    *,
    width: int | None = None,
    blocks: Sequence[int] | None = None,
    inflation: str | None = None,
    checkpoint_every: int = 0,
) -> Parts:
    """Stem and stages of a network, for any heir of `Backbone`; arguments and errors as in `create_model`."""
    family, recipe, basic, usual_blocks = _row(name)
    if wiring not in ("paper", "released"):
        raise ValueError(_unknown("wiring", wiring, ["paper", "released"]))
    if inflation is not None and recipe.dims == 2:
        raise ValueError(f"inflation {inflation!r} is for video nets; {name} is a 2D net and has no temporal kernels")
    if inflation is not None and inflation not in INFLATIONS:
        raise ValueError(_unknown("inflation", inflation, list(INFLATIONS)))
    blocks = usual_blocks if blocks is None else tuple(blocks)
    if len(blocks) != len(usual_blocks) or min(blocks) < 1:
        raise ValueError(
            f"blocks {list(blocks)} must be {len(usual_blocks)} numbers of at least 1, one for each stage of {name}"
        )
    width = recipe.width if width is None else width
    _at_least("width", width, 1)
    _at_least("checkpoint_every", checkpoint_every, 0)
    time = INFLATIONS[inflation or recipe.inflation]
    inner, outer = (1, 1) if basic else (family.inner, family.outer)
    _check_groups(name, family, inner, width)

    order = wiring if family.arrangement == "staged" else family.arrangement
    halved_early = recipe.stem_stride == 2
    channels = [width, *(outer * width * 2**stage for stage in range(len(blocks)))]
    stages = []
    for stage, count in enumerate(blocks):
        halves = stage > 0 or (halved_early and not family.stem_pool)
        every = BlockShape(
            channels_in=channels[stage + 1],
            inner=inner * width * 2**stage,
            channels_out=channels[stage + 1],
            groups=family.groups[stage],
        )
        start = replace(every, channels_in=channels[stage], stride=(time.strides[stage], 2 if halves else 1))
        kernels = cycle(time.conv1[stage])
        shapes = [replace(shape, times=(next(kernels), time.conv2)) for shape in [start, *[every] * (count - 1)]]
        stages.append(
            make_stage(
                shapes,
                kind="basic" if basic else "bottleneck",
                wiring=WIRINGS[order],
                projection=family.projection,
                dims=recipe.dims,
                checkpoint_every=checkpoint_every,
            )
        )
    layers = stem(
        recipe.input[1],
        width,
        (time.stem, recipe.stem_kernel),
        (1, recipe.stem_stride),
        pool=family.stem_pool and halved_early,
        dims=recipe.dims,
    )
    return Parts(
        layers,
        stages,
        channels_in=recipe.input[1],
        channels=channels,
        dims=recipe.dims,
        wiring=order,
        time_pool=time.time_pool,
    )


def _row(name: str) -> Row:
    if name not in MODELS:
        raise ValueError(_unknown("model", name, list(MODELS)))
    return MODELS[name]


def _unknown(what: str, name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    listed = f"Known: {', '.join(known)}" if len(known) <= 10 else f"All {len(known)} names: videonet.list_models()"
    return f"{what} {name!r} is not known{hint} {listed}"


def _at_least(what: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{what} {value} must be at least {least}")


def _check_groups(name: str, family: Family, inner: int, width: int) -> None:
    """Each stage's groups must divide the channels of its 3x3 convolution, inner * width * 2**stage."""
    step = math.lcm(*(groups // math.gcd(groups, inner * 2**stage) for stage, groups in enumerate(family.groups)))
    if width % step:
        raise ValueError(
            f"width {width} of {name} gives 3x3 convolutions that groups {family.groups} do not divide; "
            f"choose a multiple of {step}"
        )
