"""report.html: one file with its pictures inside, readable on a phone, no script and nothing fetched.

The pictures also lie beside it as figures/*.png; one that has nothing to show (no train log, no mistake, no
probe of time) is left out. Everything that comes from outside, file names above all, is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from videonet.report import charts, figures, markup
from videonet.report.thumbs import Mistake, mistakes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_MISTAKES = 12
_MAX_PAIRS = 12
_MAX_FAILURES = 100


@dataclass(frozen=True)
class VideoResult:
    """One tested video: its true label and the probability of each class, (K,)."""

    id: str
    path: str
    label: int
    probabilities: np.ndarray


@dataclass(frozen=True)
class TestReport:
    """What a test left behind: class names in label order, the content of results.json, the rows of train.jsonl."""

    class_names: tuple[str, ...]
    results: dict[str, Any]
    train_log: list[dict[str, Any]]
    """May be empty: no curves then."""
    videos: list[VideoResult]
    """The videos that could be read; none of a test with several labels a video, which has no confusion matrix."""
    probe: dict[str, Any] | None = None
    """The content of probe_time.json of the same checkpoint and videos."""

    def __post_init__(self) -> None:
        classes = len(self.class_names)
        for video in self.videos:
            if video.probabilities.shape != (classes,) or not 0 <= video.label < classes:
                raise ValueError(
                    f"video {video.id!r} has label {video.label} and probabilities {video.probabilities.shape}; with "
                    f"{classes} class names they must be a label below {classes} and ({classes},)"
                )


def write_report(output_dir: str | Path, report: TestReport) -> Path:
    """Write report.html and figures/*.png into `output_dir`, each complete or not at all; returns the page's path.

    Pictures of an earlier report that this one does not have are removed.
    """
    output_dir = Path(output_dir)
    counts = _confusion_counts(report)
    wrong = _most_confident_mistakes(report.videos)
    drawn: dict[str, Figure | None] = {
        "curves": figures.curves(report.train_log),
        "confusion": figures.confusion(counts, report.class_names) if report.videos else None,
        "per_class": figures.per_class(report.results["per_class"]),
        "views": charts.views_curve(report.results.get("curve", [])),
        "reliability": charts.reliability(calibrated) if (calibrated := report.results.get("calibration")) else None,
        "probe_time": charts.probe_time(report.probe) if report.probe else None,
        "mistakes": mistakes(wrong, report.class_names) if wrong else None,
    }
    pictures = {}
    for name, figure in drawn.items():
        path = output_dir / "figures" / f"{name}.png"
        if figure is None:
            path.unlink(missing_ok=True)
        else:
            pictures[name] = figures.to_png(figure)
            markup.write(path, pictures[name])
    page = output_dir / "report.html"
    markup.write(page, _page(report, counts, wrong, pictures).encode())
    return page


def _confusion_counts(report: TestReport) -> np.ndarray:
    """int64 (K, K): row true class, column predicted class."""
    counts = np.zeros((len(report.class_names),) * 2, dtype=np.int64)
    for video in report.videos:
        counts[video.label, video.probabilities.argmax()] += 1
    return counts


def _most_confident_mistakes(videos: Sequence[VideoResult]) -> list[Mistake]:
    wrong = [
        Mistake(v.id, v.path, v.label, int(v.probabilities.argmax()), float(v.probabilities.max()))
        for v in videos
        if v.probabilities.argmax() != v.label
    ]
    return sorted(wrong, key=lambda one: (-one.probability, one.id))[:_MAX_MISTAKES]


def _page(report: TestReport, counts: np.ndarray, wrong: list[Mistake], pictures: dict[str, bytes]) -> str:
    results, views = report.results, report.results["views"]
    key, measure = _measures(results)[0]
    tested = (
        f"{markup.many(views['clips'], 'clip')} × {markup.many(views['crops'], 'crop')} of each video, frames in "
        f"{results['frame_order']} order, {markup.many(len(report.class_names), 'class', 'classes')}"
    )
    many = len(report.class_names) > figures.MAX_LABELLED_CLASSES
    sections = [
        markup.picture("Training", "curves", pictures, "Loss, accuracy and learning rate against the epoch."),
        markup.picture(
            "Clips and crops",
            "views",
            pictures,
            "Top-1 of the tests with fewer views that the same pass holds; pale bars: 95 % intervals.",
        ),
        markup.picture(
            "Confusion matrix",
            "confusion",
            pictures,
            "Rows are the true classes, columns the predicted ones"
            + (", both in the order of the class list." if many else ".")
            + " Every row adds up to 100 %; colours follow the square root, so that rare confusions show.",
        ),
        _pairs(counts, report.class_names),
        markup.picture(
            "Average precision of each class", "per_class", pictures, "How far its videos come before the others."
        )
        if key == "map"
        else markup.picture(
            "Accuracy of each class", "per_class", pictures, "Share of the class's videos that are right."
        ),
        markup.picture("Calibration", "reliability", pictures, _calibrated(results)),
        markup.picture("Frames in other orders", "probe_time", pictures, _probed(report.probe)),
        markup.picture(
            "Wrong predictions",
            "mistakes",
            pictures,
            f"The {markup.many(len(wrong), 'most confident one', 'most confident ones')}: "
            "true class → predicted class (its probability).",
        ),
        _failures(results["failures"]),
    ]
    return markup.page(
        title=f"{results['model']}: {measure} {markup.percent(results[key])}",
        heading=f"Test of {results['model']}",
        lead=tested,
        tiles=_tiles(results),
        sections=sections,
        footer=f"Checkpoint: {results['checkpoint']}\nThe figures are also in figures/, all numbers in results.json.",
    )


def _measures(results: dict[str, Any]) -> list[tuple[str, str]]:
    """(key, name) of the figures of this test, the first one first: mAP of a test with several labels a video."""
    return [(key, name) for key, name in (("map", "mAP"), ("top1", "Top-1"), ("top5", "Top-5")) if key in results]


def _tiles(results: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(name, value, note)."""
    bounds = results.get("intervals") or {}
    measures = _measures(results)
    tiles = [
        (name, markup.percent(results[key]), _between(bounds.get(key), bounds.get("level"))) for key, name in measures
    ]
    tiles.append(("Videos tested", f"{results['n_decoded']:,}", f"of {results['n_listed']:,} listed"))
    if results["n_failed"]:
        key, name = measures[0]
        tiles.append(("Unreadable", f"{results['n_failed']:,}", ""))
        tiles.append((f"{name}, unreadable counted wrong", markup.percent(results[f"{key}_failed_as_wrong"]), ""))
    if results.get("gflops") is not None:
        views = results["views"]["clips"] * results["views"]["crops"]
        tiles.append(("GFLOPs a video", f"{results['gflops']:.4g}", f"{results['gflops_per_view']:.4g} × {views}"))
    return tiles


def _between(bounds: list[float] | None, level: float | None) -> str:
    if bounds is None or level is None:
        return ""
    return f"{100 * level:g} %: {100 * bounds[0]:.1f} to {100 * bounds[1]:.1f}"


def _calibrated(results: dict[str, Any]) -> str:
    found = results.get("calibration")
    if not found:
        return ""
    return (
        f"Expected calibration error {100 * found['ece']:.1f} %, negative log-likelihood {results['nll']:.3f}. "
        f"With the temperature that suits these videos best, {found['temperature']:.2f}: "
        f"{100 * found['ece_at_temperature']:.1f} % and {found['nll_at_temperature']:.3f}."
    )


def _probed(probe: dict[str, Any] | None) -> str:
    if not probe:
        return ""
    return (
        "The same frames shuffled, reversed, or frozen to the middle one of each clip: what is lost is due to order "
        "and motion. Below, each class in percent, those first that lose most by shuffling."
    )


def _pairs(counts: np.ndarray, class_names: Sequence[str]) -> str:
    off_diagonal = counts * ~np.eye(len(counts), dtype=bool)
    totals = counts.sum(axis=1)
    pairs = [(n, n / totals[i], i, j) for (i, j), n in np.ndenumerate(off_diagonal) if n]
    pairs.sort(key=lambda pair: (-pair[0], -pair[1], *pair[2:]))
    rows = [(class_names[i], class_names[j], f"{n} of {totals[i]}") for n, _, i, j in pairs[:_MAX_PAIRS]]
    return markup.table("Most confused pairs", ("True", "Predicted", "Videos"), rows, numbers=1)


def _failures(failures: Sequence[dict[str, Any]]) -> str:
    rows = [(one["path"], one["reason"]) for one in failures[:_MAX_FAILURES]]
    left_out = len(failures) - len(rows)
    note = f"{left_out:,} more stand in results.json." if left_out else ""
    return markup.table("Unreadable videos", ("File", "Reason"), rows, note=note)
