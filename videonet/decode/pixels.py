"""From the decoder's picture to the tensor a reader gives out: RGB, or YUV planes; upright, and all of one size."""

import av
import numpy as np
import torch
from av.video.reformatter import ColorRange, VideoReformatter

from videonet.decode.errors import Undecodable
from videonet.decode.yuv import Colour, Matrix, YuvFrame, from_rgb

# By AVColorSpace; 2 is "not said", which swscale takes for bt601.
MATRICES: dict[int, Matrix] = {1: "bt709", 2: "bt601", 4: "bt601", 5: "bt601", 6: "bt601", 9: "bt2020", 10: "bt2020"}
PLANAR_420 = frozenset({"yuv420p", "yuvj420p"})


def _view(plane: av.video.plane.VideoPlane, height: int, width: int, *channels: int) -> torch.Tensor:
    """uint8 (height, width) or (height, width, channels) on the memory of `plane`, which it keeps alive."""
    strides = (plane.line_size, *channels, 1)
    return torch.from_numpy(np.ndarray((height, width, *channels), np.uint8, memoryview(plane), strides=strides))


class ToRgb:
    """Picture -> uint8 (H, W, 3), of the size and turn of the first one (a stream may change its size half way)."""

    def __init__(self, path: str, first: av.VideoFrame) -> None:
        self.path = path
        self.size = first.width, first.height
        self.quarter_turns = round(first.rotation / 90) % 4
        self.reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> torch.Tensor:
        width, height = self.size
        try:
            rgb = self.reformatter.reformat(frame, width=width, height=height, format="rgb24", threads=1)
        except av.FFmpegError as error:
            reason = f"{frame.format.name} {frame.width}x{frame.height} cannot be turned into RGB ({error.strerror})"
            raise Undecodable(self.path, reason, "re-encode it, to H.264 yuv420p for instance") from error
        image = _view(rgb.planes[0], height, width, 3)
        if rgb is frame:
            image = image.clone()  # the decoder's own picture, that later frames may lean on
        return torch.rot90(image, self.quarter_turns) if self.quarter_turns else image


class ToYuv:
    """Picture -> `YuvFrame`, of the size, turn and colour of the first one; what is no YUV goes through RGB."""

    def __init__(self, to_rgb: ToRgb, first: av.VideoFrame) -> None:
        self._to_rgb = to_rgb
        self._colour = _colour(first) or Colour()
        self._reformatter = VideoReformatter()
        # Chroma of a turned frame of odd size would no longer lie on its 2 x 2 pixels.
        self._turns_odd = bool(to_rgb.quarter_turns and (first.width % 2 or first.height % 2))

    def __call__(self, frame: av.VideoFrame) -> YuvFrame:
        width, height = self._to_rgb.size
        if self._turns_odd or _colour(frame) != self._colour:
            return from_rgb(self._to_rgb(frame), self._colour)
        if frame.format.name not in PLANAR_420 or (frame.width, frame.height) != (width, height):
            values = ColorRange.JPEG if self._colour.full_range else ColorRange.MPEG
            frame = self._reformatter.reformat(
                frame, width, height, "yuv420p", src_color_range=values, dst_color_range=values, threads=1
            )
        half = (height + 1) // 2, (width + 1) // 2
        y, u, v = (_view(p, *size) for p, size in zip(frame.planes, ((height, width), half, half), strict=True))
        if turns := self._to_rgb.quarter_turns:
            y, u, v = (torch.rot90(plane, turns) for plane in (y, u, v))
        return YuvFrame(y, u, v, self._colour)


def _colour(frame: av.VideoFrame) -> Colour | None:
    """How swscale takes this picture; None where it is gray, RGB, or of a rare matrix."""
    form = frame.format
    matrix = MATRICES.get(frame.colorspace)
    if form.is_rgb or form.has_palette or len(form.components) < 3 or matrix is None:
        return None
    return Colour(matrix, frame.color_range == ColorRange.JPEG or form.name.startswith("yuvj"))
