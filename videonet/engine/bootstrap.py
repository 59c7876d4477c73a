"""Confidence intervals by drawing the videos anew, with replacement (Efron 1979, percentile method)."""

from __future__ import annotations

import numpy as np

LEVEL = 0.95


def resampled_means(values: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """(n, M) values of n videos -> float64 (draws, M): the means over n videos drawn with replacement.

    All columns see the same draws, so that differences of columns are paired.
    """
    rng, videos = np.random.default_rng(seed), len(values)
    values = values.astype(np.float64)
    return np.stack([
        np.bincount(rng.integers(videos, size=videos), minlength=videos) @ values / videos for _ in range(draws)
    ])  # fmt: skip


def interval(means: np.ndarray, level: float = LEVEL) -> list[float]:
    """(draws,) -> [low, high], which hold `level` of them."""
    tail = 50 * (1 - level)
    return [float(bound) for bound in np.percentile(means, [tail, 100 - tail])]
