"""What can be seen of a data set before its first video is opened: missing files, leaks, empty classes, no labels."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from videonet.decode.packed import is_packed
from videonet.decode.reader import NUMBERS
from videonet.decode.tar import is_member

from .formats.listing import Listing, VideoItem
from .formats.text import ListError, shorten

_STAT_BELOW = 32  # a folder is listed rather than asked file by file from this many videos on
_EXAMPLES = 5
_COMPARED_BYTES = 1 << 16


@dataclass(frozen=True)
class Missing:
    """The videos of a list whose files are not there."""

    items: tuple[VideoItem, ...]
    listed: int

    @property
    def share(self) -> float:
        """Missing videos over listed ones."""
        return len(self.items) / max(1, self.listed)

    def reasons(self) -> dict[str, str]:
        """{path: reason}: what the data set takes as known to be bad, so that each counts as a failure."""
        return {item.path: "no such file or directory" for item in self.items}

    def report(self) -> str:
        """The count, the share and the first paths."""
        some = "\n  ".join(shorten([f"{item.id}: {item.path}" for item in self.items]))
        return f"{len(self.items)} of {self.listed} videos ({self.share:.1%}) are missing:\n  {some}"

    def refuse(self, where: str, max_share: float) -> None:
        """Raise ListError when more than `max_share` of the videos of the list `where` are missing."""
        if self.share > max_share:
            raise ListError(f"{where}: {self.report()}\nAt most {max_share:.0%} may be missing; check data.root")


def find_missing(items: Sequence[VideoItem]) -> Missing:
    """Videos without a file or folder. Folders are listed, not stat'ed file by file; URLs are taken as present.

    A link to nothing counts as present here: it fails when it is opened.
    """
    folders: dict[str, list[str]] = defaultdict(list)
    for item in items:
        if "://" not in item.path:
            folders[os.path.dirname(item.path)].append(item.path)
    absent = {path for folder, paths in folders.items() for path in _absent(folder, paths)}
    missing = {path for path in absent if not (is_packed(path) or is_member(path) or _is_part_of_folder(path))}
    return Missing(tuple(item for item in items if item.path in missing), len(items))


def _is_part_of_folder(path: str) -> bool:
    """Whether `path` is `folder#3-7` of a folder that is there."""
    folder, _, part = path.rpartition("#")
    return NUMBERS.fullmatch(part) is not None and os.path.isdir(folder)


def _absent(folder: str, paths: Sequence[str]) -> list[str]:
    if len(paths) >= _STAT_BELOW:
        try:
            names = set(os.listdir(folder or os.curdir))
        except (FileNotFoundError, NotADirectoryError):
            return list(paths)
        return [path for path in paths if os.path.basename(path) not in names]
    return [path for path in paths if not os.path.lexists(path)]


def unlabelled(listing: Listing) -> list[str]:
    """Problems of a list to train or to measure on: videos without a label."""
    ids = [item.id for item in listing.items if item.label < 0]
    return [f"{len(ids)} of {len(listing.items)} videos have no label: {_some(ids)}"] if ids else []


def empty_classes(listing: Listing) -> list[str]:
    """Warning about classes without a video."""
    seen = {label for item in listing.items for label in (item.label, *item.labels)}
    empty = [name for label, name in enumerate(listing.class_names) if label not in seen]
    return [f"{len(empty)} of {len(listing.class_names)} classes have no videos: {_some(empty)}"] if empty else []


def shared_videos(train: Sequence[VideoItem], other: Sequence[VideoItem]) -> list[VideoItem]:
    """Videos of `other` that are in `train` too: the same path, or a file of the same name, size and first 64 KiB."""
    paths = {os.path.normpath(item.path) for item in train}
    names = {os.path.basename(item.path) for item in other} & {os.path.basename(item.path) for item in train}
    alike: dict[tuple[str, int], list[str]] = defaultdict(list)
    for item in train:
        if (key := _name_and_size(item.path, names)) is not None:
            alike[key].append(item.path)
    return [
        item
        for item in other
        if os.path.normpath(item.path) in paths
        or ((key := _name_and_size(item.path, names)) in alike and _head(item.path) in map(_head, alike[key]))
    ]


def leaks(train: Sequence[VideoItem], other: Sequence[VideoItem], split: str) -> list[str]:
    """Warning about videos of train that the split called `split` has too."""
    ids = [item.id for item in shared_videos(train, other)]
    return [f"{len(ids)} of {len(other)} {split} videos are in train too: {_some(ids)}"] if ids else []


def _name_and_size(path: str, names: Collection[str]) -> tuple[str, int] | None:
    """What two copies of one file share; None for names of no interest, and for what is not a file."""
    name = os.path.basename(path)
    return (name, os.path.getsize(path)) if name in names and os.path.isfile(path) else None


def _head(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(_COMPARED_BYTES)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_EXAMPLES]) + (", ..." if len(names) > _EXAMPLES else "")
