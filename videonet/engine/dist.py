"""One process or many: what torchrun's environment says, and the few collectives the engine needs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as td

T = TypeVar("T")


class DeviceError(ValueError):
    """The device asked for is not there."""


@dataclass(frozen=True)
class Ranks:
    """This process among `world` processes; `device` is where it computes."""

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Rank 0 alone writes files and logs."""
        return self.rank == 0

    def gather(self, value: list[T]) -> list[T]:
        """The lists of all ranks, joined, on every rank."""
        if self.world == 1:
            return value
        parts: list[list[T]] = [[] for _ in range(self.world)]
        td.all_gather_object(parts, value)
        return [item for part in parts for item in part]

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """Mean over the ranks."""
        if self.world > 1:
            value = value.clone()
            td.all_reduce(value)
            value /= self.world
        return value

    def wait(self) -> None:
        """Until every rank is here."""
        if self.world > 1:
            td.barrier()

    def patient_wait(self) -> Callable[[], None]:
        """A wait for every rank that may last for days, as where shares of work differ. All ranks must ask for it."""
        if self.world == 1:
            return _nothing
        group = td.new_group(backend="gloo", timeout=timedelta(days=30))
        return lambda: td.barrier(group)


def _nothing() -> None:
    """One process waits for nobody."""


@contextmanager
def ranks(device: str = "auto", timeout_minutes: float | None = None) -> Iterator[Ranks]:
    """Join the process group that torchrun describes, if any. `device`: auto | cpu | cuda.

    timeout_minutes: a rank that waits for the others for a quarter longer gives up; None: as long as PyTorch says.
    Raises DeviceError when cuda is asked for and there is none.
    """
    cuda = torch.cuda.is_available()
    if device == "cuda" and not cuda:
        raise DeviceError("device 'cuda' is asked for, but PyTorch sees no GPU; use device=cpu or device=auto")
    local = int(os.environ.get("LOCAL_RANK", "0"))
    where = torch.device("cuda", local) if cuda and device != "cpu" else torch.device("cpu")
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Ranks(0, 1, where)
        return
    if where.type == "cuda":
        torch.cuda.set_device(where)
    _join("cpu:gloo,cuda:nccl" if where.type == "cuda" else "gloo", timeout_minutes)
    try:
        yield Ranks(td.get_rank(), world, where)
    finally:
        td.destroy_process_group()


def _join(backend: str, timeout_minutes: float | None) -> None:
    limit = None if timeout_minutes is None else timedelta(minutes=1.25 * timeout_minutes)
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        td.init_process_group(backend, timeout=limit)
        return
    # torchrun lends the ranks its own store, which after a restart still holds the addresses of those that died, and
    # sometimes a rank then calls a dead one (PyTorch's issue 135712): so each start has a part of the store to itself.
    store, rank, world = next(td.rendezvous("env://"))
    mine = td.PrefixStore(f"start {os.environ['TORCHELASTIC_RESTART_COUNT']}", store)
    td.init_process_group(backend, timeout=limit, store=mine, rank=rank, world_size=world)
