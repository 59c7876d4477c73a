"""Videos broken in every way that files break: seeded, so that each can be made again from (seed file, number)."""

import struct
from collections.abc import Iterator

import numpy as np


def mutated(content: bytes, seed: int) -> bytes:
    """One way of damage, chosen by the seed: flipped bytes, cut, swapped or doubled boxes, blanked, changed numbers."""
    rng = np.random.default_rng((len(content), seed))
    ways = (_flip_few, _flip_many, _flip_head, _cut, _cut_out, _swap, _blank, _numbers, _swap_boxes, _drop_box, _repeat)
    return ways[int(rng.integers(len(ways)))](bytearray(content), rng)


def _span(size: int, rng: np.random.Generator, most: int = 4096) -> tuple[int, int]:
    start = int(rng.integers(size))
    return start, min(size, start + 1 + int(rng.integers(most)))


def _flip(content: bytearray, places: np.ndarray, rng: np.random.Generator) -> bytes:
    for place in places.tolist():
        content[place] ^= int(rng.integers(1, 256))
    return bytes(content)


def _flip_few(content: bytearray, rng: np.random.Generator) -> bytes:
    return _flip(content, rng.integers(len(content), size=int(rng.integers(1, 20))), rng)


def _flip_many(content: bytearray, rng: np.random.Generator) -> bytes:
    return _flip(content, rng.integers(len(content), size=max(1, len(content) // 100)), rng)


def _flip_head(content: bytearray, rng: np.random.Generator) -> bytes:
    """In the first or last kilobyte, where headers and indices stand."""
    places = rng.integers(min(1024, len(content)), size=int(rng.integers(1, 10)))
    return _flip(content, places if rng.random() < 0.5 else len(content) - 1 - places, rng)


def _cut(content: bytearray, rng: np.random.Generator) -> bytes:
    return bytes(content[: int(rng.integers(len(content)))])


def _cut_out(content: bytearray, rng: np.random.Generator) -> bytes:
    start, stop = _span(len(content), rng)
    return bytes(content[:start] + content[stop:])


def _swap(content: bytearray, rng: np.random.Generator) -> bytes:
    a, b, size = int(rng.integers(len(content))), int(rng.integers(len(content))), int(rng.integers(1, 512))
    low, high = sorted((a, b))
    return bytes(content[:low] + content[high : high + size] + content[low:high] + content[high + size :])


def _blank(content: bytearray, rng: np.random.Generator) -> bytes:
    start, stop = _span(len(content), rng)
    content[start:stop] = bytes(stop - start)
    return bytes(content)


def _numbers(content: bytearray, rng: np.random.Generator) -> bytes:
    """Sizes, counts and times become extreme ones."""
    for _ in range(int(rng.integers(1, 6))):
        place = int(rng.integers(min(len(content), 4096))) if rng.random() < 0.5 else int(rng.integers(len(content)))
        extreme = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)[int(rng.integers(5))]
        content[place : place + 4] = struct.pack(">I", extreme)
    return bytes(content)


def _swap_boxes(content: bytearray, rng: np.random.Generator) -> bytes:
    boxes = [bytes(box) for box in _boxes(content)]
    return b"".join(boxes[index] for index in rng.permutation(len(boxes)))


def _drop_box(content: bytearray, rng: np.random.Generator) -> bytes:
    boxes = [bytes(box) for box in _boxes(content)]
    del boxes[int(rng.integers(len(boxes)))]
    return b"".join(boxes)


def _repeat(content: bytearray, rng: np.random.Generator) -> bytes:
    start, stop = _span(len(content), rng)
    return bytes(content[:stop] + content[start:])


def _boxes(content: bytearray) -> Iterator[bytearray]:
    """The outermost boxes of an mp4; of another file, four pieces."""
    if content[4:8] != b"ftyp":
        quarter = max(1, len(content) // 4)
        yield from (content[start : start + quarter] for start in range(0, len(content), quarter))
        return
    place = 0
    while place < len(content):
        size = max(8, int.from_bytes(content[place : place + 4], "big"))
        yield content[place : place + size]
        place += size
