"""Weights and input that depend on the names alone, so that two implementations can be compared number by number.

Each entry of a state dict is drawn from its own generator, seeded with the CRC-32 of its key, in float64 and rounded
once to float32.
"""

import math
import zlib

import torch
from torch import Tensor, nn


def fill_(model: nn.Module) -> nn.Module:
    """Fill every parameter and buffer in place; the model in eval mode."""
    with torch.no_grad():
        for key, tensor in model.state_dict().items():
            tensor.copy_(_value(key, tuple(tensor.shape)))
    return model.eval()


def make_input(shape: tuple[int, ...] = (2, 3, 64, 64)) -> Tensor:
    """Input of unit variance."""
    return ((2.0 * _uniform("input", shape) - 1.0) * math.sqrt(3.0)).float()


def _uniform(name: str, shape: tuple[int, ...]) -> Tensor:
    generator = torch.Generator("cpu").manual_seed(zlib.crc32(name.encode()))
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def _value(key: str, shape: tuple[int, ...]) -> Tensor:
    leaf = key.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return torch.zeros(shape, dtype=torch.int64)
    unit = _uniform(key, shape)
    signed = 2.0 * unit - 1.0
    if len(shape) >= 3:  # convolution
        return (signed * (math.sqrt(3.0) * 0.6 * math.sqrt(2.0 / math.prod(shape[1:])))).float()
    if len(shape) == 2:  # linear layer
        return (signed * (math.sqrt(3.0) / math.sqrt(shape[1]))).float()
    if leaf in ("running_var", "weight"):
        return (0.5 + unit).float()
    return (0.4 * signed).float()  # running_mean, bias
