"""2D weights in a 3D net and back (inflation, Carreira & Zisserman 2017): convolutions (O, I, k, k), (O, I, t, k, k).

- mean: every temporal slice is W / t. A still clip gives what the image gives, away from the zero frames with which the
  convolutions pad both ends.
- centre: the middle slice is W, the others are 0. Exactly the 2D net, frame by frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

Mode = Literal["mean", "centre"]


def inflate(state_dict_2d: Mapping[str, Tensor], model_3d: nn.Module, mode: Mode = "mean") -> dict[str, Tensor]:
    """A 2D net's state dict with its convolutions inflated to the temporal kernels of `model_3d`.

    All other entries are passed on as they are. Raises ValueError for an unknown mode, and where the two nets share no
    convolution that could be inflated.
    """
    _check(mode)
    targets = {key: tensor.shape[2] for key, tensor in model_3d.state_dict().items() if tensor.ndim == 5}
    keys = [key for key, tensor in state_dict_2d.items() if tensor.ndim == 4 and key in targets]
    if not keys:
        raise ValueError("nothing to inflate: expected the state dict of a 2D net and the 3D net of the same name")
    inflated = dict(state_dict_2d)
    for key in keys:
        inflated[key] = _inflated(state_dict_2d[key], targets[key], mode)
    return inflated


def deflate(state_dict_3d: Mapping[str, Tensor], mode: Mode = "mean") -> dict[str, Tensor]:
    """A 3D net's state dict as that of its 2D net; undoes `inflate` of the same mode, in mode "centre" to the bit.

    mean: the sum over time. centre: the middle slice. Raises ValueError for an unknown mode.
    """
    _check(mode)
    return {
        key: tensor if tensor.ndim != 5 else tensor.sum(2) if mode == "mean" else tensor[:, :, tensor.shape[2] // 2]
        for key, tensor in state_dict_3d.items()
    }


def _inflated(weight: Tensor, time: int, mode: Mode) -> Tensor:
    if mode == "mean":
        return (weight / time).unsqueeze(2).repeat(1, 1, time, 1, 1)
    slices = torch.zeros_like(weight).unsqueeze(2).repeat(1, 1, time, 1, 1)
    slices[:, :, time // 2] = weight
    return slices


def _check(mode: str) -> None:
    if mode not in ("mean", "centre"):
        raise ValueError(f"inflation mode {mode!r} is not known; choose 'mean' or 'centre'")
