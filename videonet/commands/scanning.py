"""What the verbs that look at every video share: their flags, the videos they name, and rows on disk as they come."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from videonet.commands.options import positive

if TYPE_CHECKING:
    from videonet.data.ledger import FileRow, Ledger
    from videonet.data.lists import Listing, VideoItem

    R = TypeVar("R", bound=FileRow)


def add_scanning(parser: argparse.ArgumentParser, timeout_seconds: int) -> None:
    """The videos and how to go through them."""
    parser.add_argument("videos", nargs="+", metavar="PATH", help="lists, folders or files")
    parser.add_argument(
        "--source", metavar="ROW", help="format of the lists, as data.source (default: path lists, folders)"
    )
    parser.add_argument("--root", metavar="DIR", help="where the relative paths of lists start (default: the list)")
    parser.add_argument("--workers", type=positive, metavar="N", help="processes (default: the cores)")
    parser.add_argument("--timeout", type=positive, default=timeout_seconds, metavar="SECONDS",
                        help=f"a video that takes longer counts as broken (default {timeout_seconds})")  # fmt: skip
    parser.add_argument("--retry-failed", action="store_true", help="look again at videos that failed in earlier runs")


def named_listings(a: argparse.Namespace) -> dict[str, Listing]:
    """What each PATH lists. Raises ListError."""
    from videonet.data.formats.listing import Listing
    from videonet.data.lists import ListError, named_videos
    from videonet.data.sources import SOURCES

    if a.source is not None and a.source not in SOURCES:
        raise ListError(f"--source {a.source!r} is not known; choose one of {', '.join(SOURCES)}")
    listings = {}
    for name in a.videos:
        if a.source is not None:
            listings[name] = SOURCES[a.source].read(Path(name), a.root, None)
        elif is_list(name, a.source):
            listings[name] = _list_of_paths(name, a.root)
        else:
            listings[name] = Listing(named_videos([name]), ())
    return listings


def is_list(name: str, source: str | None) -> bool:
    """Whether this PATH is a list, and not a folder or a video."""
    return not Path(name).is_dir() and (source is not None or name.lower().endswith((".txt", ".csv")))


def _list_of_paths(name: str, root: str | None) -> Listing:
    """`path label` a line, or just a path a line."""
    from videonet.data.lists import ListError, read_list
    from videonet.engine.log import logger

    try:
        return read_list(name, root)
    except ListError as error:
        listing = read_list(name, root, labels_needed=False)
        logger.warning("%s; its lines are taken as paths alone", str(error).splitlines()[0].rstrip(":"))
        return listing


def all_items(listings: Iterable[Listing]) -> list[VideoItem]:
    """The videos of all, each path once. Raises ListError where two have one id."""
    from videonet.data.lists import ListError

    items = {item.path: item for listing in listings for item in listing.items}
    paths: dict[str, str] = {}
    for item in items.values():
        if paths.setdefault(item.id, item.path) != item.path:
            raise ListError(f"{item.id!r} is both {paths[item.id]} and {item.path}; take these lists one at a time")
    return list(items.values())


def go_through(
    a: argparse.Namespace,
    items: Sequence[VideoItem],
    ledger: Ledger[R],
    work: Callable[[Sequence[VideoItem], int], Iterator[R]],
    holds: Callable[[R], bool] = lambda row: True,
) -> int:
    """Add a row to the ledger for each item that needs one; how many did. `work(items, workers)` makes them."""
    from videonet.data.mapping import usable_cores
    from videonet.engine.log import logger, track

    new = ledger.new(items, lambda row: (row.ok or not a.retry_failed) and holds(row))
    if len(new) < len(items):
        logger.info("%d of %d videos are known from an earlier run", len(items) - len(new), len(items))
    for row in track(work(new, a.workers or usable_cores()), len(new), a.command, "videos"):
        ledger.add(row)
    return len(new)
