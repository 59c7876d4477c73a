"""What changes the pixels of a training clip but not their places, and RandAugment: the same for all frames of a clip.

Drawn from numbers (a generator) before anything is decoded, then run on the finished clip, uint8 (3, T, S, S).
The functions are torchvision v2's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torchvision.transforms.v2 import functional as F

Retouch = Callable[[torch.Tensor], torch.Tensor]  # uint8 (T, 3, S, S) -> the same shape


@dataclass(frozen=True)
class Photometric:
    """Colour jitter, RandAugment (Cubuk et al. 2020), random erasing (Zhong et al. 2020), each drawn once a clip."""

    brightness: float = 0.0
    """Factor drawn from [1 - b, 1 + b]; contrast and saturation likewise."""
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    """Turn of the colour circle drawn from [-h, h], at most 0.5. Slow."""
    randaugment: int = 0
    """How many operations of RandAugment, one after the other."""
    magnitude: int = 9
    """Their strength, 0 to 30."""
    erase: float = 0.0
    """Probability that a random box, the same in all frames, is made grey."""

    @property
    def idle(self) -> bool:
        """Whether nothing is ever changed."""
        jitters = self.brightness, self.contrast, self.saturation, self.hue
        return not (any(jitters) or self.randaugment or self.erase)

    def draw(self, rng: np.random.Generator) -> Callable[[torch.Tensor], torch.Tensor]:
        """What is done to one clip: a function of uint8 (3, T, S, S) to a new tensor of the same shape."""
        steps: list[Retouch] = []
        for change, strength in (
            (F.adjust_brightness, self.brightness),
            (_contrast, self.contrast),
            (F.adjust_saturation, self.saturation),
        ):
            if strength:
                steps.append(_with(change, max(0.0, 1 + rng.uniform(-strength, strength))))
        if self.hue:
            steps.append(_with(F.adjust_hue, rng.uniform(-self.hue, self.hue)))
        rng.shuffle(steps)
        for _ in range(self.randaugment):
            steps.append(_operation(rng, self.magnitude))
        if rng.random() < self.erase:
            steps.append(_eraser(rng))

        def retouch(clip: torch.Tensor) -> torch.Tensor:
            frames = clip.transpose(0, 1)  # (T, 3, S, S)
            for step in steps:
                frames = step(frames)
            return frames.transpose(0, 1).contiguous()

        return retouch


def _with(change: Callable[[torch.Tensor, float], torch.Tensor], value: float) -> Retouch:
    return lambda frames: change(frames, value)


def _as_one(change: Retouch) -> Retouch:
    """`change` of the clip as one tall picture, where it goes by the picture's own levels: no flicker."""

    def changed(frames: torch.Tensor) -> torch.Tensor:
        count, channels, height, width = frames.shape
        tall = change(frames.transpose(0, 1).reshape(1, channels, count * height, width))
        return tall.reshape(channels, count, height, width).transpose(0, 1)

    return changed


def _contrast(frames: torch.Tensor, factor: float) -> torch.Tensor:
    return _as_one(lambda image: F.adjust_contrast(image, factor))(frames)


def _operation(rng: np.random.Generator, magnitude: int) -> Retouch:
    """One of RandAugment's fourteen, at magnitude / 30 of its range."""
    part, sign = magnitude / 30, 1 if rng.random() < 0.5 else -1
    name = OPERATIONS[int(rng.integers(len(OPERATIONS)))]
    return lambda frames: _apply(name, frames, part, sign)


OPERATIONS = ("identity", "shear_x", "shear_y", "translate_x", "translate_y", "rotate", "brightness", "color",
              "contrast", "sharpness", "posterize", "solarize", "autocontrast", "equalize")  # fmt: skip


def _apply(name: str, frames: torch.Tensor, part: float, sign: int) -> torch.Tensor:
    size = frames.shape[-1]
    shift, shear = round(sign * part * 150 / 331 * size), math.degrees(math.atan(sign * part * 0.3))
    factor = 1 + sign * part * 0.9
    changed: torch.Tensor
    match name:
        case "shear_x":
            changed = F.affine(frames, 0.0, [0, 0], 1.0, [shear, 0.0], center=[0, 0])
        case "shear_y":
            changed = F.affine(frames, 0.0, [0, 0], 1.0, [0.0, shear], center=[0, 0])
        case "translate_x":
            changed = F.affine(frames, 0.0, [shift, 0], 1.0, [0.0, 0.0])
        case "translate_y":
            changed = F.affine(frames, 0.0, [0, shift], 1.0, [0.0, 0.0])
        case "rotate":
            changed = F.rotate(frames, sign * part * 30)
        case "brightness":
            changed = F.adjust_brightness(frames, factor)
        case "color":
            changed = F.adjust_saturation(frames, factor)
        case "contrast":
            changed = _contrast(frames, factor)
        case "sharpness":
            changed = F.adjust_sharpness(frames, factor)
        case "posterize":
            changed = F.posterize(frames, 8 - round(part * 4))
        case "solarize":
            changed = F.solarize(frames, 255 * (1 - part))
        case "autocontrast":
            changed = _as_one(F.autocontrast)(frames)
        case "equalize":
            changed = _as_one(F.equalize)(frames)
        case _:
            changed = frames
    return changed


def _eraser(rng: np.random.Generator) -> Retouch:
    """A box of 2 % to 33 % of the area, height over width from 0.3 to 3.3, made grey."""
    area, aspect = rng.uniform(0.02, 0.33), math.exp(rng.uniform(math.log(0.3), math.log(3.3)))
    height, width = (min(1.0, math.sqrt(area * by)) for by in (aspect, 1 / aspect))
    top, left = rng.random() * (1 - height), rng.random() * (1 - width)

    def erase(frames: torch.Tensor) -> torch.Tensor:
        size = frames.shape[-1]
        erased = frames.clone()
        rows = slice(round(top * size), max(round(top * size) + 1, round((top + height) * size)))
        columns = slice(round(left * size), max(round(left * size) + 1, round((left + width) * size)))
        erased[:, :, rows, columns] = 114  # 0.45 of 255, the usual mean
        return erased

    return erase
