"""`videonet compare-results A B`: what two tests on the same videos tell apart; a page of the videos that differ."""

from __future__ import annotations

import argparse
from typing import Any

from videonet.commands.options import positive

_PAGE = "comparison.html"
_MOST_CLASSES = 10  # rows printed of each end; all stand in --json and on the page


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument("a", metavar="A", help="a folder with results.json and views.npz")
    parser.add_argument("b", metavar="B", help="another one; differences are B less A")
    parser.add_argument("--common", action="store_true", help="compare tests on different videos, on those both have")
    parser.add_argument("--page", metavar="HTML", help=f"the videos that differ (default {_PAGE}; with --json: none)")
    parser.add_argument("--most", type=positive, default=40, help="videos of each kind on the page (default 40)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(a: argparse.Namespace, words: list[str]) -> int:
    """Raises ResultsError or OutputError."""
    import json
    from pathlib import Path

    from videonet.engine.compare import compare
    from videonet.engine.files import keep_old, write_text
    from videonet.engine.log import logger
    from videonet.engine.results import Results
    from videonet.report.comparison import comparison_page

    found = compare(Results.load(a.a), Results.load(a.b), a.common)
    page = a.page or (None if a.json else _PAGE)
    if page is not None:
        keep_old([Path(page)], logger.info)
        write_text(Path(page), comparison_page(found, a.most))
    if a.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        print(f"{_in_words(found)}\npage: {page}")
    return 0


def _in_words(found: dict[str, Any]) -> str:
    low, high = found["interval"]
    lines = [
        f"A {found['a']}: top-1 {100 * found['top1_a']:.2f} %",
        f"B {found['b']}: top-1 {100 * found['top1_b']:.2f} %",
        f"B less A: {100 * found['difference']:+.2f} % [{100 * low:+.2f}, {100 * high:+.2f}], "
        f"p = {found['p_value']:.2g} (McNemar, exact: only A right {found['only_a_right']}, "
        f"only B right {found['only_b_right']}, of {found['n']})",
    ]
    if found["n_only_a"] or found["n_only_b"]:
        lines.append(f"left out: {found['n_only_a']} videos that only A has, {found['n_only_b']} that only B has")
    changed = [row for row in found["per_class"] if row["gain"]]
    shown = changed if len(changed) <= 2 * _MOST_CLASSES else [*changed[:_MOST_CLASSES], *changed[-_MOST_CLASSES:]]
    width = max((len(row["name"]) for row in shown), default=0)
    lines += [
        f"  {row['name']:<{width}}  {100 * row['top1_a']:5.1f} -> {100 * row['top1_b']:5.1f}  "
        f"({100 * row['gain']:+.1f}, {row['n']} videos)"
        for row in shown
    ]
    if len(shown) < len(changed):
        lines.append(f"  {len(changed) - len(shown)} more classes on the page")
    return "\n".join(lines)
