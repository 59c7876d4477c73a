"""What every reader promises: requests at the edges, emit, other sources, limits, one decode for many views."""

import io
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np
import pytest
import torch

import videonet.decode
from tests.decode.make import FRAMES, HEIGHT, WIDTH, Recipe, read_number
from videonet.data.transforms import Box, Spatial
from videonet.decode import Clip, Limits, NoVideoStream, TooLarge, clip, open_video, track

Videos = Callable[[Recipe], Path]
RECIPE = Recipe(".mp4", options={"g": "24", "bf": "3"})


@pytest.fixture
def path(videos: Videos) -> Path:
    return videos(RECIPE)


def numbers(frames: torch.Tensor) -> list[int]:
    return [read_number(frame) for frame in frames.numpy()]


def test_tells_the_facts(path: Path) -> None:
    with open_video(path) as video:
        info = video.info
    assert (info.width, info.height, info.frames, info.codec, info.rotation) == (WIDTH, HEIGHT, FRAMES, "h264", 0)
    assert (info.fps, info.duration_seconds) == (30.0, pytest.approx(2.0))


def test_past_the_end_is_the_last_frame_and_counted(path: Path) -> None:
    with open_video(path) as video:
        clip = video.at_index([58, 59, 60, 1000])
        assert (numbers(clip.frames), clip.clamped) == ([58, 59, 59, 59], 2)
        clip = video.at([59 / 30, 1.999, 2.1])
        assert (numbers(clip.frames), clip.clamped) == ([59, 59, 59], 1)


def test_a_time_gives_the_frame_on_screen(path: Path) -> None:
    """Greatest pts <= t + half a tick: 1/15360 s here."""
    with open_video(path) as video:
        assert numbers(video.at([0.0, 0.033, 0.0334, 0.0666, 0.999, 1.0]).frames) == [0, 0, 1, 1, 29, 30]


@pytest.mark.parametrize("asked", [[], [-1], [3, -2], [0.5], [[1]]])
def test_refuses_indices_that_are_none(asked: list[int], path: Path) -> None:
    with open_video(path) as video, pytest.raises(ValueError, match="frame ind"):
        video.at_index(asked)


@pytest.mark.parametrize("asked", [[], [-0.1], [float("nan")], [float("inf")]])
def test_refuses_seconds_that_are_none(asked: list[float], path: Path) -> None:
    with open_video(path) as video, pytest.raises(ValueError, match="seconds >= 0"):
        video.at(asked)


def test_emit_runs_once_on_each_wanted_frame(path: Path) -> None:
    seen: list[tuple[int, ...]] = []

    def crop(frame: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(frame.shape))
        return frame[:16, :, :]

    with open_video(path) as video:
        clip = video.at_index([40, 3, 3, 40, 9], emit=crop)
        assert seen == [(HEIGHT, WIDTH, 3)] * 3
        assert clip.frames.shape == (5, 16, WIDTH, 3)
        assert torch.equal(clip.frames, video.at_index([40, 3, 3, 40, 9]).frames[:, :16])
        with pytest.raises(ValueError, match="uint8"):
            video.at_index([0], emit=lambda frame: frame.float())


def test_bytes_and_files_equal_the_path(path: Path) -> None:
    with open_video(path) as video:
        expected = video.at_index([50, 2]).frames
    with path.open("rb") as file:
        for source in (str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), file):
            with open_video(source) as video:
                assert torch.equal(video.at_index([50, 2]).frames, expected)
        assert not file.closed


def test_one_pass_over_all_views_equals_one_read_a_view(path: Path) -> None:
    views = np.linspace(0, 40, 5).astype(int)[:, None] + 4 * np.arange(4)
    with open_video(path) as video:
        together = video.at_index(views.ravel()).frames.view(5, 4, HEIGHT, WIDTH, 3)
        for view, frames in zip(views, together, strict=True):
            assert torch.equal(video.at_index(view).frames, frames)


def test_streaming_equals_reading_a_window(path: Path) -> None:
    with open_video(path) as video:
        window = video.at_index(range(25, 45))
        seconds, frames = zip(*video.stream(25.5 / 30, 45 / 30), strict=True)
    assert torch.equal(torch.stack(frames), window.frames)
    assert list(seconds) == window.pts_seconds.tolist()


def test_another_read_ends_a_stream(path: Path) -> None:
    with open_video(path) as video:
        stream = video.stream()
        next(stream)
        video.at_index([30])
        with pytest.raises(RuntimeError, match="second reader"):
            next(stream)


def test_a_closed_reader_says_so_and_an_open_one_is_not_pickled(path: Path) -> None:
    video = open_video(path)
    with pytest.raises(TypeError, match="open it in the worker"):
        pickle.dumps(video)
    video.close()
    video.close()
    with pytest.raises(ValueError, match="closed"):
        video.at_index([0])


