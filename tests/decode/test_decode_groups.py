"""The default backend on the files of `cases.py` that the exactness tests lack, and what no table of files can show."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import pytest
import torch
from torchvision.transforms.v2 import functional

from tests.decode.cases import CASES, GOP
from tests.decode.conftest import Known
from tests.decode.make import Recipe
from tests.decode.test_decode_exact import RECIPES, assert_reads_as_plain_decode
from videonet.data.transforms import Box, Spatial
from videonet.decode import open_video, track

Videos = Callable[[Recipe], Path]
TESTED_ELSEWHERE = {"rotated", "clock", "durations", "cut", "5 s late"}
MORE = [
    name
    for name, case in CASES.items()
    if case.numbers and name not in RECIPES and not any(name.startswith(start) for start in TESTED_ELSEWHERE)
]

# 200 videos opened and read with frame threads, as a program that shares the process may do; FFmpeg's log untouched.
OPEN_WITH_FRAME_THREADS = """
import sys, av, videonet.decode
assert av.logging.get_level() is None
for _ in range(200):
    with av.open(sys.argv[1]) as container:
        container.streams.video[0].thread_type = "AUTO"
        next(container.decode(video=0))
    with videonet.decode.open_video(sys.argv[1]) as video:
        video.at_index([3])
"""


@pytest.mark.parametrize("name", MORE)
def test_reads_what_a_plain_decode_reads(name: str, known: Known) -> None:
    assert_reads_as_plain_decode(known(name)[0], list(CASES[name].numbers or ()))


def test_a_clip_longer_than_the_video_holds_its_last_frame(videos: Videos) -> None:
    with open_video(videos(RECIPES["three frames"])) as video:
        clip = video.at_index(range(16))
        assert (len(clip.frames), clip.clamped) == (16, 13)
        assert torch.equal(clip.frames[2:], clip.frames[2:3].expand(14, -1, -1, -1))


@pytest.mark.parametrize("name", ["av1", "vp9 hidden frames"])
def test_a_codec_that_is_not_listed_never_skips(name: str, videos: Videos, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[str] = set()
    decode = track.decode

    def watched(context: av.VideoCodecContext, packet: av.Packet | None) -> list[av.VideoFrame] | None:
        seen.add(str(context.skip_frame))
        return decode(context, packet)

    monkeypatch.setattr(track, "decode", watched)
    with open_video(videos(RECIPES[name])) as video:
        video.at_index([40, 10])
    assert seen == {"DEFAULT"}


def test_crop_then_resize_equals_resize_then_crop(videos: Videos) -> None:
    """Half the size: a box of 64x96 at (16, 32) is the 32x48 at (8, 16) of the small frame. A flip is exact."""
    with open_video(videos(Recipe(".mp4", options=GOP))) as video:
        emit = Spatial(Box(16, 32, 64, 96), (32, 48))
        cropped, whole = video.at_index([20], emit).frames, video.at_index([20]).frames
        small = functional.resize(whole.permute(0, 3, 1, 2), [48, 112], antialias=True).permute(0, 2, 3, 1)
        inside = (slice(None), slice(1, -1), slice(1, -1))  # at the rim the crop has no neighbours
        levels = (cropped.int() - small[:, 8:40, 16:64].int()).abs()[inside]
        assert levels.float().mean() < 0.1
        assert levels.max() <= 2
        flipped = video.at_index([20], Spatial(Box(16, 32, 64, 96), (32, 48), flip=True)).frames
        assert torch.equal(flipped, cropped.flip(2))


def test_frame_threads_beside_us_do_not_hang(videos: Videos) -> None:
    path = videos(Recipe(".mp4", options=GOP, numbers=range(8)))
    subprocess.run([sys.executable, "-c", OPEN_WITH_FRAME_THREADS, str(path)], check=True, timeout=120)
