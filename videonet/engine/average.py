"""The moving average of the weights (Polyak): torch's `AveragedModel`, updated without a wait for the device.

`AveragedModel.update_parameters` walks through all modules at every step, and copies its counter to the device, which
waits for all that runs there. Here the tensors are found once, and the counter stays on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.distributed.tensor import DTensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

Update = Callable[[], None]


def make_average(network: nn.Module, decay: float) -> AveragedModel:
    """An average that begins with the weights of its first update; statistics of norms are averaged too."""
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)


def updater(average: AveragedModel, network: nn.Module, decay: float) -> Update:
    """What moves `average` towards `network` by `1 - decay`; both may be cut into shards, the same way."""
    ours, theirs = _tensors(average.module), _tensors(network)
    move = get_ema_multi_avg_fn(decay)
    kinds = {(tensor.device, tensor.dtype) for tensor in ours}
    groups = [[i for i, tensor in enumerate(ours) if (tensor.device, tensor.dtype) == kind] for kind in kinds]

    def update() -> None:
        if average.n_averaged == 0:
            for tensor, other in zip(ours, theirs, strict=True):
                tensor.copy_(other)
        else:
            for group in groups:
                move([ours[i] for i in group], [theirs[i] for i in group], average.n_averaged)
        average.n_averaged += 1

    return torch.no_grad()(update)


def _tensors(network: nn.Module) -> list[torch.Tensor]:
    """Parameters and buffers; of shards, those of this rank."""
    tensors = [tensor.detach() for tensor in (*network.parameters(), *network.buffers())]
    return [tensor.to_local() if isinstance(tensor, DTensor) else tensor for tensor in tensors]
