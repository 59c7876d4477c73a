"""Tests within a test: the clips of several counts together, each clip once, each count exactly its own."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videonet.data import clips
from videonet.data.preprocessing import Preprocessing
from videonet.data.view_table import ViewTable
from videonet.data.views import TestViews

PREPROCESSING = Preprocessing("dense", 4, 2, None, 32, 36, "crop", "rgb", (0.45, 0.4, 0.5), (0.225, 0.25, 0.2))


@pytest.mark.parametrize(
    ("sampler", "counts", "clips_taken", "tests_within"),
    [
        ("dense", [10], 10, [2, 4, 10]),  # thirds of the room are ninths of it, its half is not
        ("dense", [3], 3, [1, 2, 3]),
        ("dense", [10, 1, 2, 3, 5], 13, [1, 2, 3, 4, 5, 10]),
        ("segment", [10], 10, [2, 10]),
        ("segment", [3], 3, [1, 3]),
        ("segment", [10, 1, 2, 3, 5], 17, [1, 2, 3, 5, 10]),
    ],
)
def test_shared_clips_are_taken_once_and_counts_known(
    sampler: Any, counts: list[int], clips_taken: int, tests_within: list[int]
) -> None:
    table = ViewTable.of(sampler, counts, crops=3)
    assert len(table) == 3 * clips_taken
    assert table.tests() == [(count, crops) for count in tests_within for crops in (1, 3)]


@given(ticks=st.integers(1, 400), frames=st.integers(1, 20), stride=st.integers(1, 5), data=st.data())
def test_each_count_has_exactly_its_own_clips(ticks: int, frames: int, stride: int, data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=5))
    places = {sampler: ViewTable.of(sampler, counts, 1).places for sampler in ("dense", "segment")}
    dense, segment = (
        clips.dense_at(ticks, frames, stride, places["dense"]),
        clips.segment_at(ticks, frames, places["segment"]),
    )
    for count in counts:
        own = ViewTable("dense", places["dense"], 1).views(count, 1)
        assert (dense[own] == clips.dense_uniform(ticks, frames, stride, count)).all()
        own = ViewTable("segment", places["segment"], 1).views(count, 1)
        assert (segment[own] == clips.segment_uniform(ticks, frames, count)).all()


def test_one_crop_is_the_middle_of_three() -> None:
    three = TestViews(PREPROCESSING, clips=3, crops=3)
    one = TestViews(PREPROCESSING, clips=2, crops=1)
    for frame in ((48, 64), (64, 48), (40, 40), (37, 90)):
        plans = [views.plan(30, frame, np.random.default_rng(0)) for views in (three, one)]
        clip, crop = np.divmod(three.table.views(2, 1), 3)
        assert (plans[0].ticks[clip] == plans[1].ticks).all()
        assert {plans[0].crops[place] for place in crop} == set(plans[1].crops)


def test_a_clip_is_shuffled_alike_whatever_other_clips_there_are() -> None:
    more = TestViews(PREPROCESSING, 5, 1, "shuffled", curve=(2, 3, 4))
    alone = TestViews(PREPROCESSING, 2, 1, "shuffled")
    plans = [views.plan(300, (48, 64), np.random.default_rng(7)) for views in (more, alone)]
    assert (plans[0].ticks[more.table.views(2, 1)] == plans[1].ticks).all()
    assert (np.diff(plans[1].ticks, axis=1) != 2).any()


def test_what_is_not_there_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"3 clips x 1 crops are not among .* add 3 to test.curve"):
        ViewTable.of("dense", [10], 3).views(3, 1)


def test_the_table_of_a_file_says_which_view_is_which() -> None:
    arrays = ViewTable.of("dense", [3], 3).arrays()
    assert [Fraction(*place) for place in arrays["clip_places"].tolist()] == [0, Fraction(1, 2), 1]
    assert arrays["view_clip"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert arrays["view_crop"].tolist() == [0, 1, 2] * 3
