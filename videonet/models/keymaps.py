"""Whose weights can be loaded: THE TABLE of sources, one row a layout of keys.

The authors, torchvision and timm name their layers as we do (`layer1.0.conv1.weight`). The others differ by name, and
two things that their networks do leave no trace in the shapes, so that they are checked by the row:

    wiring     ReLUs of the staged families (`stage.WIRINGS`); the authors' weights need "released"
    time_pool  max pool over time between stages 1 and 2; the I3D and C2D of PySlowFast and pytorchvideo have it

PySlowFast's and pytorchvideo's Slow, I3D and C2D are our `resnet3d50` with the inflation of the same name, layer by
layer: stem (1 or 5)x7x7 with strides (1, 2, 2), pool (1, 3, 3), temporal kernels in conv1, the spatial stride on conv2,
eps 1e-5. Logits are equal on clips of the size that their head was built for (8x224x224); on others their head averages
overlapping windows of that size, ours the whole map.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from videonet.models.weightfile import WeightFile, WeightsError


@dataclass(frozen=True)
class Source:
    """One layout of keys."""

    renames: tuple[tuple[str, str], ...] = ()
    """Parts of their keys and ours, replaced in this order."""
    marker: str | None = None
    """Beginning of a key by which the layout is recognised."""
    wiring: str | None = None
    """The wiring that all weights of this source were trained with ("released": the staged ones); None: not known."""
    time_pool: int | None = None
    """The pool over time that the weights were trained with; None: not known."""


def _pytorchvideo(*stages: int) -> tuple[tuple[str, str], ...]:
    """`stages`: places of the four stages in the list `blocks`; the head is the next one."""
    return (
        ("blocks.0.conv.", "conv1."),
        ("blocks.0.norm.", "bn1."),
        *((f"blocks.{place}.res_blocks.", f"layer{number}.") for number, place in enumerate(stages, 1)),
        (f"blocks.{stages[-1] + 1}.proj.", "fc."),
        (".branch1_conv.", ".downsample.0."),
        (".branch1_norm.", ".downsample.1."),
        *((f".branch2.conv_{letter}.", f".conv{number}.") for number, letter in enumerate("abc", 1)),
        *((f".branch2.norm_{letter}.", f".bn{number}.") for number, letter in enumerate("abc", 1)),
    )


_PYSLOWFAST = (
    ("s1.pathway0_stem.conv.", "conv1."),
    ("s1.pathway0_stem.bn.", "bn1."),
    *((f"s{number + 1}.pathway0_res", f"layer{number}.") for number in range(1, 5)),
    ("head.projection.", "fc."),
    (".branch1.", ".downsample.0."),
    (".branch1_bn.", ".downsample.1."),
    *((f".branch2.{letter}.", f".conv{number}.") for number, letter in enumerate("abc", 1)),
    *((f".branch2.{letter}_bn.", f".bn{number}.") for number, letter in enumerate("abc", 1)),
)

SOURCES = {
    "ours": Source(),
    "authors": Source(wiring="released"),
    "torchvision": Source(wiring="original"),
    "timm": Source(wiring="original"),
    "pytorchvideo": Source(_pytorchvideo(1, 2, 3, 4), "blocks.2.res_blocks.", "original", 1),  # slow_r50
    "pytorchvideo_pool": Source(_pytorchvideo(1, 3, 4, 5), "blocks.5.res_blocks.", "original", 2),  # i3d_r50, c2d_r50
    "pyslowfast": Source(_PYSLOWFAST, "s1.pathway0_stem.", "original", 1),  # MODEL.ARCH slow, 2d, c2d_nopool
    "pyslowfast_pool": Source(_PYSLOWFAST, "s1.pathway0_stem.", "original", 2),  # MODEL.ARCH i3d, c2d
}

_PYSLOWFAST_OF_ARCH = {
    "slow": "pyslowfast",
    "2d": "pyslowfast",
    "c2d_nopool": "pyslowfast",
    "i3d_nopool": "pyslowfast",
    "c2d": "pyslowfast_pool",
    "i3d": "pyslowfast_pool",
}

# In PySlowFast's cfg; none of it shows in the shapes.
_UNLIKE_OURS = {
    r"^  STRIDE_1X1: true": "strides on the 1x1 convolutions (RESNET.STRIDE_1X1), ours are on the 3x3",
    r"^DETECTION:\n(  .*\n)*?  ENABLE: true": "a detection head and dilated convolutions (DETECTION.ENABLE)",
}


def recognise(file: WeightFile, staged: bool) -> str | None:
    """The row of `SOURCES` that the file itself shows; None: the keys are ours, and anybody's.

    staged: weights for a staged family. Their trainer's files (`{"state_dict": {"module.…"}}`) are then the authors'.

    Raises WeightsError for a network of PySlowFast that we do not build or that the file does not tell.
    """
    found = [name for name, row in SOURCES.items() if row.marker and _has(file.tensors, row.marker)]
    if "pyslowfast" in found:
        return _pyslowfast(file)
    if found:
        return found[0]
    if file.settings:
        return "ours"
    return "authors" if staged and file.wrapper == "state_dict" and file.parallel else None


def renamed(tensors: Mapping[str, Tensor], source: Source) -> dict[str, Tensor]:
    """The state dict under our keys."""
    state = {}
    for key, tensor in tensors.items():
        for theirs, ours in source.renames:
            key = key.replace(theirs, ours)
        state[key] = tensor
    return state


def _pyslowfast(file: WeightFile) -> str:
    cfg = file.cfg or ""
    for pattern, what in _UNLIKE_OURS.items():
        if re.search(pattern, cfg, re.MULTILINE):
            raise WeightsError(f"weights of a PySlowFast network with {what}: no network here has that")
    arch = re.search(r"^  ARCH: (\w+)", cfg, re.MULTILINE)
    if arch:
        if arch[1] not in _PYSLOWFAST_OF_ARCH:
            raise WeightsError(
                f"weights of PySlowFast's {arch[1]!r}: only {', '.join(_PYSLOWFAST_OF_ARCH)} have a network here"
            )
        return _PYSLOWFAST_OF_ARCH[arch[1]]
    times = [_time(file.tensors, key) for key in ("s1.pathway0_stem.conv.", "s5.pathway0_res0.branch2.a.")]
    if times == [1, 3]:
        return "pyslowfast"  # only the Slow network has these kernels
    raise WeightsError(
        "weights of PySlowFast without its cfg: the keys do not tell whether the network pools over time; "
        "say source='pyslowfast_pool' (MODEL.ARCH i3d, c2d) or 'pyslowfast' (slow, 2d, c2d_nopool)"
    )


def _has(tensors: Mapping[str, Tensor], prefix: str) -> bool:
    return any(key.startswith(prefix) for key in tensors)


def _time(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """Temporal kernel of a convolution; 0 where it is not there."""
    weight = tensors.get(f"{prefix}weight")
    return weight.shape[2] if weight is not None and weight.ndim == 5 else 0
