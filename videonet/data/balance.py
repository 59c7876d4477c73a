"""Which videos make an epoch, where rare classes are to come up more often than they are there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def balanced_epoch(labels: Sequence[int], power: float, rng: np.random.Generator) -> np.ndarray:
    """int64 (n,): n draws from the n videos with these labels, in random order.

    A class of m videos gets a share in proportion to m ** (1 - power): 0 as they are there, 1 the same for every class.
    Its draws are that share of n, rounded down or up so that the mean over many epochs is exact. The videos of a class
    take turns: none comes up again before all of them came up.
    """
    label_of = np.asarray(labels, dtype=np.int64)
    counts = np.bincount(label_of)
    weights = np.where(counts > 0, counts.astype(np.float64) ** (1 - power), 0.0)
    ends = len(label_of) * np.cumsum(weights) / weights.sum()
    ends[-1] = len(label_of)
    shift = rng.random()
    draws = np.diff(np.floor(ends + shift).astype(np.int64), prepend=0)
    classes = np.split(np.argsort(label_of, kind="stable"), np.cumsum(counts)[:-1])
    chosen = [
        np.concatenate([rng.permutation(videos) for _ in range(-(-count // len(videos)))])[:count]
        for videos, count in zip(classes, draws.tolist(), strict=True)
        if count
    ]
    return rng.permutation(np.concatenate(chosen))


def turns(order: np.ndarray) -> np.ndarray:
    """int64 (n,): how often the video at each place of an epoch has come up before it."""
    places = np.argsort(order, kind="stable")
    found = order[places]
    turn = np.empty_like(order)
    turn[places] = np.arange(len(order)) - np.searchsorted(found, found)
    return turn
