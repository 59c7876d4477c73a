"""What an experiment is: one frozen dataclass a section, every field typed and documented below it; a file a section.

A YAML holds differences from these defaults. Names (model, source) are checked against their tables
in `videonet.build`; everything that numbers alone can tell is checked here.
"""

from __future__ import annotations

from typing import Literal

from pydantic.dataclasses import dataclass

from .clip import AugmentConfig, ClipConfig
from .data import DataConfig
from .log import LogConfig
from .model import ModelConfig
from .test import TestConfig
from .train import OptimConfig, TrainConfig
from .types import STRICT, NonNegative

__all__ = [
    "AugmentConfig",
    "ClipConfig",
    "Config",
    "DataConfig",
    "LogConfig",
    "ModelConfig",
    "OptimConfig",
    "TestConfig",
    "TrainConfig",
]


@dataclass(frozen=True, config=STRICT)
class Config:
    """One experiment."""

    output_dir: str = "runs/videonet"
    seed: NonNegative = 0
    """Every random draw is keyed on (seed, epoch, sample index)."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    clip: ClipConfig = ClipConfig()
    augment: AugmentConfig = AugmentConfig()
    optim: OptimConfig = OptimConfig()
    train: TrainConfig = TrainConfig()
    test: TestConfig = TestConfig()
    log: LogConfig = LogConfig()
