"""The page of a comparison of two tests: the difference, the classes, the videos on which they differ, with frames."""

from __future__ import annotations

from typing import Any

from videonet.report import markup
from videonet.report.thumbs import strip_jpeg

_GROUPS = (("b", "B is right, A is wrong"), ("a", "A is right, B is wrong"), ("none", "Both wrong, differently"))


def comparison_page(found: dict[str, Any], most: int = 40) -> str:
    """HTML, self-contained, of what `videonet.engine.compare.compare` found; at most `most` videos a group."""
    sections = [
        markup.table(
            "Classes",
            ("Class", "Videos", "A", "B", "Gain"),
            [
                (row["name"], f"{row['n']}", *(f"{100 * row[key]:.1f}" for key in ("top1_a", "top1_b")),
                 f"{100 * row['gain']:+.1f}")
                for row in found["per_class"]
            ],
            numbers=4,
            note="Top-1 in %, largest gain first.",
        )
    ]  # fmt: skip
    for who, heading in _GROUPS:
        videos = [one for one in found["videos"] if one["right"] == who]
        rows = [
            (
                f"{one['label']}: A {one['a']} ({100 * one['probability_a']:.0f} %), "
                f"B {one['b']} ({100 * one['probability_b']:.0f} %)",
                one["id"],
                strip_jpeg(one["path"]),
            )
            for one in videos[:most]
        ]
        shown = f", the {len(rows)} surest are shown" if len(rows) < len(videos) else ""
        note = f"{markup.many(len(videos), 'video')}{shown}: true class, then what each said."
        sections.append(markup.videos(heading, note, rows))
    return markup.page(
        title=f"B less A: {100 * found['difference']:+.1f} points",
        heading="Comparison of two tests",
        lead=f"A is {found['a']}, B is {found['b']}: {markup.many(found['n'], 'video')} that both could read.",
        tiles=_tiles(found),
        sections=sections,
        footer="McNemar's exact test and a paired bootstrap over the videos.",
    )


def _tiles(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    bounds = found["interval"]
    within = f"{100 * found['level']:g} %: {100 * bounds[0]:+.1f} to {100 * bounds[1]:+.1f}" if bounds else ""
    return [
        ("Top-1 of A", markup.percent(found["top1_a"]), ""),
        ("Top-1 of B", markup.percent(found["top1_b"]), ""),
        ("B less A, points", f"{100 * found['difference']:+.1f}", within),
        ("p-value", f"{found['p_value']:.2g}", "McNemar, exact"),
        ("Only A right", f"{found['only_a_right']:,}", ""),
        ("Only B right", f"{found['only_b_right']:,}", ""),
    ]
