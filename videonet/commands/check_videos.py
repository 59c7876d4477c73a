"""`videonet check-videos`: decode every frame of all videos, and say which are damaged."""

from __future__ import annotations

import argparse

from videonet.commands.scanning import add_scanning, all_items, go_through, named_listings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_scanning(parser, timeout_seconds=1800)
    parser.add_argument("--out", default="check.jsonl", metavar="JSONL",
                        help="what was found; an earlier file is gone on with (default check.jsonl)")  # fmt: skip
    parser.add_argument("--quarantine", metavar="JSONL", help="add to it the videos that training would refuse")
    parser.add_argument("--strict", action="store_true", help="exit code 1 unless all videos are sound")


def run(a: argparse.Namespace, words: list[str]) -> int:
    """Raises ListError or LedgerError."""
    from pathlib import Path

    from videonet.data.check import FORM, check, summary
    from videonet.data.dataset import Failure
    from videonet.data.ledger import Ledger
    from videonet.data.quarantine import Quarantine
    from videonet.decode.reader import Limits, Opener
    from videonet.engine.files import write_text

    items = all_items(named_listings(a).values())
    opener = Opener(limits=Limits(max_decode_seconds=float("inf")))  # --timeout is the limit
    with Ledger(FORM, Path(a.out)) as ledger:
        go_through(a, items, ledger, lambda new, workers: check(new, opener, workers, a.timeout))
        rows = ledger.save(items, write_text)
    print(f"{summary(rows)}\nreport: {a.out}")
    if a.quarantine:
        refused = [row for row in rows if not row.usable()]
        quarantine = Quarantine(a.quarantine)
        for row in refused:
            quarantine.add(Failure(row.id, row.path, row.reason))
        print(f"quarantine: {len(refused)} videos that training would refuse, in {a.quarantine}")
    return int(a.strict and not all(row.ok for row in rows))
