"""Learning rate as a share of its peak: pure functions of the position in epochs (a float), so nothing needs saving."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Schedule = Callable[[float], float]


def multistep(milestones: Sequence[float], gamma: float) -> Schedule:
    """gamma ** (number of milestones passed); the paper's: x0.1 at epochs 30, 60, 80."""
    return lambda epoch: gamma ** sum(epoch >= milestone for milestone in milestones)


def cosine(epochs: float, final_factor: float) -> Schedule:
    """Half a cosine from 1 to `final_factor` over `epochs`."""

    def factor(epoch: float) -> float:
        share = min(1.0, epoch / epochs)
        return final_factor + (1 - final_factor) * 0.5 * (1 + math.cos(math.pi * share))

    return factor


def linear(epochs: float, final_factor: float) -> Schedule:
    """A line from 1 to `final_factor` over `epochs`."""
    return lambda epoch: 1 + (final_factor - 1) * min(1.0, epoch / epochs)


def warm_up(schedule: Schedule, epochs: float, start_factor: float) -> Schedule:
    """Climb in a line from `start_factor` to what `schedule` says at the end of the warm-up, then follow it."""
    if epochs <= 0:
        return schedule

    def factor(epoch: float) -> float:
        if epoch >= epochs:
            return schedule(epoch)
        return (start_factor + (1 - start_factor) * epoch / epochs) * schedule(epochs)

    return factor
