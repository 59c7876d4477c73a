"""`videonet prepare`: copies of all videos that read faster in training."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from videonet.commands.options import positive
from videonet.commands.scanning import add_scanning, all_items, go_through, is_list, named_listings

if TYPE_CHECKING:
    from videonet.data.prepare import Gain, Prepared

_MOST_SHOWN = 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_scanning(parser, timeout_seconds=3600)
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="where the copies go; an earlier run is gone on with"
    )
    parser.add_argument("--short-side", type=positive, default=256, help="pixels; never enlarged (default 256)")
    parser.add_argument("--gop", type=positive, default=12, help="most frames between keyframes (default 12)")
    parser.add_argument("--crf", type=int, default=23, help="quality: lower is better and larger (default 23)")


def run(a: argparse.Namespace, words: list[str]) -> int:
    """Raises ListError, LedgerError or OutputError."""
    from pathlib import Path

    from videonet.data.copying import CopyError, Recipe
    from videonet.data.ledger import Ledger
    from videonet.data.prepare import copy_names, form, list_paths, list_text, measure_gain, prepare
    from videonet.decode.reader import Limits, Opener
    from videonet.engine.files import OutputError, write_text

    folder = Path(a.out)
    listings = named_listings(a)
    items = all_items(listings.values())
    opener = Opener(limits=Limits(max_decode_seconds=float("inf")))  # --timeout is the limit
    try:
        recipe = Recipe(a.short_side, a.gop, a.crf)
        names = copy_names(items)
        lists = list_paths([name for name in listings if is_list(name, a.source)], folder)

        def holds(row: Prepared) -> bool:
            copy = folder / row.copy
            return not row.ok or (row.copy == names[row.id] and copy.exists() and copy.stat().st_size == row.copy_bytes)

        with Ledger(form(recipe), folder / "prepared.jsonl") as ledger:
            go_through(
                a, items, ledger,
                lambda new, workers: prepare(new, names, folder, recipe, opener, workers, a.timeout), holds,
            )  # fmt: skip
            rows = ledger.save(items, write_text, keep_others=True)
    except CopyError as error:
        raise OutputError(str(error)) from None
    for name, path in lists.items():
        write_text(path, list_text(listings[name], ledger.rows))
        print(f"list: {path}")
    print(_summary(rows, measure_gain(rows, folder, opener)))
    return 0


def _summary(rows: Sequence[Prepared], gain: Gain | None) -> str:
    made = [row for row in rows if row.ok]
    lines = [f"{len(made)} of {len(rows)} videos have a copy"]
    broken = [f"  no copy: {row.path}: {row.reason}" for row in rows if not row.ok]
    lines += broken[:_MOST_SHOWN] + [f"  and {len(broken) - _MOST_SHOWN} more"] * (len(broken) > _MOST_SHOWN)
    mended = [row for row in made if row.damaged or row.substituted]
    if mended:
        frames = sum(row.damaged + row.substituted for row in mended)
        lines.append(f"{len(mended)} copies hold {frames} damaged frames of their sources (see prepared.jsonl)")
    if gain is not None:
        before, after = sum(row.size_bytes for row in made), sum(row.copy_bytes for row in made)
        lines.append(
            f"a clip of 16 frames costs {gain.copy_ms:.1f} ms to decode, {gain.source_ms:.1f} ms before: "
            f"{gain.source_ms / gain.copy_ms:.1f} times as fast (random clips of {gain.videos} videos, one core)"
        )
        lines.append(f"{after / 1e6:,.1f} MB, {before / 1e6:,.1f} MB before: {after / before:.2f} times the bytes")
    return "\n".join(lines)
