"""Probabilities over time: the classes that matter somewhere in a video as lines, the winner as a strip below them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from videonet.report.figures import DPI, GREY, INK, WIDTH_INCHES, plain, shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Okabe and Ito's; a class in none of them is grey."""


def timeline(
    edges_seconds: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str], title: str = ""
) -> Figure:
    """Of windows [start, stop), float (n, 2), with probabilities (n, K), in order."""
    from matplotlib.figure import Figure

    shown = leaders(probabilities, len(COLOURS))
    middles = edges_seconds.mean(axis=1)
    rows = -(-len(shown) // 2)
    figure = Figure(figsize=(WIDTH_INCHES, 2.7 + 0.2 * rows), dpi=DPI, layout="constrained")
    lines, strip = figure.subplots(2, 1, sharex=True, height_ratios=[9, 1])
    plain(lines, grid_axis="both")
    marker = "o" if len(middles) < 40 else ""
    for colour, k in zip(COLOURS, shown, strict=False):
        label = shorten(class_names[k], 24).replace("$", r"\$")
        lines.plot(middles, 100 * probabilities[:, k], color=colour, marker=marker, ms=3, lw=1.5, label=label)
    lines.set_ylim(-2, 102)
    lines.set_ylabel("Probability, %", fontsize=9, color=INK)
    lines.set_title(shorten(title, 48), loc="left", fontsize=9.5, color=INK, fontweight="bold", parse_math=False)
    figure.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False, borderpad=0)
    bounds = np.concatenate([edges_seconds[:1, 0], (middles[1:] + middles[:-1]) / 2, edges_seconds[-1:, 1]])
    colour_of = dict(zip(shown, COLOURS, strict=False))
    winners = probabilities.argmax(axis=1)
    for left, right, winner in zip(bounds[:-1], bounds[1:], winners.tolist(), strict=True):
        strip.axvspan(left, right, color=colour_of.get(winner, GREY), lw=0)
    strip.set_yticks([])
    strip.spines[:].set_visible(False)
    strip.tick_params(labelsize=8, length=0, labelcolor=INK)
    strip.set_xlim(bounds[0], max(bounds[-1], bounds[0] + 1e-3))
    strip.set_xlabel("Seconds (strip: the most probable class)", fontsize=9, color=INK)
    return figure


def leaders(probabilities: np.ndarray, most: int) -> list[int]:
    """At most `most` classes, those that win most windows first, then those that are probable in any."""
    wins = np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1])
    order = np.lexsort((-probabilities.max(axis=0), -wins))
    return order[:most].tolist()
