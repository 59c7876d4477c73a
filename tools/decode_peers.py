"""One training clip of a video, by several libraries, each in its own order of steps: what tools/bench_decode.py times.

Every way takes the path of a video and an `Ask`, the one random draw that all share, and gives (3, T, S, S): uint8, or
float32 normalised where that library leaves normalising to its workers. The peers' steps are written after their
sources, with the function that each follows; their own random draws are replaced by the ask's.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import av
import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import v2

from videonet.data.dataset import Sample, VideoDataset
from videonet.data.lists import VideoItem
from videonet.data.preprocessing import Preprocessing
from videonet.data.transforms import Box, Spatial
from videonet.data.views import ViewPlan, Views
from videonet.decode import Opener, pyav, track

MEAN, STD = (0.45, 0.45, 0.45), (0.225, 0.225, 0.225)


@dataclass(frozen=True)
class Ask:
    """A clip and its geometry: the short side resized to `short_side`, then a crop, then perhaps a flip."""

    first: int
    """Index of the first frame."""
    frames: int
    stride: int
    short_side: int
    top: float
    """Share of the room above and below the crop that is above it."""
    left: float
    flip: bool
    fps: float
    crop: int = 224

    @property
    def indices(self) -> list[int]:
        """Frames at the stride."""
        return list(range(self.first, self.first + self.frames * self.stride, self.stride))

    @property
    def spread_indices(self) -> list[int]:
        """Frames as PySlowFast and pytorchvideo take them: evenly from the first of the span to its last."""
        spread = torch.linspace(0, self.frames * self.stride - 1, self.frames).long()
        return [self.first + place for place in spread.tolist()]

    def spatial(self, height: int, width: int) -> Spatial:
        """The crop in source pixels, then the resize."""
        edge = min(height, width, round(self.crop * min(height, width) / self.short_side))
        top, left = int(self.top * (height - edge)), int(self.left * (width - edge))
        return Spatial(Box(top, left, edge, edge), (self.crop, self.crop), self.flip)

    def scaled(self, height: int, width: int) -> tuple[int, int]:
        """Size of the whole frame once its short side is resized."""
        if width < height:
            return math.floor(height / width * self.short_side), self.short_side
        return self.short_side, math.floor(width / height * self.short_side)

    def corner(self, height: int, width: int) -> tuple[int, int]:
        """Top left of the crop in a resized frame."""
        return int(self.top * (height - self.crop)), int(self.left * (width - self.crop))


@dataclass(frozen=True)
class Way:
    """How one library makes a clip."""

    name: str
    read: Callable[[Path, Ask], Any]
    """What is timed: it gives the clip, or what `finish` makes the clip of."""
    indices: Callable[[Ask], Sequence[int]] = lambda ask: ask.indices
    """The frames that it takes, by its own definition of the clip."""
    needs: tuple[str, ...] = ()
    """Packages besides the project's own."""
    finish: Callable[[Any], Tensor] = lambda clip: clip
    """The device's share of the work, which is not timed."""


@dataclass(frozen=True)
class AskedViews:
    """The one view of an ask, for `VideoDataset`."""

    ask: Ask
    preprocessing: Preprocessing

    def plan(self, ticks: int, frame: tuple[int, int], rng: np.random.Generator) -> ViewPlan:
        crop = self.ask.crop
        emit = self.ask.spatial(*frame)
        return ViewPlan(np.array([self.ask.indices]), (emit,), (Box(0, 0, crop, crop),), emit.flip)


def preprocessing(frames: int, stride: int, crop: int, short_side: int) -> Preprocessing:
    """By frame index, cropped, RGB."""
    return Preprocessing("dense", frames, stride, None, crop, short_side, "crop", "rgb", MEAN, STD)


def by_videonet(path: Path, ask: Ask) -> Tensor:
    """What a worker of the data loader does."""
    views = AskedViews(ask, preprocessing(ask.frames, ask.stride, ask.crop, ask.short_side))
    return read_views(path, views)[0]


