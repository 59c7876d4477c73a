"""Do probabilities mean what they say? Of class probabilities (n, K) and labels (n,).

Guo et al. 2017, "On Calibration of Modern Neural Networks". The confidence of a video is its largest probability.
"""

from __future__ import annotations

from typing import Any

import numpy as np

BINS = 15
_COLDEST, _HOTTEST = 0.05, 20.0


def negative_log_likelihood(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """float64 (n,): -ln of the true class's probability; one below the smallest normal float32 counts as that."""
    true = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return -np.log(np.maximum(true, np.finfo(np.float32).tiny))


def reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> list[dict[str, Any]]:
    """One row a bin of confidence (low, high]: n videos, their mean confidence and top1; None where n = 0."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    rows = []
    for number in range(bins):
        mine = place == number
        any_mine = bool(mine.any())
        rows.append({
            "low": float(edges[number]),
            "high": float(edges[number + 1]),
            "n": int(mine.sum()),
            "confidence": float(confidence[mine].mean()) if any_mine else None,
            "top1": float(right[mine].mean()) if any_mine else None,
        })  # fmt: skip
    return rows


def expected_calibration_error(rows: list[dict[str, Any]]) -> float:
    """Of the rows of `reliability`: mean over the videos of |confidence - top1| of their bin."""
    total = sum(row["n"] for row in rows)
    return sum(row["n"] * abs(row["confidence"] - row["top1"]) for row in rows if row["n"]) / total


def at_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """float64 (n, K): softmax(ln p / temperature), softmax(logits / temperature) for one view or mean logits."""
    from scipy.special import softmax

    logs = np.log(np.maximum(probabilities.astype(np.float64), np.finfo(np.float32).tiny))
    return softmax(logs / temperature, axis=1)


def fitted_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature of least mean negative log-likelihood, within 0.05 to 20; at 0.05 when every video is right."""
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return float(negative_log_likelihood(at_temperature(probabilities, np.exp(log_temperature)), labels).mean())

    found = minimize_scalar(loss, bounds=np.log([_COLDEST, _HOTTEST]), method="bounded", options={"xatol": 1e-7})
    return float(np.exp(found.x))


def calibration(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """`ece`, the `bins`, and the `temperature` fitted to these very videos, with `ece` and `nll` at it."""
    bins = reliability(probabilities, labels)
    temperature = fitted_temperature(probabilities, labels)
    cooled = at_temperature(probabilities, temperature)
    return {
        "ece": expected_calibration_error(bins),
        "bins": bins,
        "temperature": temperature,
        "ece_at_temperature": expected_calibration_error(reliability(cooled, labels)),
        "nll_at_temperature": float(negative_log_likelihood(cooled, labels).mean()),
    }
