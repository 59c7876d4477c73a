"""From a name to a network: rows of `families.py`, or of `zoo.py` where the name has a slash."""

from __future__ import annotations

import difflib
import fnmatch
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle

from torch import nn

from videonet.models import zoo
from videonet.models.backbone import Parts
from videonet.models.block import BlockShape, ResidualBlock
from videonet.models.families import INFLATIONS, MODELS, Family, Row
from videonet.models.recognizer import Recognizer
from videonet.models.stage import WIRINGS, make_stage
from videonet.models.stem import stem

Network = Recognizer | zoo.ForeignRecognizer


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
    drop_path: float = 0.0,
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
    drop_path: probability with which the last block's branch is left out for a sample in training (stochastic depth);
    it grows in a line with the depth of a block.
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
            drop_path=drop_path or None,
        )
        return zoo.create_foreign(name, 400 if num_classes is None else num_classes, dropout=dropout)
    classes = _row(name).recipe.classes if num_classes is None else num_classes
    _at_least("num_classes", classes, 1)
    parts = make_parts(
        name, wiring, width=width, blocks=blocks, inflation=inflation, checkpoint_every=checkpoint_every,
        drop_path=drop_path,
    )  # fmt: skip
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
    drop_path: float = 0.0,
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
    if not 0 <= drop_path < 1:
        raise ValueError(f"drop_path {drop_path} must be at least 0 and below 1")
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
                drops=[drop_path * (sum(blocks[:stage]) + block) / sum(blocks) for block in range(1, count + 1)],
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
