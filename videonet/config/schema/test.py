"""The multi-view test."""

from __future__ import annotations

from typing import Literal

from pydantic.dataclasses import dataclass

from .types import STRICT, Positive


@dataclass(frozen=True, config=STRICT)
class TestConfig:
    """Multi-view test: clips x crops views of every video."""

    __test__ = False  # not a pytest class

    clips: Positive = 10
    """Views in time, spread evenly over the video."""
    crops: Literal[1, 3] = 3
    """Views in space: the centre, or both ends of the long side as well."""
    batch_size: Positive = 4
    """Videos a batch, on each rank."""
    max_views_per_forward: Positive = 32
    """Bound on the views that are in the network at once."""
    frame_order: Literal["normal", "shuffled", "reversed"] = "normal"
    """Order of the frames inside each clip: does the model use time?"""
