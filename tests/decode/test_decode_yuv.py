"""Frames as YUV planes: turned into RGB later, they are what the RGB reader gives."""

import itertools
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from tests.decode.make import Recipe, read_number
from videonet.decode import Colour, EvenCut, Opener, YuvFrame, open_video, to_rgb
from videonet.decode.yuv import from_rgb

Videos = Callable[[Recipe], Path]
MATRICES = {"bt601": (6, Colorspace.ITU601), "bt709": (1, Colorspace.ITU709)}


def gradient_video(path: Path, matrix: str, full_range: bool) -> Path:
    """Smooth colours that move, marked with what they are."""
    number, space = MATRICES[matrix]
    values = ColorRange.JPEG if full_range else ColorRange.MPEG
    rows, columns = np.mgrid[:128, :192]
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=30, options={"crf": "15"})
        stream.width, stream.height, stream.pix_fmt = 192, 128, "yuv420p"
        stream.codec_context.color_range, stream.codec_context.colorspace = values, number
        for step in range(6):
            image = np.stack((rows * 2, columns + 5 * step, 255 - rows - columns // 2), axis=2).clip(0, 255)
            frame = av.VideoFrame.from_ndarray(image.astype(np.uint8), "rgb24")
            output.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace=space, dst_color_range=values)))
        output.mux(stream.encode(None))
    return path


def smooth_image() -> np.ndarray:
    return np.stack(np.broadcast_arrays(np.arange(200)[None], np.arange(100)[:, None], 90), axis=2).astype(np.uint8)


def assert_close(rgb: torch.Tensor, expected: torch.Tensor) -> None:
    """(T, 3, h, w) against (T, h, w, 3): mean difference under 1.5 levels, 99 % under 6."""
    difference = (rgb.permute(0, 2, 3, 1).int() - expected.int()).abs().float()
    assert difference.mean() < 1.5
    assert np.percentile(difference.numpy(), 99) < 6


@pytest.mark.parametrize(("matrix", "full_range"), list(itertools.product(MATRICES, (False, True))))
def test_colours_become_what_the_rgb_reader_gives(matrix: str, full_range: bool, tmp_path: Path) -> None:
    path = gradient_video(tmp_path / "gradient.mp4", matrix, full_range)
    with open_video(path, pixels="yuv") as video, open_video(path) as rgb:
        clip = video.at_index([4, 0, 4])
        assert clip.frames.shape == (3, 192, 192)
        assert clip.colour == Colour(matrix, full_range)
        assert_close(to_rgb(clip.frames, clip.colour), rgb.at_index([4, 0, 4]).frames)


