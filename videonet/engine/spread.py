"""A network over several ranks: whole on each (DDP), or cut into shards (FSDP2). One kind of checkpoint for both.

FSDP2 keeps a share of every parameter, gradient and momentum on each rank; a block's weights are put together while it
runs. What leaves a rank (checkpoints, the network that is tested) is whole: plain tensors, which any number of ranks,
sharded or not, goes on from.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

import torch
import torch.distributed as td
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from .dist import Ranks

Sharding = Literal["ddp", "fsdp"]


def data_parallel(network: nn.Module, ranks: Ranks, static_graph: bool) -> nn.Module:
    """Whole on each rank; gradients are views of what is summed, so that there is one copy of them."""
    devices = [ranks.device.index] if ranks.device.type == "cuda" else None
    return DistributedDataParallel(network, devices, gradient_as_bucket_view=True, static_graph=static_graph)


def rehearse(network: nn.Module, run: Callable[[], None]) -> None:
    """Forward and backward passes before the first step, which leave statistics and random numbers as they are.

    DDP sums gradients in other portions in its first pass (in two, of a static graph) than later on. Over three ranks
    and more that rounds differently (not over two, where a + b is b + a), and a run that was resumed would not end
    bit-equal to one that was not.
    """
    with unmoved(network):
        for _ in range(2):
            run()


@contextmanager
def unmoved(network: nn.Module) -> Iterator[None]:
    """Statistics of norms and random numbers are after the block what they were before."""
    buffers = list(network.buffers())
    before = [buffer.clone() for buffer in buffers]
    devices = list({buffer.device for buffer in buffers if buffer.is_cuda})
    with torch.random.fork_rng(devices):
        yield
    with torch.no_grad():
        for buffer, old in zip(buffers, before, strict=True):
            buffer.copy_(old)


def unsynced(network: nn.Module, more_to_come: bool) -> AbstractContextManager[None]:
    """While the block runs, gradients stay on their rank, if there are `more_to_come` of this step."""
    if isinstance(network, FSDPModule):
        network.set_requires_gradient_sync(not more_to_come)
    elif more_to_come and isinstance(network, DistributedDataParallel):
        sync: AbstractContextManager[None] = network.no_sync()
        return sync
    return nullcontext()


class Shards:
    """Cuts networks of one kind. Cut before the optimizer is made: it must see the shards."""

    def __init__(self, network: nn.Module, ranks: Ranks) -> None:
        self._mesh = init_device_mesh(ranks.device.type, (ranks.world,))
        self._device = ranks.device
        self._hollow = copy.deepcopy(network).to("meta")
        self.cut(network)

    def cut(self, network: nn.Module) -> None:
        """In place: each residual block by itself, and what is left.

        Mixed precision stays autocast's, as with DDP: with FSDP's own the scales of batch norms would be rounded too,
        and be of another type than their statistics.
        """
        for name, stage in network.named_children():
            for block in stage.children() if name.startswith("layer") else ():
                fully_shard(block, mesh=self._mesh)
        fully_shard(network, mesh=self._mesh)

    @torch.no_grad()
    def whole(self, network: nn.Module) -> nn.Module:
        """A copy of a cut network that each rank can run by itself, however often: with the first rank's statistics of
        norms, as in its checkpoint. To be called by all ranks.
        """
        twin = copy.deepcopy(self._hollow).to_empty(device=self._device)
        for parameter, shard in zip(twin.parameters(), network.parameters(), strict=True):
            parameter.copy_(_full(shard))
        for buffer, mine in zip(twin.buffers(), network.buffers(), strict=True):
            buffer.copy_(mine)
            td.broadcast(buffer, 0)
        return twin


def gathered(state: Any, keep: bool) -> Any:
    """A state dict with whole tensors in place of shards, on the CPU where `keep`. To be called by all ranks.

    keep: False where a rank only gives its share: shards become None there.
    """
    if isinstance(state, DTensor):
        full = _full(state)
        return full.cpu() if keep else None
    if isinstance(state, dict):
        return {key: gathered(value, keep) for key, value in state.items()}
    return [gathered(value, keep) for value in state] if isinstance(state, list) else state


def load_whole(module: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """`load_state_dict` of whole tensors, into a network that may be cut."""
    present = module.state_dict()
    module.load_state_dict({key: _cut_as(value, present.get(key)) for key, value in state.items()})


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """`load_state_dict` of whole tensors, for parameters that may be cut; how it computes stays as it was made."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    ways: list[dict[str, Any]] = [
        {way: group[way] for way in ("fused", "foreach") if way in group} for group in optimizer.param_groups
    ]
    values = {
        number: {key: _cut_as(value, parameters[number]) for key, value in of.items()}
        for number, of in state["state"].items()
    }
    optimizer.load_state_dict({**state, "state": values})
    for group, way in zip(optimizer.param_groups, ways, strict=True):
        group.update(way)


def _full(value: torch.Tensor) -> torch.Tensor:
    return value.full_tensor() if isinstance(value, DTensor) else value


def _cut_as(value: Any, like: torch.Tensor | None) -> Any:
    """A whole tensor as shards where `like` is cut and of its shape; anything else as it is."""
    if isinstance(like, DTensor) and isinstance(value, torch.Tensor) and value.shape == like.shape:
        return distribute_tensor(value.to(like.device), like.device_mesh, like.placements, src_data_rank=None)
    return value
