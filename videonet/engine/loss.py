"""Losses: logits float32 (N, K) and targets -> a scalar, the mean over the clips.

Targets are shares float32 (N, K), rows summing to 1 (one class: a one-hot row; mixed clips: two entries), or, for the
binary loss, any number of ones a row. One form for all, so that mixing and smoothing need no case of their own.
What turns logits into the probabilities that a loss trains is its `activation`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

LOSSES = ("cross_entropy", "focal", "binary")

Activation = Literal["softmax", "sigmoid"]


def activation(loss: str) -> Activation:
    """softmax where one class of K is chosen, sigmoid where each class is a question of its own."""
    return "sigmoid" if loss == "binary" else "softmax"


def make_loss(
    name: str, label_smoothing: float = 0.0, focal_gamma: float = 2.0, class_weights: torch.Tensor | None = None
) -> Loss:
    """The loss of that name.

    cross_entropy: softmax cross-entropy. focal: its terms times (1 - p) ** gamma (Lin et al. 2017).
    binary: a yes or no for every class (several labels a video), mean over the classes too.
    label_smoothing: that share of each target is spread evenly over the classes.
    class_weights: float32 (K,), a factor for the terms of each class.
    """
    if name == "cross_entropy":
        return lambda logits, targets: F.cross_entropy(logits, targets, class_weights, label_smoothing=label_smoothing)
    if name == "focal":

        def focal(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            smooth = _smooth(targets, label_smoothing)
            weights = smooth if class_weights is None else smooth * class_weights
            log_p = logits.log_softmax(dim=1)
            return -(weights * (1 - log_p.exp()) ** focal_gamma * log_p).sum(dim=1).mean()

        return focal
    if name == "binary":
        return lambda logits, targets: F.binary_cross_entropy_with_logits(
            logits, _smooth(targets, label_smoothing), class_weights
        )
    raise ValueError(f"loss {name!r} is not known; known: {', '.join(LOSSES)}")


def _smooth(targets: torch.Tensor, share: float) -> torch.Tensor:
    return targets * (1 - share) + share / targets.shape[1]


def inverse_frequency(labels: Sequence[int], classes: int) -> torch.Tensor:
    """float32 (K,): weights that give every class that occurs the same sum; their mean over the labels is 1."""
    counts = torch.bincount(torch.tensor(labels), minlength=classes).float()
    occurring = (counts > 0).sum()
    return torch.where(counts > 0, len(labels) / (occurring * counts.clamp(min=1)), torch.zeros(()))
