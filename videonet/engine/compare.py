"""Two tests on the same videos: is one better, where, and on which videos do they differ?

Paired throughout: only videos on which exactly one of the two is right tell them apart (McNemar 1947, here exact: under
the null hypothesis either is the right one with probability 1/2).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import bootstrap
from .metrics import hits
from .results import Results, ResultsError


def compare(a: Results, b: Results, common: bool = False, draws: int = 2000, seed: int = 0) -> dict[str, Any]:
    """Over the n videos that both could read; differences are B less A.

    n, n_only_a, n_only_b (videos that only one has), same_fingerprint; top1_a, top1_b, difference, interval (None for
    draws = 0); only_a_right, only_b_right, p_value; per_class rows {name, n, top1_a, top1_b, gain}, the largest gain
    first; videos: rows {id, path, label, a, b (class names), probability_a, probability_b, right: "a", "b" or "none"}
    of those with different predictions, the surest first.

    common: allow tests whose videos are not all the same. Raises ResultsError where they cannot be compared.
    """
    from scipy.stats import binomtest

    same = a.summary["fingerprint"] == b.summary["fingerprint"]
    names = a.class_names
    for one in (a, b):
        if one.several:
            raise ResultsError(f"{one.folder} is a test with several labels a video; only tests with one are compared")
    if names != b.class_names:
        raise ResultsError(f"{a.folder} and {b.folder} are tests on other classes; they cannot be compared")
    rows_a, rows_b = _common_rows(a, b)
    if not same and not common:
        raise ResultsError(
            f"{a.folder} and {b.folder} are tests on different videos (their fingerprints differ); --common compares "
            f"them on the {len(rows_a)} videos whose ids both have"
        )
    if not len(rows_a):
        raise ResultsError(f"{a.folder} and {b.folder} have no readable video in common")
    labels = a.labels[rows_a]
    if differing := np.flatnonzero(labels != b.labels[rows_b]).tolist():
        raise ResultsError(
            f"{len(differing)} videos have another label in {b.folder} than in {a.folder}, the first of them "
            f"{a.ids[rows_a[differing[0]]]!r}; test both on one list"
        )
    p_a, p_b = a.probabilities[rows_a], b.probabilities[rows_b]
    right_a, right_b = hits(p_a, labels, 1), hits(p_b, labels, 1)
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    gains = right_b.astype(float) - right_a
    interval = bootstrap.interval(bootstrap.resampled_means(gains[:, None], draws, seed)[:, 0]) if draws else None
    return {
        "a": str(a.folder), "b": str(b.folder), "same_fingerprint": same, "n": len(labels),
        "n_only_a": len(a.ids) - len(labels), "n_only_b": len(b.ids) - len(labels),
        "top1_a": float(right_a.mean()), "top1_b": float(right_b.mean()), "difference": float(gains.mean()),
        "level": bootstrap.LEVEL, "interval": interval, "only_a_right": only_a, "only_b_right": only_b,
        "p_value": float(binomtest(only_b, only_a + only_b).pvalue) if only_a + only_b else 1.0,
        "per_class": _per_class(labels, right_a, right_b, names),
        "videos": _differing(a, rows_a, labels, p_a, p_b, names),
    }  # fmt: skip


def _common_rows(a: Results, b: Results) -> tuple[np.ndarray, np.ndarray]:
    """int64 (n,) twice: rows of the same videos, in A's order."""
    of_id = {id_: row for row, id_ in enumerate(b.ids)}
    pairs = [(row, of_id[id_]) for row, id_ in enumerate(a.ids) if id_ in of_id]
    rows = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


def _per_class(
    labels: np.ndarray, right_a: np.ndarray, right_b: np.ndarray, names: tuple[str, ...]
) -> list[dict[str, Any]]:
    rows = []
    for label in np.unique(labels).tolist():
        mine = labels == label
        top1_a, top1_b = float(right_a[mine].mean()), float(right_b[mine].mean())
        rows.append({
            "name": names[label], "n": int(mine.sum()), "top1_a": top1_a, "top1_b": top1_b, "gain": top1_b - top1_a
        })  # fmt: skip
    return sorted(rows, key=lambda row: (-row["gain"], row["name"]))


def _differing(
    a: Results, rows: np.ndarray, labels: np.ndarray, p_a: np.ndarray, p_b: np.ndarray, names: tuple[str, ...]
) -> list[dict[str, Any]]:
    said_a, said_b = p_a.argmax(axis=1), p_b.argmax(axis=1)
    videos = []
    for n in np.flatnonzero(said_a != said_b).tolist():
        place, label = int(rows[n]), int(labels[n])
        right = "a" if said_a[n] == label else "b" if said_b[n] == label else "none"
        videos.append({
            "id": a.ids[place], "path": a.paths[place], "label": names[label], "right": right,
            "a": names[said_a[n]], "probability_a": float(p_a[n].max()),
            "b": names[said_b[n]], "probability_b": float(p_b[n].max()),
        })  # fmt: skip
    return sorted(videos, key=lambda one: (-one["probability_a"] - one["probability_b"], one["id"]))
