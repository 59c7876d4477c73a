"""What the network sees: a clip, and its random geometry and colours in training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from .types import STRICT, NonNegative, NonNegativeFloat, Positive, PositiveFloat, Share, Triple


@dataclass(frozen=True, config=STRICT)
class ClipConfig:
    """What the network sees: one clip. Stored in the checkpoint; the same for train, test, extract and predict."""

    sampler: Literal["dense", "segment"] = "dense"
    """dense: `frames` frames `stride` apart. segment: one frame from each of `frames` equal parts (TSN)."""
    frames: Positive = 16
    """Frames a clip (T)."""
    stride: Positive = 2
    """Ticks of the timeline from one frame to the next (dense)."""
    fps: PositiveFloat | None = None
    """Ticks a second of the timeline; None: the video's own frames are the ticks."""
    crop: Positive = 224
    """Height and width of a clip in pixels (S)."""
    short_side: Positive = 256
    """Short side in pixels to which a test frame is resized before it is cropped; at least `crop`."""
    short: Literal["hold", "loop"] = "hold"
    """Where a video is shorter than a clip: hold its last frame, or begin again (dense)."""
    pixels: Literal["rgb", "yuv"] = "rgb"
    """rgb: each frame is converted and resized as it is decoded. yuv: its planes are cropped, and colour and size are
    the device's work: less CPU a clip, and pixels within a few levels of rgb's."""
    fit: Literal["crop", "letterbox"] = "crop"
    """crop: cut a square out of the frame. letterbox: keep the whole frame, padded to a square (long side = `crop`)."""
    input: Literal["rgb", "centred", "difference"] = "rgb"
    """rgb; centred: minus the clip's own temporal mean; difference: minus the frame before (first frame: 0)."""
    mean: Triple = (0.45, 0.45, 0.45)
    """Per-channel mean of RGB in [0, 1] (rgb input only: the others have zero mean by construction)."""
    std: Triple = (0.225, 0.225, 0.225)
    """Per-channel divisor."""

    def __post_init__(self) -> None:
        if self.fit == "crop" and self.short_side < self.crop:
            raise ValueError(f"short_side {self.short_side} is below crop {self.crop}; raise it to at least the crop")
        if min(self.std) <= 0:
            raise ValueError(f"std {self.std} must be above 0 in every channel")


@dataclass(frozen=True, config=STRICT)
class AugmentConfig:
    """Random geometry of a training clip; one draw a clip."""

    crop: Literal["resized", "jitter", "pad"] = "resized"
    """resized: a box of random area and aspect ratio. jitter: a random short side, then a random square. pad: the whole
    frame, moved by up to `pad` pixels (small images)."""
    pad: NonNegative = 4
    """Pixels that crop: pad moves the frame by at most, the rest staying black."""
    area: tuple[PositiveFloat, PositiveFloat] = (0.35, 1.0)
    """Share of the frame's area that a resized crop covers: [least, most]."""
    aspect: tuple[PositiveFloat, PositiveFloat] = (0.75, 1.3333333333333333)
    """Width over height of a resized crop: [least, most]."""
    short_side: tuple[Positive, Positive] = (256, 320)
    """Short side in pixels of the jittered frame: [least, most]."""
    flip: Share | None = None
    """Probability of a horizontal flip; None: 0.5, or 0 where a class name says left or right and none is its mirror.
    Where each sided class has its mirror, a flipped clip takes the other's label."""
    brightness: Share = 0.0
    """Colour jitter, drawn once a clip: factor from [1 - b, 1 + b]."""
    contrast: Share = 0.0
    saturation: Share = 0.0
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Turn of the colour circle drawn from [-h, h]; slow."""
    randaugment: NonNegative = 0
    """Operations of RandAugment, the same for all frames of a clip (Cubuk et al. 2020); 0: none."""
    magnitude: Annotated[int, Field(ge=0, le=30)] = 9
    """Their strength."""
    erase: Share = 0.0
    """Probability of random erasing, one box for all frames (Zhong et al. 2020)."""
    mixup_alpha: NonNegativeFloat = 0.0
    """Mixup of the clips of a batch (Zhang et al. 2018); 0: none."""
    cutmix_alpha: NonNegativeFloat = 0.0
    """CutMix of the clips of a batch, one box for all frames (Yun et al. 2019); 0: none."""
    mix_share: Share = 1.0
    """Share of the batches that are mixed."""

    def __post_init__(self) -> None:
        for name in ("area", "aspect", "short_side"):
            least, most = getattr(self, name)
            if least > most:
                raise ValueError(f"{name} [{least}, {most}] must be [least, most]")
