"""Pictures of a test's analysis: views curve, reliability, accuracy with the frames in other orders.

Rows and tables are those of results.json and probe_time.json; drawing as in `figures`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from videonet.report.figures import BLUE, GREY, INK, ORANGE, WIDTH_INCHES, plain, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ABOVE: dict[str, Any] = {
    "fontsize": 8, "frameon": False, "ncols": 2, "loc": "lower left", "bbox_to_anchor": (0, 0.99), "borderpad": 0
}  # fmt: skip
MOST_CLASSES = 30
"""Of the probe: the classes that lose most, beyond that."""


def views_curve(rows: Sequence[dict[str, Any]]) -> Figure | None:
    """Top-1 against the number of clips, a line a number of crops, with intervals; None for fewer than 2 points."""
    from matplotlib.figure import Figure

    if len(rows) < 2:
        return None
    figure = Figure(figsize=(WIDTH_INCHES, 2.6), layout="constrained")
    axes = figure.subplots()
    plain(axes, grid_axis="y")
    crops = sorted({row["crops"] for row in rows})
    counts = sorted({row["clips"] for row in rows})
    for place, crop in enumerate(crops):
        mine = [row for row in rows if row["crops"] == crop]
        shift = 0.12 * (place - (len(crops) - 1) / 2)
        x = np.array([counts.index(row["clips"]) for row in mine]) + shift
        y = 100 * np.array([row["top1"] for row in mine])
        colour = (ORANGE, BLUE)[place % 2] if len(crops) > 1 else BLUE
        if all(row["top1_interval"] for row in mine):
            low, high = 100 * np.array([row["top1_interval"] for row in mine]).T
            axes.vlines(x, low, high, color=colour, alpha=0.35, lw=3)
        label = f"{crop} crop" + "s" * (crop > 1)
        axes.plot(x, y, color=colour, marker="o", ms=4, lw=1.6, label=label)
    axes.set_xticks(range(len(counts)), [str(count) for count in counts])
    axes.set_xlabel("Clips", fontsize=9, color=INK)
    axes.set_ylabel("Top-1, %", fontsize=9, color=INK)
    if len(crops) > 1:
        axes.legend(**_ABOVE)
    return figure


def reliability(calibration: dict[str, Any]) -> Figure:
    """Top-1 of the videos of each bin of confidence against their mean confidence; below, how many videos it has."""
    from matplotlib.figure import Figure

    bins = [row for row in calibration["bins"] if row["n"]]
    figure = Figure(figsize=(WIDTH_INCHES, 4.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for axes in (upper, lower):
        plain(axes, grid_axis="both")
    upper.plot([0, 100], [0, 100], color=INK, lw=1, ls="--", zorder=3, label="as confident as right")
    left = [100 * row["low"] for row in bins]
    width = [100 * (row["high"] - row["low"]) for row in bins]
    upper.bar(left, [100 * row["top1"] for row in bins], width, align="edge", color=BLUE, alpha=0.3, edgecolor="white")
    upper.plot(
        [100 * row["confidence"] for row in bins], [100 * row["top1"] for row in bins],
        color=BLUE, marker="o", ms=4, lw=1.6, label="top-1 of the bin",
    )  # fmt: skip
    upper.set_ylim(0, 102)
    upper.set_xlim(0, 100)
    upper.set_ylabel("Top-1, %", fontsize=9, color=INK)
    upper.legend(**_ABOVE)
    lower.bar(left, [row["n"] for row in bins], width, align="edge", color=GREY, edgecolor="white")
    lower.set_ylabel("Videos", fontsize=9, color=INK)
    lower.set_xlabel("Confidence: the largest probability, %", fontsize=9, color=INK)
    return figure


def probe_time(probe: dict[str, Any]) -> Figure | None:
    """Top-1 by frame order, over all videos and of each class; None where no video could be read."""
    from matplotlib.figure import Figure

    orders = probe["orders"]
    if not orders:
        return None
    names = list(orders)
    classes = [row for row in zip(*(orders[name]["per_class"] for name in names), strict=True) if row[0]["n"]]
    shuffled = names.index("shuffled")
    classes.sort(key=lambda row: (row[shuffled]["top1"] - row[0]["top1"], row[0]["name"]))
    shown = classes[:MOST_CLASSES]
    heights = (1.9, 0.24 * len(shown) + 0.5)
    figure = Figure(figsize=(WIDTH_INCHES, sum(heights) + 0.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, height_ratios=heights)
    _bars(upper, orders, probe["chance"])
    shares = 100 * np.array([[one["top1"] for one in row] for row in shown])
    lower.imshow(shares, cmap="Blues", vmin=0, vmax=130, aspect="auto", interpolation="none")
    plain(lower, grid_axis=None)
    lower.spines[:].set_visible(False)
    lower.xaxis.tick_top()
    lower.set_xticks(range(len(names)), names, fontsize=8)
    labels = [f"{shorten(row[0]['name'], 27)}  ({row[0]['n']})" for row in shown]
    lower.set_yticks(range(len(shown)), labels, fontsize=8, parse_math=False)
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 85 else INK
        lower.text(column, row, f"{share:.0f}", ha="center", va="center", fontsize=7.5, color=colour)
    return figure


def _bars(axes: Axes, orders: dict[str, Any], chance: float) -> None:
    plain(axes, grid_axis="x")
    tops = [100 * one["top1"] for one in orders.values()]
    places = range(len(orders))
    axes.barh(places, tops, height=0.66, color=[BLUE, *[ORANGE] * (len(orders) - 1)])
    for place, one in zip(places, orders.values(), strict=True):
        end = 100 * one["top1"]
        if one["top1_interval"]:
            low, high = (100 * bound for bound in one["top1_interval"])
            axes.hlines(place, low, high, color=INK, lw=1.2)
            end = max(end, high)
        axes.text(end + 1.5, place, f"{100 * one['top1']:.1f}", va="center", fontsize=8, color=INK)
    axes.axvline(100 * chance, color=GREY, lw=1.2, ls="--")
    axes.set_yticks(places, list(orders), fontsize=8.5)
    axes.set_ylim(len(orders) - 0.4, -0.6)
    axes.set_xlim(0, 112)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.set_xlabel("Top-1, % (dashed: the most frequent class)", fontsize=9, color=INK)
