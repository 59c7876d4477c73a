"""Mixup and CutMix of a batch on the device, on clips (N, C, T, H, W): one share and one box for all frames.

torchvision's, which mix each clip with the one before it and draw from torch's global generator.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torchvision import tv_tensors
from torchvision.transforms import v2


@dataclass(frozen=True)
class Mix:
    """With probability `share`, a batch is mixed: by mixup (Zhang et al. 2018) or CutMix (Yun et al. 2019).

    An alpha of 0 leaves that kind out; with both, each has its turn with equal chance.
    """

    mixup_alpha: float = 0.0
    cutmix_alpha: float = 0.0
    share: float = 1.0

    def __call__(self, clips: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """float (N, C, T, H, W) and float32 (N, K) -> the same shapes, mixed; rows may sum to any number."""
        kinds = [(v2.MixUp, self.mixup_alpha), (v2.CutMix, self.cutmix_alpha)]
        kinds = [(kind, alpha) for kind, alpha in kinds if alpha > 0]
        if not kinds or float(torch.rand(())) >= self.share:
            return clips, targets
        kind, alpha = kinds[int(torch.randint(len(kinds), ()))]
        mixed, shares = kind(alpha=alpha)(tv_tensors.Video(clips), targets)  # a plain tensor of five axes is refused
        return mixed.as_subclass(torch.Tensor), shares
