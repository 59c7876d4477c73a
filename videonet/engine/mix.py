"""Mixup and CutMix of a batch on the device, on clips (N, C, T, H, W): one share and one box for all frames."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Mix:
    """With probability `share`, a batch is mixed: by mixup (Zhang et al. 2018) or CutMix (Yun et al. 2019).

    An alpha of 0 leaves that kind out; with both, each has its turn with equal chance. Draws come from torch's
    generator.
    """

    mixup_alpha: float = 0.0
    cutmix_alpha: float = 0.0
    share: float = 1.0

    def __call__(self, clips: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """float (N, C, T, H, W) and float32 (N, K), rows summing to 1 -> the same shapes, mixed."""
        alphas = {"mixup": self.mixup_alpha, "cutmix": self.cutmix_alpha}
        kinds = [kind for kind, alpha in alphas.items() if alpha > 0]
        if not kinds or float(torch.rand(())) >= self.share:
            return clips, targets
        kind = kinds[int(torch.randint(len(kinds), ()))]
        alpha = torch.tensor(alphas[kind])
        kept = float(torch.distributions.Beta(alpha, alpha).sample())
        others = clips.roll(1, dims=0)
        if kind == "mixup":
            mixed = clips * kept + others * (1 - kept)
        else:
            height, width = clips.shape[-2:]
            top, bottom = _side(height, kept)
            left, right = _side(width, kept)
            mixed = clips.clone()
            mixed[..., top:bottom, left:right] = others[..., top:bottom, left:right]
            kept = 1 - (bottom - top) * (right - left) / (height * width)
        return mixed, targets * kept + targets.roll(1, dims=0) * (1 - kept)


def _side(length: int, kept: float) -> tuple[int, int]:
    """[start, stop) of a box that covers sqrt(1 - kept) of `length` around a random centre, cut off at the edges."""
    centre = int(torch.randint(length, ()))
    half = int(length * (1 - kept) ** 0.5 / 2)
    return max(0, centre - half), min(length, centre + half)
