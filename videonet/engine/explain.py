"""Where does the network look? Grad-CAM (Selvaraju et al. 2017) over time and space, for any named feature map.

The map A (C, T', H', W') of a stage and the gradient of one class's logit with respect to it give

    weight_c = mean of d logit / d A_c over T', H', W'        cam = relu(sum_c weight_c A_c)
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from videonet.data.preprocessing import Preprocessing

from .analysis import average_views
from .loss import Activation


class Mapped(Protocol):
    """A network with named feature maps."""

    @property
    def feature_channels(self) -> dict[str, int]: ...

    def embed(self, x: Tensor, names: Collection[str] | None = None) -> dict[str, Tensor]:
        """(N, 3, T, S, S) float -> name -> (N, D) or (N, C, T', H', W')."""
        ...


class ExplainError(ValueError):
    """A prediction cannot be explained as asked; the message says the way out."""


@dataclass(frozen=True)
class Explanation:
    """Of the views of one video."""

    target: int
    """The class."""
    probability: float
    """Its own, averaged over the views."""
    stage: str
    heat: np.ndarray
    """float32 (V, T, S, S) in [0, 1]."""


def explain(
    network: Mapped,
    views: Tensor,
    preprocessing: Preprocessing,
    device: torch.device,
    target: int | None = None,
    stage: str | None = None,
    activation: Activation = "softmax",
) -> Explanation:
    """uint8 views (V, 3, T, S, S), one at a time. `target`: None for the most probable class; `stage`: None
    for the last map; `activation`: of the loss that the model was trained with.

    Raises ExplainError for a stage without a map.
    """
    stage = stage or next(reversed(network.feature_channels), "")
    clips = [preprocessing.normalise(view[None].to(device)) for view in views]
    with torch.no_grad():
        logits = torch.cat([network.embed(clip, ("logits",))["logits"] for clip in clips])
    shares = average_views(logits.float().cpu().numpy()[None], activation=activation)[0]  # (K,)
    target = int(shares.argmax()) if target is None else target
    maps = torch.cat([grad_cam(network, clip, stage, target) for clip in clips])
    heat = over_frames(maps, preprocessing.frames, preprocessing.crop)
    return Explanation(target, float(shares[target]), stage, heat.float().cpu().numpy())


def grad_cam(network: Mapped, clips: Tensor, stage: str, target: int) -> Tensor:
    """What speaks for class `target` in each clip: (N, T', H', W') >= 0, of the size of the map.

    clips: normalised, (N, 3, T, S, S); the network in eval mode. Raises ExplainError for a stage without a map.
    """
    if stage not in network.feature_channels:
        raise ExplainError(
            f"there is no map {stage!r}; this network has {', '.join(network.feature_channels) or 'none'}"
        )
    with torch.enable_grad():
        found = network.embed(clips, (stage, "logits"))
        # Clips do not mix in eval mode: the gradient of the sum holds those of each.
        (gradient,) = torch.autograd.grad(found["logits"][:, target].sum(), found[stage])
    weights = gradient.mean(dim=(2, 3, 4), keepdim=True)  # (N, C, 1, 1, 1)
    return (weights * found[stage].detach()).sum(dim=1).relu()


def over_frames(cam: Tensor, frames: int, size: int) -> Tensor:
    """(N, T', H', W') -> (N, frames, size, size), each clip's largest value 1 (all 0 where nothing speaks for it)."""
    large = F.interpolate(cam[:, None], (frames, size, size), mode="trilinear", align_corners=False)[:, 0]
    return large / large.amax(dim=(1, 2, 3), keepdim=True).clamp_min(torch.finfo(large.dtype).tiny)
