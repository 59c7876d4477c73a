"""Sliding windows by streaming: the same bytes as one read a window, in one pass and little memory."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.decode.make import FRAMES, Recipe, barcode_frame, encode, read_number
from videonet.data import clips
from videonet.data.transforms import Box, Spatial
from videonet.data.windows import windows
from videonet.decode import BackendMissing, open_video

GROUPS = {"g": "12", "bf": "3"}
FILES = {
    "groups": Recipe(".mp4", options=GROUPS),
    "open groups": Recipe(".mkv", options={**GROUPS, "x264-params": "open-gop=1:scenecut=0"}),
    "one group": Recipe(".mp4", options={"g": "250", "bf": "3"}),
    "no times": Recipe(".h264", options=GROUPS),
    "vp9": Recipe(".webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "g": "12"}),
    "uneven": Recipe(".mp4", options=GROUPS, ticks=np.cumsum([10, 20, 40, 20] * (FRAMES // 4)).tolist()),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("windows")
    return {name: encode(recipe, folder / f"{name}{recipe.suffix}") for name, recipe in FILES.items()}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("frames", "stride", "hop", "tail"), [(8, 1, 8, "drop"), (4, 4, 6, "hold"), (8, 2, 5, "shift")]
)
def test_windows_are_the_clips_read_one_by_one(
    files: dict[str, Path], name: str, frames: int, stride: int, hop: int, tail: clips.Tail
) -> None:
    with open_video(files[name]) as reader, open_video(files[name]) as other:
        found = list(windows(reader, frames, stride, hop, tail=tail))
        expected = clips.sliding(FRAMES, frames, stride, hop, tail)
        assert [window.indices.tolist() for window in found] == expected.tolist()
        for window in found:
            assert torch.equal(window.frames, other.at_index(window.indices.tolist()).frames)
            assert [read_number(frame.numpy()) for frame in window.frames] == window.indices.tolist()


@pytest.mark.parametrize("fps", [7.5, 30.0, 50.0])
def test_windows_at_a_rate_show_the_frame_on_screen(files: dict[str, Path], fps: float) -> None:
    with open_video(files["uneven"]) as reader, open_video(files["uneven"]) as other:
        expected = clips.sliding(round(reader.info.duration_seconds * fps), 4, 2, 5)
        found = list(windows(reader, 4, 2, 5, fps=fps))
        assert len(found) == len(expected)
        for window, clip in zip(found, expected, strict=True):
            assert torch.equal(window.frames, other.at((clip / fps).tolist()).frames)
            assert window.start_seconds == pytest.approx(clip[0] / fps)
            assert window.start_seconds < window.stop_seconds <= reader.info.duration_seconds


def test_intervals_tile_the_video_when_windows_do(files: dict[str, Path]) -> None:
    with open_video(files["uneven"]) as reader:
        found = list(windows(reader, 8, 1, 8))
        stops = [window.stop_seconds for window in found]
        assert [window.start_seconds for window in found] == [0.0, *stops[:-1]]
        assert stops[-1] == reader.info.duration_seconds
        assert stops[0] == pytest.approx((20 + 40 + 20 + 10) * 2 / 600)


def test_each_frame_needed_is_emitted_once_and_no_other(files: dict[str, Path]) -> None:
    emitted = []
    spatial = Spatial(Box(0, 0, 96, 224), (48, 112))

    def emit(frame: torch.Tensor) -> torch.Tensor:
        emitted.append(read_number(frame.numpy()))
        return spatial(frame)

    with open_video(files["groups"]) as reader:
        shapes = {tuple(window.frames.shape) for window in windows(reader, 4, 4, 6, emit, tail="drop")}
    assert shapes == {(4, 48, 112, 3)}
    assert emitted == np.unique(clips.sliding(FRAMES, 4, 4, 6, "drop")).tolist()
    assert len(emitted) < FRAMES


def test_a_window_comes_as_soon_as_its_last_frame(files: dict[str, Path]) -> None:
    emitted = []

    def emit(frame: torch.Tensor) -> torch.Tensor:
        emitted.append(read_number(frame.numpy()))
        return frame

    with open_video(files["one group"]) as reader:
        first = next(windows(reader, 4, 2, 1, emit))
    assert first.indices.tolist() == [0, 2, 4, 6]
    assert emitted == [0, 1, 2, 3, 4, 5, 6]  # the next window needs the odd ones


def test_a_window_has_its_own_memory(files: dict[str, Path]) -> None:
    with open_video(files["groups"]) as reader:
        found = windows(reader, 4, 1, 2)
        next(found).frames.zero_()
        assert [read_number(frame.numpy()) for frame in next(found).frames] == [2, 3, 4, 5]


def test_behind_damage_windows_are_again_those_read_one_by_one(files: dict[str, Path], tmp_path: Path) -> None:
    data = bytearray(files["groups"].read_bytes())
    third = len(data) // 3
    data[third : third + 2000] = bytes(2000)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    sound = 0
    with open_video(path) as reader, open_video(path) as other:
        found = list(windows(reader, 4, 1, 4))
        assert len(found) == FRAMES // 4
        for window in found:
            read = other.at_index(window.indices.tolist())
            if not read.damaged and not read.substituted:
                assert torch.equal(window.frames, read.frames)
                sound += 1
    assert 4 <= sound < FRAMES // 4


@pytest.mark.parametrize("backend", ["torchcodec", "decord"])
def test_other_backends_give_the_same_windows(files: dict[str, Path], backend: str) -> None:
    try:
        open_video(files["groups"], backend).close()
    except BackendMissing as missing:  # torchcodec is nothing without FFmpeg's own libraries
        pytest.skip(str(missing))
    with open_video(files["groups"], backend) as reader, open_video(files["groups"], backend) as other:
        for window in windows(reader, 4, 3, 8):
            assert torch.equal(window.frames, other.at_index(window.indices.tolist()).frames)
            assert [read_number(frame.numpy()) for frame in window.frames] == window.indices.tolist()


def test_windows_of_a_folder_of_frames(tmp_path: Path) -> None:
    for number in range(10):
        Image.fromarray(barcode_frame(number)).save(tmp_path / f"img_{number}.png")
    with open_video(tmp_path) as reader:
        found = list(windows(reader, 4, 2, 3, tail="shift"))
    numbers = [[read_number(frame.numpy()) for frame in window.frames] for window in found]
    assert numbers == [[0, 2, 4, 6], [3, 5, 7, 9]]


def test_a_video_shorter_than_a_window(files: dict[str, Path]) -> None:
    with open_video(files["groups"]) as reader:
        (window,) = windows(reader, 64, 1, 64)
        assert window.indices.tolist() == [*range(60), 59, 59, 59, 59]
        assert (window.start_seconds, window.stop_seconds) == (0.0, reader.info.duration_seconds)
        assert not list(windows(reader, 64, 1, 64, tail="drop"))


def test_another_read_ends_the_iteration(files: dict[str, Path]) -> None:
    with open_video(files["groups"]) as reader:
        found = windows(reader, 4, 1, 4)
        next(found)
        reader.at_index([0])
        with pytest.raises(RuntimeError, match="another read ended this stream"):
            next(found)


@pytest.mark.parametrize("indices", [[3, 2], [1, 1], [59, 60], []])
def test_only_rising_indices_are_streamed(files: dict[str, Path], indices: list[int]) -> None:
    with open_video(files["groups"]) as reader, pytest.raises(ValueError, match="indices"):
        list(reader.stream_index(indices))
