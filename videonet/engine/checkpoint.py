"""Checkpoints: all that a run needs to go on, and a user to use the model, as tensors and plain values in one file."""

from __future__ import annotations

import pickle
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from .files import atomic, no_room
from .log import logger

FORMAT = 1
LAST = "last.pt"


class CheckpointError(ValueError):
    """A checkpoint cannot be read or does not fit; the message says why and the way out."""


@dataclass(frozen=True)
class Checkpoint:
    """model, optimizer, scaler: state dicts. The next step to run is `step` of `epoch` (both from 0).

    best_top1: of `best.pt`; of a run with several labels a video its mean average precision.
    """

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
    ema: dict[str, Any] = field(default_factory=dict)
    """State of the averaged weights, where the run keeps them: those are tested and used."""
    fingerprint: str = ""
    """Of the training videos."""
    window: torch.Tensor | None = None
    """float32 (n, 2): loss and accuracy of the steps since the last log line."""
    stale: int = 0
    """Looks at the validation videos since the best one."""

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        """What a user of the model takes: the averaged weights where there are some."""
        averaged = {key.removeprefix("module."): value for key, value in self.ema.items() if key != "n_averaged"}
        return averaged or self.model


def save_checkpoint(path: Path, checkpoint: Checkpoint, keep: int = 1) -> None:
    """Write the whole file or nothing. With `keep` above 1, the ones before stay as name.1.pt, name.2.pt ...

    Raises OutputError where the disk is full: the checkpoint before is then intact.
    """
    values = {field.name: getattr(checkpoint, field.name) for field in fields(checkpoint)}
    try:
        with atomic(path) as file:
            torch.save({"format": FORMAT, **values}, file)
            _shift(path, keep)
    except RuntimeError as error:
        cause = error.__context__
        while cause is not None and not isinstance(cause, OSError):
            cause = cause.__context__
        if cause is None:
            raise
        raise no_room(path, cause) from error


def _shift(path: Path, keep: int) -> None:
    """name.pt -> name.1.pt -> name.2.pt ...; `path` itself stays until the new one takes its place."""
    for number in range(keep - 1, 1, -1):
        if earlier(path, number - 1).exists():
            earlier(path, number - 1).replace(earlier(path, number))
    if keep > 1 and path.exists():
        earlier(path, 1).unlink(missing_ok=True)
        try:
            earlier(path, 1).hardlink_to(path)
        except OSError:  # a file system without links
            path.replace(earlier(path, 1))


def earlier(path: Path, number: int) -> Path:
    """Where the checkpoint `number` saves before `path` is kept."""
    return path.with_name(f"{path.stem}.{number}{path.suffix}") if number else path


def last_checkpoint(folder: Path) -> tuple[Checkpoint, Path] | None:
    """The last readable one of last.pt, last.1.pt ... in `folder`; None where there is none.

    Raises CheckpointError where there are some and not one can be read.
    """
    number, problem = 0, None
    while (path := earlier(folder / LAST, number)).exists() or number < 2:
        if path.exists():
            try:
                return load_checkpoint(path), path
            except CheckpointError as error:
                logger.warning("%s", error)
                logger.warning("GOING BACK to the checkpoint before %s: the steps since then are done again", path)
                problem = problem or error
        number += 1
    if problem is not None:
        raise problem
    return None


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
    known = fields(Checkpoint)
    needed = {field.name for field in known if field.default_factory is MISSING and field.default is MISSING}
    if not isinstance(content, dict) or content.get("format") != FORMAT or needed - content.keys():
        raise CheckpointError(f"{path} is not a videonet checkpoint of format {FORMAT}")
    return Checkpoint(**{field.name: content[field.name] for field in known if field.name in content})
