"""H.264 packets that may be left out, by the bytes of their units."""

from collections.abc import Callable
from pathlib import Path

import av
import pytest

from tests.decode.make import Recipe
from videonet.decode.nonref import _droppable_by_lengths, _droppable_by_start_codes, droppable_in

SLICE, REFERENCE, KEY, PARAMETERS, SUPPLEMENT, DELIMITER = 0x01, 0x61, 0x65, 0x67, 0x06, 0x09


@pytest.mark.parametrize(
    ("units", "droppable"),
    [
        ([SLICE], True),
        ([DELIMITER, SUPPLEMENT, SLICE, SLICE], True),
        ([REFERENCE], False),
        ([KEY], False),
        ([SLICE, REFERENCE], False),  # the second field, or slice, is needed
        ([PARAMETERS, SLICE], False),
        ([SUPPLEMENT], False),
        ([], False),
    ],
)
def test_only_slices_nobody_refers_to_are_left_out(units: list[int], droppable: bool) -> None:
    bodies = [bytes([header]) + b"body"[: 1 + place] for place, header in enumerate(units)]
    by_lengths = b"".join(len(body).to_bytes(4, "big") + body for body in bodies)
    assert _droppable_by_lengths(memoryview(by_lengths), 4) is droppable
    by_start_codes = b"".join(b"\0\0\0\1" + body for body in bodies)
    assert _droppable_by_start_codes(by_start_codes) is droppable


@pytest.mark.parametrize("cut", [1, 4, 6])
def test_a_packet_that_ends_inside_a_unit_is_kept(cut: int) -> None:
    packet = (9).to_bytes(4, "big") + bytes([SLICE]) + bytes(8)
    assert _droppable_by_lengths(memoryview(packet), 4)
    assert not _droppable_by_lengths(memoryview(packet[:-cut]), 4)


@pytest.mark.parametrize("suffix", [".mp4", ".ts"], ids=["units after lengths", "units after start codes"])
def test_half_of_the_frames_of_x264_are_left_out(suffix: str, videos: Callable[[Recipe], Path]) -> None:
    path = videos(Recipe(suffix, "libx264", {"g": "24", "bf": "3", "x264-params": "b-adapt=0"}))
    with av.open(str(path)) as container:
        droppable = droppable_in(container.streams.video[0].codec_context)
        left_out = sum(droppable(packet) for packet in container.demux(video=0) if packet.size)
    assert left_out >= 25  # of 60


def test_of_other_codecs_nothing_is_known(videos: Callable[[Recipe], Path]) -> None:
    with av.open(str(videos(Recipe(".webm", "libvpx-vp9", {"cpu-used": "8", "g": "24"})))) as container:
        droppable = droppable_in(container.streams.video[0].codec_context)
        assert not any(droppable(packet) for packet in container.demux(video=0) if packet.size)
