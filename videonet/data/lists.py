"""Lists of videos: the formats' common names, videos named by hand, and a share of each class set aside."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .formats.folders import VIDEO_SUFFIXES, find_videos, read_folder
from .formats.listing import Listing, VideoItem
from .formats.names import read_class_names
from .formats.paths import read_list
from .formats.text import ListError
from .formats.webdataset import videos_in_tar

__all__ = [
    "VIDEO_SUFFIXES",
    "ListError",
    "Listing",
    "VideoItem",
    "find_videos",
    "hold_out",
    "multi_hot",
    "named_videos",
    "read_class_names",
    "read_folder",
    "read_list",
]


def named_videos(names: Sequence[str]) -> list[VideoItem]:
    """Videos named by hand, each once: files; folders and tars, for the videos in them; .txt and .csv lists of paths.

    Their label is -1: not known. Ids are file names, or paths inside the folder, tar or list; whole paths where those
    would collide. Raises VideoError for a tar that cannot be read.
    """
    items: list[VideoItem] = []
    for name in names:
        path = Path(name)
        if path.is_dir() and (inside := find_videos(path)):
            items += [VideoItem(video.relative_to(path).as_posix(), str(video), -1) for video in inside]
        elif path.suffix.lower() == ".tar":
            items += [VideoItem(member, source, -1) for member, source in videos_in_tar(name)]
        elif path.suffix.lower() in (".txt", ".csv"):
            items += read_list(path, labels_needed=False).items
        else:
            items.append(VideoItem(path.name, name, -1))
    items = list({item.path: item for item in items}.values())
    if len({item.id for item in items}) < len(items):
        items = [VideoItem(item.path.lstrip("/"), item.path, item.label) for item in items]
    return items


def multi_hot(items: Sequence[VideoItem], classes: int) -> np.ndarray:
    """bool (n, `classes`): the classes of each video of a list of several labels."""
    targets = np.zeros((len(items), classes), dtype=bool)
    for row, item in zip(targets, items, strict=True):
        row[list(item.labels)] = True
    return targets


def hold_out(listing: Listing, share: float) -> tuple[Listing, Listing]:
    """Split each class in (rest, held out) by a hash of the id: stable when other videos come or go."""
    kept: list[VideoItem] = []
    held: list[VideoItem] = []
    for label in range(len(listing.class_names)):
        items = [item for item in listing.items if item.label == label]
        items.sort(key=lambda item: hashlib.sha256(item.id.encode()).digest())
        count = min(max(1, round(share * len(items))), len(items) - 1) if share > 0 and len(items) > 1 else 0
        held += items[:count]
        kept += items[count:]
    return Listing(kept, listing.class_names), Listing(held, listing.class_names)