@pytest.mark.parametrize("limits", [Limits(max_side=200), Limits(max_pixels=1000), Limits(max_frames=59)])
def test_limits_hold(limits: Limits, path: Path) -> None:
    with pytest.raises(TooLarge, match="Limits"):
        open_video(path, limits=limits)


def test_a_clip_checks_its_shapes() -> None:
    times = np.zeros(2)
    assert Clip(torch.zeros(2, 4, 5, 3, dtype=torch.uint8), times, 0, 0, 0).frames.shape[0] == 2
    for frames in (torch.zeros(2, 4, 5, 3), torch.zeros(2, 3, 4, 5, dtype=torch.uint8)):
        with pytest.raises(ValueError, match="clip frames"):
            Clip(frames, times, 0, 0, 0)
    with pytest.raises(ValueError, match="one time a frame"):
        Clip(torch.zeros(3, 4, 5, 3, dtype=torch.uint8), times, 0, 0, 0)


def test_errors_cross_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(NoVideoStream("a.mp4", "no video track")))  # noqa: S301
    assert (type(error), error.path, error.reason) == (NoVideoStream, "a.mp4", "no video track")


def test_unknown_backends_are_named(path: Path) -> None:
    with pytest.raises(ValueError, match="'pyav'"):
        open_video(path, backend="vlc")


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4", "mpeg2video"])
def test_skipping_changes_nothing_and_saves_a_quarter(
    codec: str, videos: Videos, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"bf": "3", "g": "24"} if codec != "libx265" else {"x265-params": "keyint=24:pools=1:log-level=none"}
    decoded = 0
    decode = track.decode

    def counted(context: av.VideoCodecContext, packet: av.Packet | None) -> list[av.VideoFrame] | None:
        nonlocal decoded
        frames = decode(context, packet)
        decoded += len(frames or ())
        return frames

    monkeypatch.setattr(track, "decode", counted)
    with open_video(videos(Recipe(".mp4", codec, options))) as video:
        skipping, decoded_skipping = video.at_index(range(2, 50, 8)), decoded
        decoded = 0
        monkeypatch.setattr(track, "SKIPS_NONREF", frozenset())
        monkeypatch.setattr(track, "droppable_in", lambda context: lambda packet: False)
        assert torch.equal(video.at_index(range(2, 50, 8)).frames, skipping.frames)
    assert decoded_skipping < 0.75 * decoded


def test_few_frames_of_a_long_file_decode_few_groups(videos: Videos, monkeypatch: pytest.MonkeyPatch) -> None:
    """3 of 50 groups of 12."""
    fed = 0
    decode = track.decode

    def counted(context: av.VideoCodecContext, packet: av.Packet | None) -> list[av.VideoFrame] | None:
        nonlocal fed
        fed += packet is not None
        return decode(context, packet)

    monkeypatch.setattr(track, "decode", counted)
    with open_video(videos(Recipe(".mp4", options={"g": "12"}, numbers=range(600), size=(16, WIDTH)))) as video:
        assert numbers(video.at_index([590, 5, 300]).frames) == [590, 5, 300]
    assert fed <= 3 * 13


def test_importing_is_cheap_and_leaves_the_codec_log_alone() -> None:
    """Setting FFmpeg's log level from Python can deadlock with its threads."""
    check = "import sys, videonet.decode; sys.exit('av' in sys.modules or 'PIL' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
    assert av.logging.get_level() is None
    for source in Path(videonet.decode.__file__).parents[1].rglob("*.py"):
        assert "set_level" not in source.read_text()


@pytest.mark.parametrize("room", [1, 60_000, 1 << 21], ids=["one fits", "three fit", "sixteen fit"])
@pytest.mark.parametrize("indices", [range(40), range(16), [40, 3, 3, 59, 9, 40]], ids=["forty", "sixteen", "repeats"])
def test_frames_finished_together_are_those_finished_alone(
    room: int, indices: Sequence[int], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip, "TOGETHER_BYTES", room)
    left, right = Spatial(Box(8, 16, 64, 96), (32, 40)), Spatial(Box(8, 100, 64, 96), (32, 40), flip=True)
    with open_video(path) as video:
        whole = video.at_index(indices).frames
        assert torch.equal(video.at_index(indices, left).frames, torch.stack([left(frame) for frame in whole]))
        emits = ([left, right, left, right, right, left] * 7)[: len(whole)]
        alone = torch.stack([emit(frame) for emit, frame in zip(emits, whole, strict=True)])
        assert torch.equal(video.at_index(indices, emits).frames, alone)
