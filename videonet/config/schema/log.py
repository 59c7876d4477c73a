"""Where the figures of a run go besides its own files."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from .types import STRICT


@dataclass(frozen=True, config=STRICT)
class LogConfig:
    """`train.jsonl` and `train.csv` are always written; trackers are told the same rows."""

    trackers: tuple[str, ...] = ("tensorboard",)
    """Rows of `videonet.engine.trackers.TRACKERS`: tensorboard, wandb, mlflow. Servers and keys are told by their own
    environment variables (WANDB_API_KEY, WANDB_MODE, MLFLOW_TRACKING_URI)."""
    project: str = "videonet"
    """The project (wandb) or experiment (mlflow) that the run belongs to."""
    name: str | None = None
    """The run's name there; None: the last part of `output_dir`."""
