"""H.264 packets that no other picture refers to, told by the headers of their NAL units (ITU-T H.264, 7.3.1).

Leaving such a packet out gives the other frames bit for bit, and spares the decoder even to look at it.
"""

from collections.abc import Callable

import av

REFERENCE = 96  # the bits of nal_ref_idc in a unit's first byte
KIND = 31  # the bits of nal_unit_type
SLICE = 1
HARMLESS = frozenset({6, 9, 12})  # supplement, delimiter, filler; all other kinds may change what follows


def droppable_in(context: av.VideoCodecContext) -> Callable[[av.Packet], bool]:
    """Whether a packet of this track is needed by no other frame; never, where that is not known."""
    if context.codec.canonical_name != "h264":
        return lambda packet: False
    extradata = context.extradata or b""
    if extradata[:1] == b"\x01" and len(extradata) > 4:  # MP4 style: each unit after its length
        length_bytes = (extradata[4] & 3) + 1
        return lambda packet: _droppable_by_lengths(memoryview(packet), length_bytes)
    return lambda packet: _droppable_by_start_codes(bytes(packet))


def _droppable_by_lengths(data: memoryview, length_bytes: int) -> bool:
    """Whether there are slices, and nothing that is referred to or sets parameters, up to the packet's end."""
    place, slices = 0, False
    while place + length_bytes < len(data):
        header = data[place + length_bytes]
        if header & KIND == SLICE and not header & REFERENCE:
            slices = True
        elif header & KIND not in HARMLESS:
            return False
        place += length_bytes + int.from_bytes(data[place : place + length_bytes], "big")
    return slices and place == len(data)


def _droppable_by_start_codes(data: bytes) -> bool:
    """The same where each unit begins after 0 0 1."""
    place, slices = data.find(b"\0\0\1"), False
    while 0 <= place < len(data) - 3:
        header = data[place + 3]
        if header & KIND == SLICE and not header & REFERENCE:
            slices = True
        elif header & KIND not in HARMLESS:
            return False
        place = data.find(b"\0\0\1", place + 3)
    return slices
