"""Checkpoints: all that a run needs to go on, and a user to use the model, as tensors and plain values in one file."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from .files import atomic

FORMAT = 1


class CheckpointError(ValueError):
    """A checkpoint cannot be read or does not fit; the message says why and the way out."""


@dataclass(frozen=True)
class Checkpoint:
    """model, optimizer, scaler: state dicts. The next step to run is `step` of `epoch` (both from 0)."""

    model: dict[str, torch.Tensor]
    optimizer: dict[str, Any]
    scaler: dict[str, Any]
    epoch: int
    step: int
    config: dict[str, Any]
    preprocessing: dict[str, Any]
    class_names: list[str]
    best_top1: float | None
    failed: list[str]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the whole file or nothing."""
    values = {field.name: getattr(checkpoint, field.name) for field in fields(checkpoint)}
    with atomic(path) as file:
        torch.save({"format": FORMAT, **values}, file)


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint on the CPU, without unpickling any code. Raises CheckpointError."""
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"checkpoint {path} does not exist")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError, ValueError, KeyError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(f"checkpoint {path} cannot be read (truncated or not a checkpoint): {first}") from None
    names = [field.name for field in fields(Checkpoint)]
    if not isinstance(content, dict) or content.get("format") != FORMAT or any(name not in content for name in names):
        raise CheckpointError(f"{path} is not a videonet checkpoint of format {FORMAT}")
    return Checkpoint(**{name: content[name] for name in names})