def decoder_share(path: Path, ask: Ask) -> float:
    """Seconds of CPU that `by_videonet` spends in the decoder's own calls: no reader that is exact can spend less."""
    decode, seconds = track.decode, 0.0

    def timed(context: av.VideoCodecContext, packet: av.Packet | None) -> list[av.VideoFrame] | None:
        nonlocal seconds
        start = time.thread_time()
        frames = decode(context, packet)
        seconds += time.thread_time() - start
        return frames

    with patch.object(track, "decode", timed), patch.object(pyav, "decode", timed):
        by_videonet(path, ask)
    return seconds


def by_videonet_planes(path: Path, ask: Ask) -> Sample:
    """What a worker does with clip.pixels=yuv; colour, size and flip are left to the device."""
    seen = replace(preprocessing(ask.frames, ask.stride, ask.crop, ask.short_side), pixels="yuv")
    return _sample(path, AskedViews(ask, seen))


def finished(sample: Sample) -> Tensor:
    """What the device then does."""
    assert sample.views is not None
    assert sample.finish is not None
    return sample.finish(sample.views)[0]


def read_views(path: Path, views: Views) -> Tensor:
    """What a worker makes of a video."""
    sample = _sample(path, views)
    assert sample.views is not None
    return sample.views if sample.finish is None else sample.finish(sample.views)


def _sample(path: Path, views: Views) -> Sample:
    opener = Opener(pixels=views.preprocessing.pixels)
    sample = VideoDataset([VideoItem("clip", str(path), 0)], views, open_video=opener)[0, 0]
    if sample.views is None:
        raise SystemExit(f"{path}: {sample.failures[0].reason}")
    return sample


def by_torchcodec(path: Path, ask: Ask) -> Tensor:
    """Exact seeks, one batch, crop, one uint8 resize."""
    from torchcodec.decoders import VideoDecoder

    frames = VideoDecoder(path, num_ffmpeg_threads=1, seek_mode="exact").get_frames_at(ask.indices).data
    spatial = ask.spatial(*frames.shape[2:])
    box = spatial.box
    frames = frames[..., box.top : box.top + box.height, box.left : box.left + box.width]  # channels last in memory
    if frames.shape[2:] != spatial.size:
        frames = v2.functional.resize(frames, list(spatial.size), antialias=True)
    if ask.flip:
        frames = frames.flip(-1)
    return frames.transpose(0, 1).contiguous()


def by_mmaction2(path: Path, ask: Ask) -> Tensor:
    """MMAction2 1.x, mmaction/datasets/transforms: loading.py and processing.py, without its dictionaries."""
    import cv2
    import decord

    container = decord.VideoReader(io.BytesIO(path.read_bytes()), num_threads=1)  # DecordInit
    images = list(container.get_batch(ask.indices).asnumpy())  # DecordDecode, mode="accurate"
    height, width = ask.scaled(*images[0].shape[:2])  # RandomRescale: mmcv.imresize of whole frames
    images = [cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR) for image in images]
    top, left = ask.corner(height, width)  # RandomCrop
    images = [image[top : top + ask.crop, left : left + ask.crop] for image in images]
    if ask.flip:  # Flip: mmcv.imflip_
        images = [cv2.flip(image, 1) for image in images]
    return torch.from_numpy(np.stack(images).transpose(3, 0, 1, 2))  # FormatShape "NCTHW", PackActionInputs


def by_pyslowfast(path: Path, ask: Ask) -> Tensor:
    """PySlowFast, slowfast/datasets: kinetics.py `__getitem__`, decoder.py, transform.py; DECODING_BACKEND pyav."""
    clip = pyslowfast_clip(path, ask.first, ask.frames, ask.frames * ask.stride)
    return _scaled_cropped_flipped(clip, ask)  # kinetics.spatial_sampling


