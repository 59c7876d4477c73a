"""Several runs beside each other: what was set differently, what came of it, and their curves in one picture."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from videonet.report.figures import INK, _series, plain, shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#1f2328")
_DASHES = ("-", "--", ":", "-.")
_PANELS = (
    ("train", "loss", "Training loss"),
    ("train", "top1", "Training top-1, %"),
    ("val", "top1", "Validation top-1, %"),
    ("val", "map", "Validation mAP, %"),
    ("train", "lr", "Learning rate"),
)
_MOST_POINTS = 150
_EITHER_MEASURE = ("map", "top1")


@dataclass(frozen=True)
class Run:
    """What a run left behind."""

    name: str
    settings: Mapping[str, tuple[object, str]]
    """Key path -> value and where it came from."""
    rows: Sequence[dict[str, Any]]
    """Of train.jsonl."""
    results: Mapping[str, Any]
    """Of results.json; empty where it was not tested."""


def differences(runs: Sequence[Run]) -> dict[str, list[tuple[object, str] | None]]:
    """Key path -> value and origin in each run, of settings that are not alike in all; None: the run has no such."""
    keys = dict.fromkeys(key for run in runs for key in run.settings if key != "output_dir")
    found = {key: [run.settings.get(key) for run in runs] for key in keys}
    return {
        key: values
        for key, values in found.items()
        if any(value is None or values[0] is None or value[0] != values[0][0] for value in values)
    }


def figures(run: Run) -> dict[str, float | int | None]:
    """The run in numbers, shares in [0, 1]; None for what it has not."""
    train = sorted((row for row in run.rows if row["kind"] == "train"), key=lambda row: row["step"])
    val = sorted((row for row in run.rows if row["kind"] == "val"), key=lambda row: row["step"])
    key = next((key for key in _EITHER_MEASURE if any(key in row for row in val) or key in run.results), "top1")
    seen = [row for row in val if row.get(key) is not None]
    best = max(seen, key=lambda row: row[key], default=None)
    speeds = [row["clips_per_second"] for row in train if row.get("clips_per_second") is not None]
    return {
        "epochs": train[-1]["epoch"] + 1 if train else None,
        "train_loss_last": train[-1].get("loss") if train else None,
        f"val_{key}_last": seen[-1][key] if seen else None,
        f"val_{key}_best": best[key] if best else None,
        "val_best_epoch": best["epoch"] + 1 if best else None,
        f"test_{key}": run.results.get(key),
        "test_n_decoded": run.results.get("n_decoded"),
        "test_n_listed": run.results.get("n_listed"),
        "clips_per_second_median": median(speeds) if speeds else None,
    }


def curves(runs: Sequence[Run]) -> Figure | None:
    """The curves of all runs, a colour each, against the epoch; None where no run has any."""
    from matplotlib.figure import Figure

    series = [_series(run.rows) for run in runs]
    panels = [panel for panel in _PANELS if any(panel[:2] in one for one in series)]
    if not panels:
        return None
    figure = Figure(figsize=(6.4, 0.5 + 0.2 * len(runs) + 1.6 * len(panels)), layout="constrained")
    grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    styles = list(itertools.islice(itertools.product(_DASHES, COLOURS), len(runs)))
    for axes, (kind, name, title) in zip(grid, panels, strict=True):
        plain(axes, grid_axis="both")
        share = name in ("top1", "map")
        for one, (dashes, colour) in zip(series, styles, strict=False):
            if (kind, name) in one:
                epochs, values = _thinned(np.array(one[kind, name]).T)
                marker = "o" if len(epochs) < 20 else ""
                axes.plot(epochs, (100 if share else 1) * values, dashes, color=colour, marker=marker, ms=3, lw=1.4)
        axes.set_title(title, loc="left", fontsize=9.5, color=INK, fontweight="bold")
        axes.set_ylim(0, 102 if share else 1.06 * max(line.get_ydata().max() for line in axes.lines))
    grid[-1].set_xlabel("Epoch", fontsize=9, color=INK)
    grid[-1].set_xlim(left=0)
    from matplotlib.lines import Line2D

    keys = [Line2D([], [], color=colour, ls=dashes, lw=1.8) for dashes, colour in styles]
    names = [shorten(run.name, 70).replace("$", r"\$") for run in runs]
    figure.legend(keys, names, loc="outside upper left", fontsize=8.5, frameon=False, labelcolor=INK)
    return figure


def _thinned(points: np.ndarray) -> np.ndarray:
    """(2, n) -> (2, at most _MOST_POINTS): means of neighbours, so that a long noisy log stays readable."""
    groups = np.array_split(points, min(points.shape[1], _MOST_POINTS), axis=1)
    return np.stack([group.mean(axis=1) for group in groups], axis=1)
