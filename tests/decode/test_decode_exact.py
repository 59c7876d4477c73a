"""Frames, times and bytes equal to a plain decode of the whole file, over codecs, containers and clocks."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from tests.decode.make import (
    BLOCK,
    FRAMES,
    HEIGHT,
    WIDTH,
    Recipe,
    barcode_frame,
    encode,
    plain_decode,
    read_number,
    remux,
    shifted,
)
from videonet.decode import open_video

GOP = {"g": "24", "bf": "3"}
OPEN_GOP = {"g": "24", "bf": "3", "x264-params": "open-gop=1:scenecut=0"}
ALT_REF = {"auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "8", "g": "24"}
VFR = np.cumsum(np.random.default_rng(0).choice([10, 20, 40, 100], FRAMES)).tolist()

RECIPES = {
    "b-frames mp4": Recipe(".mp4", options=GOP),
    "b-frames mkv": Recipe(".mkv", options=GOP),
    "no b-frames": Recipe(".mp4", options={"g": "24", "bf": "0"}),
    "open gop mp4": Recipe(".mp4", options=OPEN_GOP),
    "open gop mkv": Recipe(".mkv", options=OPEN_GOP),
    "open gop ts": Recipe(".ts", options=OPEN_GOP),
    "hevc open gop": Recipe(".mp4", "libx265", {"x265-params": "keyint=24:open-gop=1:pools=1:log-level=none"}),
    "no edit list": Recipe(".mp4", options=GOP, container={"use_editlist": "0"}),
    "fragmented": Recipe(".mp4", options=GOP, container={"movflags": "frag_keyframe+empty_moov"}),
    "vfr mp4": Recipe(".mp4", options=GOP, ticks=VFR),
    "vfr mkv without durations": Recipe(".mkv", options=GOP, ticks=VFR, durations=False),
    "mpegts": Recipe(".ts", options=GOP),
    "mpeg2 program stream": Recipe(".mpg", "mpeg2video", {"g": "12", "bf": "2"}),
    "flv": Recipe(".flv", options=GOP),
    "raw h264": Recipe(".h264", options=GOP),
    "mkv without index": Recipe(".mkv", options=GOP, container={"live": "1"}),
    "mjpeg avi": Recipe(".avi", "mjpeg", pix_fmt="yuvj420p"),
    "mpeg4 avi with b-frames": Recipe(".avi", "mpeg4", {"g": "12", "bf": "2"}),
    "mpeg4 avi without b-frames": Recipe(".avi", "mpeg4", {"g": "12"}),
    "h264 avi with b-frames": Recipe(".avi", options=GOP),
    "gif": Recipe(".gif", "gif", pix_fmt="rgb8"),
    "vp8 hidden frames": Recipe(".webm", "libvpx", ALT_REF),
    "vp9 hidden frames": Recipe(".webm", "libvpx-vp9", ALT_REF),
    "vp9 odd size": Recipe(".webm", "libvpx-vp9", {"cpu-used": "8", "g": "24"}, size=(95, 225)),
    "av1": Recipe(".mp4", "libsvtav1", {"preset": "12", "g": "24", "svtav1-params": "lp=1"}),
    "h264 10 bit": Recipe(".mp4", options=GOP, pix_fmt="yuv420p10le"),
    "h264 4:4:4": Recipe(".mp4", options=GOP, pix_fmt="yuv444p"),
    "interlaced": Recipe(".mp4", options={**GOP, "flags": "+ilme+ildct"}),
    "periodic intra refresh": Recipe(".mp4", options={"g": "24", "x264-params": "intra-refresh=1"}),
    "one frame": Recipe(".mp4", options=GOP, numbers=[7]),
    "three frames": Recipe(".mp4", options=GOP, numbers=[0, 1, 2]),
}


def assert_reads_as_plain_decode(path: Path, numbers: list[int]) -> None:
    """In order, reversed, repeated at random, and alone around the keyframes 24 and 48; then by time."""
    seconds, plain = zip(*plain_decode(path), strict=True)
    assert [read_number(frame) for frame in plain] == numbers
    last = len(numbers) - 1
    alone = [[min(index, last)] for index in (0, 22, 23, 24, 25, 46, 47, 48, 59)]
    chosen = np.random.default_rng(1).integers(0, len(numbers), 6).tolist()
    with open_video(path) as video:
        assert video.info.frames == len(numbers)
        starts = video.at_index(range(len(numbers))).pts_seconds
        if None not in seconds and (np.diff(seconds) > 0).all():
            np.testing.assert_allclose(starts, np.array(seconds) - seconds[0], atol=1e-9)
        for indices in ([last, 0, last // 2, 0], chosen, sorted(chosen), *alone):
            clip = video.at_index(indices)
            assert np.array_equal(clip.frames.numpy(), np.stack([plain[index] for index in indices]))
            assert clip.pts_seconds.tolist() == starts[indices].tolist()
            assert (clip.clamped, clip.damaged, clip.substituted) == (0, 0, 0)
        by_time = video.at(starts[chosen])
        assert [read_number(frame) for frame in by_time.frames.numpy()] == [numbers[index] for index in chosen]
        assert [read_number(frame.numpy()) for _, frame in video.stream()] == numbers


@pytest.mark.parametrize("name", RECIPES)
def test_reads_what_a_plain_decode_reads(name: str, videos: Callable[[Recipe], Path]) -> None:
    recipe = RECIPES[name]
    assert_reads_as_plain_decode(videos(recipe), list(recipe.numbers))


@pytest.mark.parametrize(("suffix", "first"), [(".mp4", 33), (".mkv", 24)])
def test_obeys_edit_lists(suffix: str, first: int, videos: Callable[[Recipe], Path], tmp_path: Path) -> None:
    """Cut at 1.1 s, packets kept from the keyframe before: mp4 hides the pre-roll, mkv shows it."""
    cut = remux(
        videos(RECIPES["b-frames mp4"]), tmp_path / f"cut{suffix}", lambda p: shifted(p, -1.1, from_seconds=0.72)
    )
    assert_reads_as_plain_decode(cut, list(range(first, FRAMES)))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_counts_time_from_the_first_frame(suffix: str, videos: Callable[[Recipe], Path], tmp_path: Path) -> None:
    late = remux(videos(RECIPES["b-frames mp4"]), tmp_path / f"late{suffix}", lambda packet: shifted(packet, 5.0))
    assert_reads_as_plain_decode(late, list(range(FRAMES)))
    with open_video(late) as video:
        assert video.info.duration_seconds == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turns_frames_upright(degrees: int, videos: Callable[[Recipe], Path]) -> None:
    path = videos(Recipe(".mp4", options=GOP, numbers=range(8), rotation=degrees))
    _, plain = zip(*plain_decode(path), strict=True)
    with open_video(path) as video:
        clip, info = video.at_index([5]), video.info
    assert info.rotation == degrees
    assert clip.frames.shape == (1, info.height, info.width, 3)
    assert np.array_equal(clip.frames[0].numpy(), np.rot90(plain[5], degrees // 90))


def test_passes_over_cover_art_audio_and_a_second_track(tmp_path: Path) -> None:
    """Audio first, then the pictures, then a second, smaller video track."""
    path = tmp_path / "tracks.mkv"
    with av.open(str(path), "w") as output:
        sound = output.add_stream("aac", rate=8000)
        tracks = [output.add_stream("libx264", rate=30) for _ in range(2)]
        for track, width in zip(tracks, (14 * BLOCK, 64), strict=True):
            track.width, track.height, track.pix_fmt = width, 64, "yuv420p"
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.rate = 8000
        output.mux(sound.encode(silence) + sound.encode(None))
        for track in tracks:
            for number in range(10):
                frame = av.VideoFrame.from_ndarray(barcode_frame(number, 64)[:, : track.width].copy(), "rgb24")
                output.mux(track.encode(frame))
            output.mux(track.encode(None))
    with open_video(path) as video:
        assert (video.info.width, video.info.frames) == (14 * BLOCK, 10)
        assert [read_number(frame) for frame in video.at_index([9, 0, 4]).frames.numpy()] == [9, 0, 4]


@pytest.mark.parametrize("scale", [1, 2], ids=["clock resets", "and size doubles"])
def test_counts_frames_where_the_clock_jumps_back(scale: int, tmp_path: Path) -> None:
    first = encode(Recipe(".ts", options=GOP, numbers=range(30)), tmp_path / "1.ts")
    size = (HEIGHT * scale, WIDTH * scale)
    second = encode(Recipe(".ts", options=GOP, numbers=range(30, 60), size=size), tmp_path / "2.ts")
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    with open_video(both) as video:
        frames = [frame for _, frame in video.stream()]
        assert len(frames) == video.info.frames
        assert {frame.shape for frame in frames} == {(HEIGHT, WIDTH, 3)}  # the later size is brought to the first
        numbers = [read_number(frame.numpy()) for frame in frames[:30]]
        numbers += [read_number(frame.numpy().repeat(scale, 0).repeat(scale, 1)) for frame in frames[30:]]
        assert numbers == list(range(60))
        clip = video.at_index([50, 3, 20])
        assert all(torch.equal(frame, frames[index]) for frame, index in zip(clip.frames, (50, 3, 20), strict=True))


@pytest.mark.parametrize("space", ["bt709", "smpte170m"])
@pytest.mark.parametrize("full_range", [False, True])
def test_colours_are_the_sources(space: str, full_range: bool, tmp_path: Path) -> None:
    colour = np.array([200, 60, 90], dtype=np.uint8)
    path = tmp_path / "colour.mp4"
    matrix = {"bt709": av.video.reformatter.Colorspace.ITU709, "smpte170m": av.video.reformatter.Colorspace.ITU601}
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.color_range = 2 if full_range else 1
        stream.codec_context.colorspace = {"bt709": 1, "smpte170m": 6}[space]
        frame = av.VideoFrame.from_ndarray(np.tile(colour, (64, 64, 1)), format="rgb24").reformat(
            format="yuv420p", dst_colorspace=matrix[space], dst_color_range=2 if full_range else 1
        )
        output.mux(stream.encode(frame) + stream.encode(None))
    with open_video(path) as video:
        mean = video.at_index([0]).frames.float().mean(dim=(0, 1, 2)).numpy()
    np.testing.assert_allclose(mean, colour, atol=3)
