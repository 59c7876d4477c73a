"""Which clip and crop each view of a test is, and which views make up the test of fewer clips or crops.

A test of k clips has clips of its own: not the first k of more. Clips are told apart by their place, a fraction that
does not depend on the video, so that clips which several tests share are known as such and taken once: ten even clips
hold those of two and of four; of one, three and five clips they lack three.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from . import clips as arithmetic

Sampler = Literal["dense", "segment"]

_PLACES = {"dense": arithmetic.dense_places, "segment": arithmetic.segment_places}


@dataclass(frozen=True)
class ViewTable:
    """V_t clips x `crops` views; view clip * crops + crop is that crop of that clip."""

    sampler: Sampler
    places: tuple[Fraction, ...]
    """Of the V_t clips, rising: shares of the room that a clip has, or of each segment."""
    crops: int
    """1: the centre. 3: both ends of the long side as well, the centre in the middle."""

    @classmethod
    def of(cls, sampler: Sampler, clip_counts: Iterable[int], crops: int) -> ViewTable:
        """All clips of tests of these numbers of clips, each once."""
        return cls(sampler, tuple(sorted({place for count in clip_counts for place in _PLACES[sampler](count)})), crops)

    def __len__(self) -> int:
        """Views."""
        return len(self.places) * self.crops

    def views(self, clips: int, crops: int) -> np.ndarray:
        """int64 (clips * crops,): the views that a test of so many has. Raises ValueError where some are not there."""
        wanted = _PLACES[self.sampler](clips)
        if crops not in (1, self.crops) or not set(wanted) <= set(self.places):
            raise ValueError(
                f"{clips} clips x {crops} crops are not among these views, which hold {self.tests()} (clips, crops); "
                f"add {clips} to test.curve"
            )
        rows = np.array([self.places.index(place) for place in wanted], dtype=np.int64)
        columns = np.arange(crops) if crops == self.crops else np.array([self.crops // 2])
        return (rows[:, None] * self.crops + columns).flatten()

    def tests(self) -> list[tuple[int, int]]:
        """(clips, crops) of every test whose views are all there, rising."""
        known = set(self.places)
        counts = [k for k in range(1, len(known) + 1) if set(_PLACES[self.sampler](k)) <= known]
        return [(clips, crops) for clips in counts for crops in sorted({1, self.crops})]

    def arrays(self) -> dict[str, np.ndarray]:
        """The table for a file, all int64: `clip_places` (V_t, 2), numerator and denominator; `view_clip`, `view_crop`
        (V,)."""
        places = [(place.numerator, place.denominator) for place in self.places]
        clip, crop = np.divmod(np.arange(len(self), dtype=np.int64), self.crops)
        return {"clip_places": np.array(places, dtype=np.int64), "view_clip": clip, "view_crop": crop}
