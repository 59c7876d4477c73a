"""Windows of a stream: those of the whole file, as they come, in the memory of one."""

import itertools

import numpy as np
import pytest
import torch

from tests.decode.make import FRAMES, Recipe, encode
from videonet.data.rolling import rolling
from videonet.data.windows import windows
from videonet.decode import open_video
from videonet.decode.live import LiveVideo


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rolling")
    steps = np.cumsum([10, 20, 40, 20] * (FRAMES // 4)).tolist()
    return [
        encode(Recipe(".mp4", options={"g": "12", "bf": "3"}), folder / "even.mp4"),
        encode(Recipe(".mp4", options={"g": "12"}, ticks=steps), folder / "uneven.mp4"),
    ]


@pytest.mark.parametrize("fps", [None, 7.5, 50.0])
@pytest.mark.parametrize(("length", "stride", "hop"), [(4, 3, 5), (3, 2, 1), (2, 1, 7), (8, 40, 3)])
def test_windows_of_a_stream_are_those_of_the_file(files, length, stride, hop, fps):
    for path in files:
        with open_video(path) as reader, LiveVideo(str(path), "live") as live:
            assert live.size == (reader.info.height, reader.info.width)
            expected = list(windows(reader, length, stride, hop, fps=fps))
            found = list(rolling(live, length, stride, hop, fps=fps, half_tick_seconds=live.half_tick_seconds))
            # Of an uneven stream at a rate, the ticks of the last frame are a guess.
            sure = reader.timeline.starts_seconds[-1] if fps and path == files[1] else np.inf
            pairs = [
                pair for pair in itertools.zip_longest(found, expected) if (pair[1] or pair[0]).stop_seconds <= sure
            ]
            assert pairs or stride == 40
            for ours, theirs in pairs:
                assert ours.indices.tolist() == theirs.indices.tolist()
                assert torch.equal(ours.frames, theirs.frames)
                assert ours.start_seconds == pytest.approx(theirs.start_seconds)


def test_a_window_comes_as_soon_as_its_last_frame_was_shown_and_only_its_frames_are_kept():
    pulled, emitted = 0, []

    def endless():
        nonlocal pulled
        while True:
            yield pulled / 10, torch.full((2, 2, 3), pulled % 251, dtype=torch.uint8)
            pulled += 1

    def emit(frame):
        emitted.append(int(frame[0, 0, 0]))
        return frame

    found = rolling(endless(), 3, 4, 10, emit)
    for window in range(5):
        assert next(found).indices.tolist() == [10 * window, 10 * window + 4, 10 * window + 8]
        assert pulled == 10 * window + 9
    assert emitted == [number + 10 * window for window in range(5) for number in (0, 4, 8)]


def test_a_stream_without_frames_has_no_windows():
    assert list(rolling([], 3, 4, 10)) == []
