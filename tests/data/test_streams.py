"""Videos as streams: all samples of each in order, with any workers; a lost worker costs one video."""

import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.data.faults import PREPROCESSING, TEST, faulty_open
from tests.decode.make import Recipe, encode
from videonet.data.dataset import Sample, SampleReader
from videonet.data.lists import VideoItem
from videonet.data.sliding import Hop, Sliding, SlidingReader
from videonet.data.streams import Streams

SLIDING = SlidingReader(
    Sliding(PREPROCESSING, Hop(ticks=6)), chunk=3, open_video=faulty_open
)  # 10 windows of 60 frames


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    folder = tmp_path_factory.mktemp("streams")
    paths = [encode(Recipe(".mp4", options={"g": "12"}), folder / f"{name}.mp4") for name in ("a", "kill_b", "c")]
    return [VideoItem(path.name, str(path), 0) for path in paths]


def by_video(streams, indices):
    found = {}
    for sample in streams(indices):
        found.setdefault(sample.index, []).append(sample)
    return found


def test_chunks_of_a_video_come_in_order_and_one_worker_dies_of_one(items):
    here = by_video(Streams(items, SLIDING, 0), [0, 2])
    there = by_video(Streams(items, SLIDING, 2), [0, 1, 2])
    assert [len(sample.views) for sample in here[0]] == [3, 3, 3, 1]
    assert [sample.more for sample in here[0]] == [True, True, True, False]
    for index in (0, 2):
        for a, b in zip(here[index], there[index], strict=True):
            assert torch.equal(a.views, b.views)
            assert np.array_equal(a.seconds, b.seconds)
    (lost,) = there[1]
    assert lost.views is None
    assert "killed a loader worker" in lost.failures[0].reason


def test_clips_are_a_stream_of_one_sample(items):
    (sample,) = Streams(items, SampleReader(TEST, faulty_open), 0)([0])
    assert len(sample.views) == 6
    assert (sample.more, sample.info.frames) == (False, 60)
    assert sample.stop_seconds[-1] == sample.info.duration_seconds
    assert (sample.stop_seconds > sample.seconds[:, 1]).all()


def test_what_is_left_unread_is_ended(items):
    samples = Streams(items, SLIDING, 2, "thread")([0, 2] * 10)
    next(samples)
    samples.close()  # returns though workers wait for room


def test_a_bug_is_raised_where_samples_are_taken(items):
    with pytest.raises(ZeroDivisionError):
        list(Streams([VideoItem("x", "bug_x.mp4", 0)], SLIDING, 1, "thread")([0]))


@pytest.mark.parametrize(("hop", "ticks"), [(Hop(ticks=7), 7), (Hop(seconds=0.5), 12), (Hop(seconds=0.001), 1)])
def test_a_hop_comes_to_whole_ticks(hop, ticks):
    assert hop.of(25.0 - 0.02) == ticks


@pytest.mark.parametrize("numbers", [{}, {"ticks": 1, "seconds": 1.0}, {"ticks": -1}, {"seconds": 0.0}])
def test_a_hop_is_one_positive_number(numbers):
    with pytest.raises(ValueError, match="hop"):
        Hop(**numbers)


def test_a_video_with_too_much_damage_fails_with_its_last_chunk(items, tmp_path):
    data = bytearray(Path(items[0].path).read_bytes())
    for start in range(len(data) // 4, len(data) - 4000, 3000):
        data[start : start + 1500] = bytes(1500)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    read = partial(by_video, indices=[0])
    job = SlidingReader(Sliding(PREPROCESSING, Hop(ticks=6)), max_damaged=1.0)
    assert read(Streams([VideoItem("x", str(path), 0)], job, 0))[0][-1].views is not None
    strict = SlidingReader(Sliding(PREPROCESSING, Hop(ticks=6)), max_damaged=0.25)
    failed = read(Streams([VideoItem("x", str(path), 0)], strict, 0))[0][-1]
    assert failed.views is None
    assert "frames wanted are damaged" in failed.failures[0].reason


class Endless:
    """A video without end; how often it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, item, key, allocate=None):
        self.asked.append(key)
        return Sample(key[1], 0, torch.zeros(1, 3, 4, 8, 8, dtype=torch.uint8), np.zeros((1, 2)), more=True)

    def __copy__(self):
        return self


def test_little_is_read_ahead_of_a_slow_user():
    job = Endless()
    samples = Streams([VideoItem("x", "x", 0)] * 2, job, 2, "thread")([0, 1])
    for _ in range(20):
        next(samples)
    for _ in range(100):  # time to run ahead
        before = len(job.asked)
        time.sleep(0.01)
        if len(job.asked) == before:
            break
    samples.close()
    assert len(job.asked) <= 20 + 2 + 2 + 2  # taken, waiting, one in each hand, one being read
