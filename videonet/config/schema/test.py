"""The multi-view test."""

from __future__ import annotations

from typing import Literal

from pydantic.dataclasses import dataclass

from .types import STRICT, NonNegative, Positive


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
    curve: tuple[Positive, ...] = ()
    """Further numbers of clips to report the accuracy of, from the same pass: clips that they do not share with `clips`
    are run too (1, 2, 3 and 5 beside 10: 13 clips). Counts whose clips are all there are reported anyhow."""
    average: Literal["probabilities", "logits"] = "probabilities"
    """What is averaged over the views of a video."""
    bootstrap: NonNegative = 2000
    """Draws of the videos behind the confidence intervals; 0: none."""
    frame_order: Literal["normal", "shuffled", "reversed", "frozen"] = "normal"
    """Order of the frames inside each clip, or its middle one alone: does the model use time? See also probe-time."""
