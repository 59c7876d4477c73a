"""`videonet index`: the manifest of a data set, its frames, times and sizes, and which videos cannot be read."""

from __future__ import annotations

import argparse

from videonet.commands.scanning import add_scanning, all_items, go_through, named_listings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_scanning(parser, timeout_seconds=60)
    parser.add_argument("--out", required=True, metavar="JSONL", help="the manifest; an earlier one is gone on with")


def run(a: argparse.Namespace, words: list[str]) -> int:
    """Raises ListError or LedgerError."""
    from pathlib import Path

    from videonet.data.ledger import Ledger
    from videonet.data.manifest import FORM, Manifest, scan, summary
    from videonet.decode.reader import Opener
    from videonet.engine.files import write_text

    items = all_items(named_listings(a).values())
    with Ledger(FORM, Path(a.out)) as ledger:
        go_through(a, items, ledger, lambda new, workers: scan(new, Opener(), workers, a.timeout))
        rows = ledger.save(items, write_text)
    print(f"{summary(rows)}\nfingerprint: {Manifest(tuple(rows)).fingerprint()}\nmanifest: {a.out}")
    return 0
