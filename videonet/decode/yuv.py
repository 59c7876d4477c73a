"""Frames as the decoder holds them: a luma plane and two chroma planes of half its size (YUV 4:2:0), not yet RGB.

Packed layout (I420), for even h and w: uint8 (h * 3 // 2, w): h rows of luma, then U and V of (h // 2, w // 2) each,
row after row. It is half the bytes of RGB, and `to_rgb` turns it into RGB on any device.
"""

from dataclasses import dataclass
from typing import Literal

import torch

Matrix = Literal["bt601", "bt709", "bt2020"]

# Red of V, blue of U, green of U and of V, times 65536, for luma and chroma of limited range (as in libswscale).
COEFFICIENTS: dict[Matrix, tuple[int, int, int, int]] = {
    "bt601": (104597, 132201, -25675, -53279),
    "bt709": (117489, 138438, -13975, -34925),
    "bt2020": (110013, 140363, -12277, -42626),
}
LUMA_SHARES: dict[Matrix, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}  # of red and blue


@dataclass(frozen=True)
class Colour:
    """What the numbers of a YUV frame mean."""

    matrix: Matrix = "bt601"
    """bt601 too where the file says nothing."""
    full_range: bool = True
    """Luma 0 to 255 and not 16 to 235."""


@dataclass(frozen=True)
class YuvFrame:
    """One frame. The planes may be views of the decoder's own pictures: to be read, never written."""

    y: torch.Tensor
    """uint8 (H, W)."""
    u: torch.Tensor
    """uint8 (ceil(H / 2), ceil(W / 2))."""
    v: torch.Tensor
    """uint8 (ceil(H / 2), ceil(W / 2))."""
    colour: Colour

    def __post_init__(self) -> None:
        height, width = self.y.shape
        half = (height + 1) // 2, (width + 1) // 2
        if tuple(self.u.shape) != half or tuple(self.v.shape) != half:
            raise ValueError(f"chroma is {tuple(self.u.shape)} and {tuple(self.v.shape)}; it must be {half}")

    def packed(self, top: int = 0, left: int = 0, height: int | None = None, width: int | None = None) -> torch.Tensor:
        """uint8 (h * 3 // 2, w) of a box with even sides at an even place; by default all, made even.

        Where the box reaches a pixel beyond an odd frame, the last row or column is repeated.
        """
        rows, columns = self.y.shape
        height, width = height or rows + rows % 2, width or columns + columns % 2
        out = torch.empty((height * 3 // 2, width), dtype=torch.uint8)
        bottom, right = min(rows, top + height), min(columns, left + width)
        out[: bottom - top, : right - left] = self.y[top:bottom, left:right]
        if right < left + width:
            out[:height, -1] = out[:height, -2]
        if bottom < top + height:
            out[height - 1] = out[height - 2]
        chroma = out[height:].view(2, height // 2, width // 2)
        half = slice(top // 2, (top + height) // 2), slice(left // 2, (left + width) // 2)
        chroma[0], chroma[1] = self.u[half], self.v[half]
        return out


@dataclass(frozen=True)
class EvenCut:
    """An emit for YUV frames: the smallest box of even place and size around the one asked for, packed."""

    top: int
    left: int
    height: int
    width: int

    def __post_init__(self) -> None:
        if min(self.top, self.left) < 0 or min(self.height, self.width) < 1:
            raise ValueError(f"{self} lies outside of any frame, or is empty")

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(top, left, height, width) of what is really cut; at the end of an odd frame one pixel beyond it."""
        top, left = self.top & ~1, self.left & ~1
        return top, left, (self.top + self.height - top + 1) & ~1, (self.left + self.width - left + 1) & ~1

    def __call__(self, frame: YuvFrame) -> torch.Tensor:
        """uint8 (h * 3 // 2, w)."""
        top, left, height, width = self.box
        if top + height > (frame.y.shape[0] + 1) & ~1 or left + width > (frame.y.shape[1] + 1) & ~1:
            raise ValueError(f"{self} does not lie inside a frame of {tuple(frame.y.shape)}")
        return frame.packed(top, left, height, width)


def to_rgb(packed: torch.Tensor, colour: Colour) -> torch.Tensor:
    """Packed YUV, uint8 (T, h * 3 // 2, w), as RGB, uint8 (T, 3, h, w), on the same device.

    The arithmetic is libswscale's: each chroma value holds for 2 x 2 pixels, and each product is rounded down.
    """
    if packed.dtype != torch.uint8 or packed.ndim != 3 or packed.shape[1] % 3 or packed.shape[2] % 2:
        raise ValueError(
            f"packed frames are {packed.dtype} {tuple(packed.shape)}, not uint8 (T, h * 3 // 2, w), w even"
        )
    clips, width = packed.shape[0], packed.shape[2]
    height = packed.shape[1] // 3 * 2
    y = packed[:, :height].int()
    u, v = (packed[:, height:].reshape(clips, 2, height // 2, width // 2).int() * 8 - 1024).unbind(1)
    luma_scale, luma_zero = (8192, 0) if colour.full_range else (round(8192 * 255 / 219), 16)
    shrink = 224 / 255 if colour.full_range else 1.0
    red_v, blue_u, green_u, green_v = (round(one * shrink / 8) for one in COEFFICIENTS[colour.matrix])
    chroma = torch.stack((v * red_v >> 16, (u * green_u >> 16) + (v * green_v >> 16), u * blue_u >> 16), dim=1)
    luma = ((y - luma_zero) * 8 * luma_scale >> 16).view(clips, 1, height // 2, 2, width // 2, 2)
    rgb = luma + chroma[:, :, :, None, :, None]
    return rgb.clamp_(0, 255).to(torch.uint8).view(clips, 3, height, width)


def from_rgb(image: torch.Tensor, colour: Colour) -> YuvFrame:
    """The planes of an RGB image, uint8 (H, W, 3)."""
    red, blue = LUMA_SHARES[colour.matrix]
    r, g, b = image.float().unbind(2)
    y = red * r + (1 - red - blue) * g + blue * b
    luma_range, chroma_range, zero = (1.0, 1.0, 0) if colour.full_range else (219 / 255, 224 / 255, 16)
    chroma = torch.stack(((b - y) / (2 * (1 - blue)), (r - y) / (2 * (1 - red)))) * chroma_range + 128
    halved = torch.nn.functional.avg_pool2d(chroma[None], 2, ceil_mode=True)[0]
    u, v = halved.round_().clamp_(0, 255).to(torch.uint8)
    return YuvFrame((y * luma_range + zero).round_().to(torch.uint8), u, v, colour)