def pyslowfast_clip(path: Path, first: int, frames_wanted: int, span: int) -> Tensor:
    """float32 (3, T, H, W), normalised: `frames_wanted` frames spread over the `span` frames from `first` on."""
    container = av.open(str(path))  # video_container.get_video_container
    stream = container.streams.video[0]
    start_pts, end_pts, start = 0, math.inf, first
    if stream.duration is not None:  # decoder.pyav_decode: selective decoding
        ticks = stream.duration / stream.frames
        start_pts, end_pts, start = int(first * ticks), int((first + span - 1) * ticks), 0
    frames = {}
    container.seek(max(start_pts - 1024, 0), any_frame=False, backward=True, stream=stream)
    for frame in container.decode(video=0):  # decoder.pyav_decode_stream
        if frame.pts is None or frame.pts < start_pts:
            continue
        frames[frame.pts] = frame
        if frame.pts > end_pts:
            break
    container.close()
    clip = torch.as_tensor(np.stack([frames[pts].to_rgb().to_ndarray() for pts in sorted(frames)]))
    index = torch.linspace(start, start + span - 1, frames_wanted)  # decoder.temporal_sampling
    clip = torch.index_select(clip, 0, torch.clamp(index, 0, clip.shape[0] - 1).long())
    clip = clip.float() / 255.0  # utils.tensor_normalize
    clip = (clip - torch.tensor(MEAN)) / torch.tensor(STD)
    return clip.permute(3, 0, 1, 2)


def by_pytorchvideo(path: Path, ask: Ask) -> Tensor:
    """pytorchvideo 0.1: its EncodedVideo, then the steps of its transforms in the order of its tutorials."""
    from pytorchvideo.data.encoded_video import EncodedVideo

    video = EncodedVideo.from_path(str(path), decode_audio=False, decoder="pyav")
    start = max(0.0, ask.first - 0.5) / ask.fps  # in the middle between frames, so that rounding does not decide
    end = (ask.first + ask.frames * ask.stride - 0.5) / ask.fps
    clip = video.get_clip(start, end)["video"]  # float32 (3, span, H, W)
    video.close()
    index = torch.linspace(0, clip.shape[1] - 1, ask.frames).clamp(0, clip.shape[1] - 1).long()
    clip = torch.index_select(clip, 1, index)  # UniformTemporalSubsample
    clip = clip / 255.0
    clip = v2.functional.normalize(clip.permute(1, 0, 2, 3), list(MEAN), list(STD)).permute(1, 0, 2, 3)  # Normalize
    return _scaled_cropped_flipped(clip, ask)  # RandomShortSideScale, RandomCrop, RandomHorizontalFlip


def _scaled_cropped_flipped(clip: Tensor, ask: Ask) -> Tensor:
    """float32 (3, T, H, W): whole frames resized, then cropped; transform.py of PySlowFast, and pytorchvideo alike."""
    size = ask.scaled(*clip.shape[2:])
    if size != tuple(clip.shape[2:]):
        clip = torch.nn.functional.interpolate(clip, size=size, mode="bilinear", align_corners=False)
    top, left = ask.corner(*clip.shape[2:])
    clip = clip[:, :, top : top + ask.crop, left : left + ask.crop]
    return clip.flip(-1) if ask.flip else clip


CLIP_WAYS = (
    Way("videonet", by_videonet),
    Way("videonet, planes (yuv)", by_videonet_planes, finish=finished),
    Way("torchcodec exact", by_torchcodec, needs=("torchcodec",)),
    Way("MMAction2 (decord)", by_mmaction2, needs=("decord", "cv2")),
    Way("PySlowFast (PyAV)", by_pyslowfast, lambda ask: ask.spread_indices),
    Way("pytorchvideo (PyAV)", by_pytorchvideo, lambda ask: ask.spread_indices, needs=("pytorchvideo.data",)),
)
