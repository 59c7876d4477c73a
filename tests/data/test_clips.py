"""Index arithmetic: which ticks make a clip. True values, properties, and agreement with other packages."""

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videonet.data import clips

counts = st.integers(1, 400)
small = st.integers(1, 40)
strides = st.integers(1, 8)


@given(ticks=counts, frames=small, stride=strides, views=st.integers(1, 12), seed=st.integers(0, 9))
def test_every_index_is_inside_the_video(ticks: int, frames: int, stride: int, views: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for indices in (
        clips.dense_random(ticks, frames, stride, rng, views),
        clips.dense_uniform(ticks, frames, stride, views),
        clips.segment_random(ticks, frames, rng, views),
        clips.segment_uniform(ticks, frames, views),
    ):
        assert indices.shape == (views, frames)
        assert indices.dtype == np.int64
        assert indices.min() >= 0
        assert indices.max() < ticks
        assert (np.diff(indices, axis=1) >= 0).all()


@given(frames=small, stride=strides, views=st.integers(1, 12), spare=st.integers(0, 300), seed=st.integers(0, 9))
def test_a_clip_that_fits_has_its_stride_and_span(frames: int, stride: int, views: int, spare: int, seed: int) -> None:
    length = clips.span(frames, stride)
    ticks = length + spare
    rng = np.random.default_rng(seed)
    for indices in (
        clips.dense_random(ticks, frames, stride, rng, views),
        clips.dense_uniform(ticks, frames, stride, views),
        clips.sliding(ticks, frames, stride, hop=stride + 2, tail="shift"),
    ):
        assert (np.diff(indices, axis=1) == stride).all()
        start, stop = clips.intervals(indices).T
        assert (stop - start == length).all()
        assert stop.max() <= ticks


@given(ticks=counts, frames=small, stride=strides, views=st.integers(2, 12))
def test_uniform_starts_are_spread_evenly_from_end_to_end(ticks: int, frames: int, stride: int, views: int) -> None:
    starts = clips.dense_uniform(ticks, frames, stride, views)[:, 0]
    steps = np.diff(starts)
    assert starts[0] == 0
    assert starts[-1] == max(0, ticks - clips.span(frames, stride))
    assert steps.max() - steps.min() <= 1


@given(ticks=counts, frames=small, views=st.integers(1, 6), seed=st.integers(0, 9))
def test_a_segment_clip_has_one_tick_in_each_part(ticks: int, frames: int, views: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    edges = np.arange(frames + 1) * ticks / frames
    for indices in (clips.segment_uniform(ticks, frames, views), clips.segment_random(ticks, frames, rng, views)):
        assert (np.floor(edges[:-1]) <= indices).all()
        assert (indices < np.ceil(edges[1:])).all()


def chi_square(values: np.ndarray, places: int) -> float:
    observed = np.bincount(values, minlength=places)
    assert len(observed) == places  # none outside
    expected = len(values) / places
    return float(((observed - expected) ** 2 / expected).sum())


def test_random_starts_are_uniform_over_all_places_where_a_clip_fits() -> None:
    starts = clips.dense_random(30, 4, 2, np.random.default_rng(0), clips=24_000)[:, 0]  # 24 places
    assert chi_square(starts, 24) < 49.7  # 0.1 % of 23 degrees of freedom
    assert abs(np.corrcoef(starts[:-1], starts[1:])[0, 1]) < 0.03  # independent of each other


def test_random_segments_are_uniform_inside_their_part() -> None:
    indices = clips.segment_random(32, 4, np.random.default_rng(0), clips=8_000)
    for part in range(4):
        assert chi_square(indices[:, part] - 8 * part, 8) < 24.3  # 0.1 % of 7 degrees of freedom


def test_one_clip_is_the_first_draw_of_the_generator() -> None:
    for seed in range(20):
        one, raw = np.random.default_rng(seed), np.random.default_rng(seed)
        assert clips.dense_random(100, 8, 4, one)[0, 0] == raw.integers(0, 72)
        expected = np.floor((np.arange(8) + raw.random(8)) * 100 / 8)
        assert clips.segment_random(100, 8, one)[0].tolist() == expected.tolist()


def test_one_view_is_the_centre() -> None:
    assert clips.dense_uniform(ticks=10, frames=4, stride=1, views=1).tolist() == [[3, 4, 5, 6]]


def test_a_short_video_holds_its_last_frame_or_starts_over() -> None:
    assert clips.dense_uniform(ticks=3, frames=4, stride=2, views=1).tolist() == [[0, 2, 2, 2]]
    assert clips.dense_uniform(ticks=3, frames=4, stride=2, views=1, short="loop").tolist() == [[0, 2, 1, 0]]
    assert clips.dense_random(3, 4, 1, np.random.default_rng(0), short="loop").tolist() == [[0, 1, 2, 0]]


@pytest.mark.parametrize(
    ("ticks", "frames", "views", "expected"),
    [
        (10, 4, 1, [[1, 3, 6, 8]]),
        (10, 4, 2, [[0, 3, 5, 8], [1, 4, 6, 9]]),
        # floor((k + 1/2) * ticks / frames): TSN's test, MMAction2's SampleFrames(clip_len=1, test_mode=True)
        (100, 8, 1, [[6, 18, 31, 43, 56, 68, 81, 93]]),
        (45, 8, 1, [[2, 8, 14, 19, 25, 30, 36, 42]]),
        (25, 25, 1, [list(range(25))]),
        (5, 8, 1, [[0, 0, 1, 2, 2, 3, 4, 4]]),
        (1, 3, 1, [[0, 0, 0]]),
    ],
)
def test_middles_of_segments(ticks: int, frames: int, views: int, expected: list[list[int]]) -> None:
    assert clips.segment_uniform(ticks, frames, views).tolist() == expected


@pytest.mark.parametrize(
    ("ticks", "tail", "expected"),
    [
        (12, "drop", [0, 4, 8]),
        (14, "drop", [0, 4, 8]),
        (14, "hold", [0, 4, 8, 12]),
        (14, "shift", [0, 4, 8, 10]),
        (12, "hold", [0, 4, 8]),
        (3, "drop", []),
        (3, "hold", [0]),
        (3, "shift", [0]),
    ],
)
def test_windows_of_four_ticks(ticks: int, tail: clips.Tail, expected: list[int]) -> None:
    assert clips.sliding_starts(ticks, frames=4, stride=1, hop=4, tail=tail).tolist() == expected


def test_a_held_window_repeats_the_last_tick() -> None:
    assert clips.sliding(ticks=14, frames=4, stride=1, hop=4).tolist()[-1] == [12, 13, 13, 13]
    assert clips.intervals(clips.sliding(ticks=14, frames=4, stride=1, hop=4))[-1].tolist() == [12, 14]


@given(ticks=counts, frames=small, stride=strides, hop=small, tail=st.sampled_from(["drop", "hold", "shift"]))
def test_windows_keep_to_their_hop_and_cover_the_video(
    ticks: int, frames: int, stride: int, hop: int, tail: clips.Tail
) -> None:
    indices = clips.sliding(ticks, frames, stride, hop, tail)
    starts = clips.sliding_starts(ticks, frames, stride, hop, tail)
    length = clips.span(frames, stride)
    assert (starts[:-1] == np.arange(len(starts[:-1])) * hop).all()
    if tail == "drop":
        assert len(starts) == max(0, (ticks - length) // hop + 1)
    elif hop <= length:
        seen = np.concatenate([np.arange(*pair) for pair in clips.intervals(indices)])
        assert np.array_equal(np.unique(seen), np.arange(ticks))
        assert (len(starts) - 1) * hop < ticks


def pytorchvideo_starts(make: Callable[..., object], ticks: int, *arguments: object) -> list[int]:
    """Ticks a second: 1. Their samplers are asked for the next clip with the last clip's end until they say stop."""
    sampler = make(*arguments)
    starts, end, last = [], Fraction(0), False
    while not last:
        start, end, _, _, last = sampler(end, Fraction(ticks), {})  # type: ignore[operator]  # no types there
        starts.append(math.floor(start))
    return starts


@pytest.mark.parametrize("ticks", [64, 100, 301])
@pytest.mark.parametrize("hop", [8, 16, 32])
def test_windows_are_pytorchvideos(ticks: int, hop: int) -> None:
    uniform = pytest.importorskip("pytorchvideo.data.clip_sampling", exc_type=ImportError).UniformClipSampler
    for theirs, ours in ((False, "drop"), (True, "shift")):
        expected = pytorchvideo_starts(uniform, ticks, Fraction(32), Fraction(hop), theirs)
        assert clips.sliding_starts(ticks, 32, 1, hop, ours).tolist() == expected  # type: ignore[arg-type]  # literals


@pytest.mark.parametrize("ticks", [32, 33, 100, 301])
@pytest.mark.parametrize("views", [2, 5, 11])
def test_uniform_views_are_pytorchvideos_and_the_last_one(ticks: int, views: int) -> None:
    constant = pytest.importorskip("pytorchvideo.data.clip_sampling", exc_type=ImportError).ConstantClipsPerVideoSampler
    expected = pytorchvideo_starts(constant, ticks, Fraction(32), views - 1)
    starts = clips.dense_uniform(ticks, 32, 1, views)[:, 0].tolist()
    assert starts == [*expected, ticks - 32]


def test_order_changes_places_not_members() -> None:
    rng = np.random.default_rng(3)
    normal = clips.dense_uniform(100, 16, 2, 4)
    shuffled = clips.reorder(normal, "shuffled", rng)
    assert (np.sort(shuffled, axis=1) == normal).all()
    assert (shuffled != normal).any(axis=1).all()
    assert (clips.reorder(normal, "reversed", rng)[:, ::-1] == normal).all()
    assert np.array_equal(clips.intervals(shuffled), clips.intervals(normal))


@pytest.mark.parametrize(("name", "value"), [("ticks", 0), ("frames", 0), ("stride", -1), ("hop", 0)])
def test_a_count_below_one_is_an_error(name: str, value: int) -> None:
    arguments = {"ticks": 10, "frames": 4, "stride": 1, "hop": 1, name: value}
    with pytest.raises(ValueError, match=f"{name} is {value}; it must be at least 1"):
        clips.sliding_starts(**arguments)
