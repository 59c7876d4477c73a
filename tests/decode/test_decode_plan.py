"""The packet plan, on tables small enough to check by eye."""

import numpy as np
import pytest

from videonet.decode.plan import NO_TIME, PacketTable


def table(pts: list[int], keys: list[int], dts: list[int] | None = None, hidden: tuple[int, ...] = ()) -> PacketTable:
    return PacketTable.from_rows(
        [
            (time, (dts or range(len(pts)))[place], 1, place in keys, place not in hidden)
            for place, time in enumerate(pts)
        ]
    )


# Two groups: I0 P3 B1 B2, then the open I6 with leading B4 B5, then P7.
OPEN_GOP = table([0, 3, 1, 2, 6, 4, 5, 7], keys=[0, 4])


def test_frames_are_ordered_by_pts() -> None:
    assert OPEN_GOP.order.tolist() == [0, 2, 3, 1, 5, 6, 4, 7]
    assert table([0, 3, 1, 2], keys=[0], hidden=(0,)).order.tolist() == [2, 3, 1]


@pytest.mark.parametrize(("packet", "start"), [(0, 0), (3, 0), (4, 4), (5, 0), (6, 0), (7, 4)])
def test_leading_pictures_start_a_group_earlier(packet: int, start: int) -> None:
    assert OPEN_GOP.start_packets(np.array([packet])).tolist() == [start]


@pytest.mark.parametrize(
    ("packets", "runs"),
    [([1], [(0, 2)]), ([7], [(4, 8)]), ([1, 7], [(0, 2), (4, 8)]), ([3, 7], [(0, 8)]), ([5, 7], [(0, 8)])],
)
def test_runs_hold_the_wanted_packets_and_meet_only_where_they_must(
    packets: list[int], runs: list[tuple[int, int]]
) -> None:
    assert OPEN_GOP.runs(np.array(packets)) == runs


@pytest.mark.parametrize(
    ("pts", "dts", "reorders", "is_avi", "trusted"),
    [
        ([0, 3, 1, 2], [0, 1, 2, 3], True, False, True),
        ([0, 1, 2, 3], [0, 1, 2, 3], False, True, True),
        ([0, 1, 2, 3], [0, 1, 2, 3], True, False, False),  # decoding times in place of pts
        ([0, 3, 1, 2], [0, 1, 2, 3], True, True, False),  # AVI stores no pts
        ([0, 1, NO_TIME, 3], [0, 1, 2, 3], False, False, False),
        ([0, 1, 1, 3], [0, 1, 2, 3], False, False, False),
        ([0, 1, 5, 6], [0, 1, 0, 1], False, False, False),  # the clock jumps back
    ],
)
def test_when_pts_name_frames(pts: list[int], dts: list[int], reorders: bool, is_avi: bool, trusted: bool) -> None:
    assert table(pts, keys=[0], dts=dts).orders_frames(reorders, is_avi) is trusted


def test_frames_before_the_first_keyframe_can_be_hidden() -> None:
    cut = table([3, 1, 2, 6, 4, 5, 7], keys=[3])
    assert cut.frames_before_first_key() == 5
    assert cut.hiding(range(5)).order.tolist() == [3, 6]
