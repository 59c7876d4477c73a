import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videonet.data import clips

counts = st.integers(1, 400)
small = st.integers(1, 40)


@given(ticks=counts, frames=small, stride=st.integers(1, 8), views=st.integers(1, 12), seed=st.integers(0, 9))
def test_every_index_is_inside_the_video(ticks, frames, stride, views, seed):
    rng = np.random.default_rng(seed)
    for indices, rows in (
        (clips.dense_random(ticks, frames, stride, rng), 1),
        (clips.dense_uniform(ticks, frames, stride, views), views),
        (clips.segment_random(ticks, frames, rng), 1),
        (clips.segment_uniform(ticks, frames, views), views),
    ):
        assert indices.shape == (rows, frames)
        assert indices.dtype == np.int64
        assert indices.min() >= 0
        assert indices.max() < ticks
        assert (np.diff(indices, axis=1) >= 0).all()


def test_uniform_views_reach_both_ends():
    indices = clips.dense_uniform(ticks=100, frames=8, stride=4, views=3)
    assert indices[0].tolist() == [0, 4, 8, 12, 16, 20, 24, 28]
    assert indices[:, 0].tolist() == [0, 35, 71]
    assert indices[2, -1] == 99


def test_one_view_is_the_centre():
    assert clips.dense_uniform(ticks=10, frames=4, stride=1, views=1).tolist() == [[3, 4, 5, 6]]


def test_a_short_video_holds_its_last_frame():
    assert clips.dense_uniform(ticks=3, frames=4, stride=2, views=1).tolist() == [[0, 2, 2, 2]]


def test_random_starts_cover_all_places_and_no_other():
    rng = np.random.default_rng(0)
    starts = {int(clips.dense_random(10, 4, 2, rng)[0, 0]) for _ in range(200)}
    assert starts == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("views", "expected"),
    [(1, [[1, 3, 6, 8]]), (2, [[0, 3, 5, 8], [1, 4, 6, 9]])],
)
def test_segments_of_ten_ticks(views, expected):
    assert clips.segment_uniform(ticks=10, frames=4, views=views).tolist() == expected


def test_order_changes_places_not_members():
    rng = np.random.default_rng(3)
    normal = clips.dense_uniform(100, 16, 2, 4)
    shuffled = clips.reorder(normal, "shuffled", rng)
    assert (np.sort(shuffled, axis=1) == normal).all()
    assert (shuffled != normal).any(axis=1).all()
    assert (clips.reorder(normal, "reversed", rng)[:, ::-1] == normal).all()


def test_nothing_to_sample_is_an_error():
    with pytest.raises(ValueError, match="ticks is 0; it must be at least 1"):
        clips.dense_uniform(0, 4, 1, 1)
