"""The pictures of a report that are drawn from numbers: curves, confusion matrix, accuracy of each class.

Each function returns a matplotlib Figure of its own (no pyplot, no global state), drawn `WIDTH_INCHES` wide so that its
text is readable on a phone. Shares are in [0, 1] and shown in percent; colours are Okabe and Ito's.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_INCHES = 4.8
DPI = 200
MAX_LABELLED_CLASSES = 40
"""With more classes the confusion matrix has no names and only the best and worst classes get a bar."""

BLUE, ORANGE, GREY, INK = "#0072B2", "#D55E00", "#8a8f98", "#1f2328"
_MAX_PRINTED_CLASSES = 15
_ENDS = MAX_LABELLED_CLASSES // 2


def to_png(figure: Figure) -> bytes:
    """The figure as PNG, empty rows above and below cut off; never narrower than drawn, so that text keeps its size."""
    from matplotlib.transforms import Bbox

    figure.draw_without_rendering()
    inked = figure.get_tightbbox().padded(0.06)
    box = Bbox.from_extents(min(inked.x0, 0), inked.y0, max(inked.x1, figure.get_figwidth()), inked.y1)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor="white", bbox_inches=box)
    return buffer.getvalue()


def shorten(text: str, longest: int) -> str:
    """One line of at most `longest` characters, cut in the middle (ends tell apart too); unprintable ones replaced."""
    text = "".join(c if c.isprintable() else "·" for c in text)
    if len(text) <= longest:
        return text
    head, tail = longest // 2, longest - longest // 2 - 1
    return text[:head].rstrip() + "…" + text[-tail:].lstrip()


def curves(rows: Sequence[dict[str, Any]]) -> Figure | None:
    """Loss, top-1 or mAP, and learning rate against the epoch, from rows of train.jsonl; None where they have none."""
    from matplotlib.figure import Figure

    series = _series(rows)
    panels = [
        (name, title)
        for name, title in (("loss", "Loss"), ("top1", "Top-1, %"), ("map", "mAP, %"), ("lr", "Learning rate"))
        if any((kind, name) in series for kind in ("train", "val"))
    ]
    if not panels:
        return None
    figure = Figure(figsize=(WIDTH_INCHES, 0.4 + 1.45 * len(panels)), layout="constrained")
    grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, title) in zip(grid, panels, strict=True):
        plain(axes, grid_axis="both")
        for kind, colour, label in (("train", BLUE, "training"), ("val", ORANGE, "validation")):
            if (kind, name) in series:
                epochs, values = np.array(series[kind, name]).T
                marker = "o" if len(epochs) < 40 else ""
                scale = 100 if name in ("top1", "map") else 1
                axes.plot(epochs, scale * values, color=colour, marker=marker, ms=3.5, lw=1.6, label=label)
        axes.set_title(title, loc="left", fontsize=9.5, color=INK, fontweight="bold")
        if name in ("top1", "map"):
            axes.set_ylim(0, 102)
        else:
            axes.set_ylim(bottom=0)
        if len(axes.lines) > 1:
            axes.legend(fontsize=8, frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1.01, 0.98), borderpad=0)
    grid[-1].set_xlabel("Epoch", fontsize=9, color=INK)
    grid[-1].set_xlim(left=0)
    return figure


def confusion(counts: np.ndarray, class_names: Sequence[str]) -> Figure:
    """Row-normalised confusion matrix of int counts (K, K), rows are the true classes."""
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

    classes = len(class_names)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    named = classes <= MAX_LABELLED_CLASSES
    side = max(WIDTH_INCHES, 1.8 + 0.17 * classes) if named else 6.4
    figure = Figure(figsize=(side, 0.96 * side), layout="constrained")
    axes = figure.subplots()
    # The square root lets rare confusions show beside a strong diagonal.
    picture = axes.imshow(100 * shares, cmap="Blues", norm=PowerNorm(0.5, 0, 100), interpolation="none")
    axes.set_xlabel("Predicted class", fontsize=9, color=INK)
    axes.set_ylabel("True class", fontsize=9, color=INK)
    plain(axes, grid_axis=None)
    axes.spines[:].set_visible(False)
    if named:
        size = 8 if classes <= 20 else 6.5
        labels = [shorten(name, 26) for name in class_names]
        axes.set_xticks(range(classes), labels, rotation=90, fontsize=size, parse_math=False)
        axes.set_yticks(range(classes), labels, fontsize=size, parse_math=False)
        axes.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="#e4e6ea", lw=0.5)
        axes.tick_params(which="minor", length=0)
    if classes <= _MAX_PRINTED_CLASSES:
        for row, column in zip(*np.nonzero(counts), strict=True):
            share = shares[row, column]
            colour = "white" if share > 0.35 else INK
            axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7.5, color=colour)
        return figure
    bar = figure.colorbar(picture, ax=axes, shrink=0.6, aspect=28, pad=0.02, ticks=[0, 5, 20, 50, 100])
    bar.set_label("share of the true class, %", fontsize=8, color=INK)
    bar.ax.tick_params(labelsize=8, length=0, labelcolor=INK)
    bar.outline.set_visible(False)
    return figure


def per_class(rows: Sequence[dict[str, Any]]) -> Figure | None:
    """Bars, sorted, of rows {name, n, top1 or ap}; with many classes the best and the worst. None without any video."""
    from matplotlib.figure import Figure

    key, measure = ("ap", "Average precision") if rows and "ap" in rows[0] else ("top1", "Top-1")
    rows = sorted((row for row in rows if row["n"]), key=lambda row: (-row[key], row["name"]))
    if not rows:
        return None
    groups = [("", rows)]
    if len(rows) > MAX_LABELLED_CLASSES:
        groups = [(f"The {_ENDS} best", rows[:_ENDS]), (f"The {_ENDS} worst", rows[-_ENDS:])]
    heights = [0.21 * len(group) + 0.4 for _, group in groups]
    figure = Figure(figsize=(WIDTH_INCHES, sum(heights) + 0.4), layout="constrained")
    grid = figure.subplots(len(groups), 1, squeeze=False, sharex=True, height_ratios=heights)[:, 0]
    for axes, (title, group) in zip(grid, groups, strict=True):
        plain(axes, grid_axis="x")
        shares = [100 * row[key] for row in group]
        bars = axes.barh(range(len(group)), shares, height=0.72, color=BLUE)
        axes.bar_label(bars, [f"{share:.0f}" for share in shares], fontsize=7.5, padding=2, color=INK)
        labels = [f"{shorten(row['name'], 27)}  ({row['n']})" for row in group]
        axes.set_yticks(range(len(group)), labels, fontsize=8, parse_math=False)
        axes.set_ylim(len(group) - 0.4, -0.6)
        axes.set_xlim(0, 108)
        axes.set_title(title, loc="left", fontsize=9.5, color=INK, fontweight="bold")
    grid[-1].set_xticks([0, 25, 50, 75, 100])
    grid[-1].set_xlabel(f"{measure}, % (number of videos in brackets)", fontsize=9, color=INK)
    return figure


def _series(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """(kind, value name) -> [(epochs done, value)]; `step` counts from the start of the run."""
    # A finished epoch e ends with step (e + 1) * steps - 1; an unfinished one gives less.
    steps = max(((row["step"] + 1) / (row["epoch"] + 1) for row in rows), default=1.0)
    series = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["step"]):
        for name in ("loss", "top1", "map", "lr"):
            if row.get(name) is not None:
                series[row["kind"], name].append(((row["step"] + 1) / steps, float(row[name])))
    return dict(series)


def plain(axes: Axes, grid_axis: str | None) -> None:
    """No frame, small ticks, a faint grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#c4c8cf")
    axes.tick_params(labelsize=8, length=0, labelcolor=INK)
    if grid_axis is not None:
        axes.grid(axis=grid_axis, color="#e4e6ea", lw=0.7)  # type: ignore[arg-type]  # a Literal there
        axes.set_axisbelow(True)