@pytest.mark.parametrize("pix_fmt", ["yuv422p", "yuv420p10le", "yuv444p"])
def test_other_layouts_are_brought_to_420(pix_fmt: str, videos: Videos) -> None:
    path = videos(Recipe(".mp4", pix_fmt=pix_fmt, numbers=range(6)))
    with open_video(path, pixels="yuv") as video, open_video(path) as rgb:
        clip, expected = video.at_index([5]), rgb.at_index([5]).frames
    assert clip.colour is not None
    image = to_rgb(clip.frames, clip.colour)
    assert read_number(image[0].permute(1, 2, 0).numpy()) == 5
    assert (image.permute(0, 2, 3, 1).int() - expected.int()).abs().float().mean() < 8  # chroma is halved


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("size", [(96, 224), (95, 225)], ids=["even", "odd"])
def test_planes_are_turned_upright(degrees: int, size: tuple[int, int], videos: Videos) -> None:
    codec, pix_fmt = ("libx264", "yuv420p") if size[0] % 2 == 0 else ("libvpx-vp9", "yuv420p")
    path = videos(Recipe(".mp4", codec, pix_fmt=pix_fmt, numbers=range(4), rotation=degrees, size=size))
    with open_video(path, pixels="yuv") as video, open_video(path) as rgb:
        clip, expected = video.at_index([3]), rgb.at_index([3]).frames
        height, width = video.info.height, video.info.width
    assert clip.frames.shape == (1, (height + height % 2) * 3 // 2, width + width % 2)
    assert clip.colour is not None
    image = to_rgb(clip.frames, clip.colour)[:, :, :height, :width].permute(0, 2, 3, 1)
    assert (image.int() - expected.int()).abs().float().mean() < 5


@pytest.mark.parametrize("box", [(0, 0, 96, 224), (3, 5, 50, 61), (2, 4, 31, 30), (95, 223, 1, 1)])
def test_a_cut_is_the_even_box_around(box: tuple[int, int, int, int], videos: Videos) -> None:
    cut = EvenCut(*box)
    top, left, height, width = cut.box
    assert top <= box[0] < top + height
    assert top + height - 1 <= box[0] + box[2] <= top + height
    assert [side % 2 for side in cut.box] == [0, 0, 0, 0]
    with open_video(videos(Recipe(".mp4", options={"g": "24", "bf": "3"})), pixels="yuv") as video:
        whole, clip = video.at_index([7, 9]), video.at_index([7, 9], cut)
    assert whole.colour is not None
    expected = to_rgb(whole.frames, whole.colour)[:, :, top : top + height, left : left + width]
    assert torch.equal(to_rgb(clip.frames, whole.colour), expected)


def test_odd_frames_repeat_their_last_row_and_column() -> None:
    y = torch.arange(15, dtype=torch.uint8).view(3, 5)
    half = torch.tensor([[1, 2, 3], [4, 5, 6]], dtype=torch.uint8)
    packed = YuvFrame(y, half, half + 10, Colour()).packed()
    assert packed.shape == (6, 6)
    last = [10, 11, 12, 13, 14, 14]
    assert packed[:4].tolist() == [[0, 1, 2, 3, 4, 4], [5, 6, 7, 8, 9, 9], last, last]
    assert packed[4:].flatten().tolist() == [1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16]


def test_streams_give_what_clips_give(videos: Videos) -> None:
    with Opener(pixels="yuv")(videos(Recipe(".mp4", options={"g": "24", "bf": "3"}))) as video:
        clip = video.at_index(range(20, 30))
        streamed = torch.stack([frame for _, frame in video.stream(20 / 30, 30 / 30)])
        assert torch.equal(streamed, clip.frames)
        assert torch.equal(torch.stack(list(video.stream_index(range(20, 30)))), clip.frames)


@pytest.mark.parametrize("source", ["image", "folder", "gif"])
def test_rgb_sources_give_yuv_too(source: str, videos: Videos, tmp_path: Path) -> None:
    for number in range(2):
        Image.fromarray(smooth_image()).save(tmp_path / f"{number}.png")
    gif = videos(Recipe(".gif", "gif", pix_fmt="rgb8", numbers=range(3)))
    path = {"image": tmp_path / "1.png", "folder": tmp_path, "gif": gif}[source]
    with open_video(path, pixels="yuv") as video, open_video(path) as rgb:
        clip, expected = video.at_index([0, 1]), rgb.at_index([0, 1]).frames
        cut = video.at_index([1, 1], [EvenCut(2, 2, 50, 60), EvenCut(3, 3, 49, 59)])
    assert clip.colour == cut.colour == Colour("bt601", full_range=True)
    assert cut.frames.shape == (2, 75, 60)
    if source == "gif":
        assert read_number(to_rgb(clip.frames, clip.colour)[1].permute(1, 2, 0).numpy()) == 1
    else:
        assert_close(to_rgb(clip.frames, clip.colour), expected)


@pytest.mark.parametrize("colour", [Colour("bt601", True), Colour("bt709", False), Colour("bt2020", False)])
def test_rgb_survives_the_way_there_and_back(colour: Colour) -> None:
    smooth = torch.from_numpy(smooth_image())
    assert_close(to_rgb(from_rgb(smooth, colour).packed()[None], colour), smooth[None])


def test_what_is_wrong_is_named(videos: Videos) -> None:
    path = videos(Recipe(".mp4", options={"g": "24", "bf": "3"}))
    with pytest.raises(ValueError, match="pixels='bgr'"):
        open_video(path, pixels="bgr")  # type: ignore[arg-type]  # the very mistake
    with open_video(path, pixels="yuv") as video, pytest.raises(ValueError, match="inside a frame"):
        video.at_index([0], EvenCut(90, 0, 10, 10))
    with pytest.raises(ValueError, match="empty"):
        EvenCut(0, 0, 0, 4)
    with pytest.raises(ValueError, match="packed frames"):
        to_rgb(torch.zeros(1, 3, 6, 6, dtype=torch.uint8), Colour())
    with pytest.raises(ValueError, match="chroma"):
        YuvFrame(*(torch.zeros(4, 4, dtype=torch.uint8) for _ in range(3)), Colour())
