"""What every annotation format gives: a Listing of VideoItem. `Reading` collects the rows of one file, looks up their
classes, and reports every bad row with its number, all at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from .mirror import mirrored_labels
from .names import ClassIndex
from .text import MOST_SHOWN, ListError, refuse

MOST_CLASSES = 100_000  # one huge label in a list must not make us allocate names without end

_WHOLE = re.compile(r"-?\d+")


@dataclass(frozen=True)
class VideoItem:
    """One video of a data set. `id` is unique and stable: the path as the list or folder names it, or its own id."""

    id: str
    path: str
    label: int
    """Class of the video, from 0; -1 where the list has none."""
    labels: tuple[int, ...] = ()
    """All its classes, in a list of several labels a video; `label` is then the first."""


@dataclass(frozen=True)
class Listing:
    """Videos and the class names in label order."""

    items: list[VideoItem]
    class_names: tuple[str, ...]

    @cached_property
    def flip_labels(self) -> Mapping[int, int]:
        """Label after a horizontal flip, of the classes that one changes ("left to right" <-> "right to left")."""
        return mirrored_labels(self.class_names) or {}


class _Row(NamedTuple):
    number: int
    id: str
    path: str
    labels: tuple[str, ...]


class Reading:
    """The rows of one annotation file.

    class_names: None for those that the labels show: the numbers themselves, or the sorted names.
    unit: what a row is called in messages, "line" or "entry".
    by_name: labels are class names, even where one looks like a number.
    """

    def __init__(
        self, path: str | Path, class_names: Sequence[str] | None, unit: str = "line", by_name: bool = False
    ) -> None:
        self._path = path
        self._class_names = class_names
        self._unit = unit
        self._by_name = by_name
        self._rows: list[_Row] = []
        self._problems: list[tuple[int, str]] = []

    def add(self, number: int, id: str, path: str, labels: Sequence[str] = ()) -> None:
        """One video with its labels as they are written: numbers from 0, or class names; none: not known."""
        self._rows.append(_Row(number, id, path, tuple(labels)))

    def wrong(self, number: int, problem: str) -> None:
        """A row that cannot be used."""
        self._problems.append((number, problem))

    def listing(self, several: bool = False) -> Listing:
        """The finished list. Raises ListError that names every bad row.

        several: a video may have more than one label.
        """
        self._find_repeated()
        labelled = any(row.labels for row in self._rows)
        index = ClassIndex(self._names())
        known = {text: index.label(text, self._by_name) for row in self._rows for text in row.labels}
        items = []
        for row in self._rows:
            if labelled and not row.labels:
                self.wrong(row.number, f"{row.id!r} has no label, while others have one")
            found = [known[text] for text in row.labels]
            for text, label in zip(row.labels, found, strict=True):
                if label is None:
                    self.wrong(row.number, self._unknown(index, text))
            labels = tuple(dict.fromkeys(label for label in found if label is not None))
            items.append(VideoItem(row.id, row.path, labels[0] if labels else -1, labels if several else ()))
        refuse(self._path, self._problems, self._unit)
        if not items:
            raise ListError(f"{self._path} lists no videos")
        return Listing(items, index.names)

    def _find_repeated(self) -> None:
        first: dict[str, int] = {}
        for row in self._rows:
            before = first.setdefault(row.id, row.number)
            if before != row.number:
                self.wrong(row.number, f"{row.id!r} stands on {self._unit} {before} already")

    def _names(self) -> Sequence[str]:
        if self._class_names is not None:
            return self._class_names
        texts = {text for row in self._rows for text in row.labels}
        numbers = [text for text in texts if _WHOLE.fullmatch(text)]
        if self._by_name or not numbers:
            return sorted(texts)
        in_range = [int(text) for text in numbers if len(text) < len(str(MOST_CLASSES))]
        return [str(label) for label in range(max(in_range, default=-1) + 1)]

    def _unknown(self, index: ClassIndex, text: str) -> str:
        if _WHOLE.fullmatch(text) and not self._by_name:
            names = self._class_names
            upper = f"{MOST_CLASSES}" if names is None else f"the {len(names)} class names"
            return f"label {text} must be at least 0 and below {upper}"
        if self._class_names is None:
            return f"label {text!r} is not a whole number, while others are"
        return index.unknown(text, hint=len(self._problems) < MOST_SHOWN)
