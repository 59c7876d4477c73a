"""report.html: one file with its pictures inside, readable on a phone, no script and nothing fetched.

The pictures also lie beside it as figures/{curves,confusion,per_class,mistakes}.png; one that has nothing to show (no
train log, no mistake) is left out. Everything that comes from outside, file names above all, is escaped.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from videonet.report import figures
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
        "mistakes": mistakes(wrong, report.class_names) if wrong else None,
    }
    pictures = {}
    for name, figure in drawn.items():
        path = output_dir / "figures" / f"{name}.png"
        if figure is None:
            path.unlink(missing_ok=True)
        else:
            pictures[name] = figures.to_png(figure)
            _write(path, pictures[name])
    page = output_dir / "report.html"
    _write(page, _page(report, counts, wrong, pictures).encode())
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
    title = f"{results['model']}: {measure} {_percent(results[key])}"
    tested = (
        f"{_many(views['clips'], 'clip')} × {_many(views['crops'], 'crop')} of each video, frames in "
        f"{results['frame_order']} order, {_many(len(report.class_names), 'class', 'classes')}"
    )
    many = len(report.class_names) > figures.MAX_LABELLED_CLASSES
    sections = [
        _picture("Training", "curves", pictures, "Loss, accuracy and learning rate against the epoch."),
        _picture(
            "Confusion matrix",
            "confusion",
            pictures,
            "Rows are the true classes, columns the predicted ones"
            + (", both in the order of the class list." if many else ".")
            + " Every row adds up to 100 %; colours follow the square root, so that rare confusions show.",
        ),
        _pairs(counts, report.class_names),
        _picture("Average precision of each class", "per_class", pictures, "How far its videos come before the others.")
        if key == "map"
        else _picture("Accuracy of each class", "per_class", pictures, "Share of the class's videos that are right."),
        _picture(
            "Wrong predictions",
            "mistakes",
            pictures,
            f"The {_many(len(wrong), 'most confident one', 'most confident ones')}: "
            "true class → predicted class (its probability).",
        ),
        _failures(results["failures"]),
    ]
    return _TEMPLATE.format(
        title=escape(title),
        model=escape(str(results["model"])),
        tested=escape(tested),
        tiles=_tiles(results),
        sections="\n".join(filter(None, sections)),
        checkpoint=escape(str(results["checkpoint"])),
    )


def _measures(results: dict[str, Any]) -> list[tuple[str, str]]:
    """(key, name) of the figures of this test, the first one first: mAP of a test with several labels a video."""
    return [(key, name) for key, name in (("map", "mAP"), ("top1", "Top-1"), ("top5", "Top-5")) if key in results]


def _tiles(results: dict[str, Any]) -> str:
    tiles = [(name, _percent(results[key])) for key, name in _measures(results)]
    tiles.append((f"Videos tested, of {results['n_listed']:,}", f"{results['n_decoded']:,}"))
    if results["n_failed"]:
        tiles.append(("Unreadable", f"{results['n_failed']:,}"))
        key, name = _measures(results)[0]
        tiles.append((f"{name}, unreadable counted wrong", _percent(results[f"{key}_failed_as_wrong"])))
    return "\n".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in tiles)


def _picture(heading: str, name: str, pictures: dict[str, bytes], caption: str) -> str:
    if name not in pictures:
        return ""
    data = base64.b64encode(pictures[name]).decode()
    return (
        f"<section><h2>{escape(heading)}</h2><p>{escape(caption)}</p>"
        f'<img alt="{escape(heading)}" src="data:image/png;base64,{data}"></section>'
    )


def _pairs(counts: np.ndarray, class_names: Sequence[str]) -> str:
    off_diagonal = counts * ~np.eye(len(counts), dtype=bool)
    totals = counts.sum(axis=1)
    pairs = [(n, n / totals[i], i, j) for (i, j), n in np.ndenumerate(off_diagonal) if n]
    pairs.sort(key=lambda pair: (-pair[0], -pair[1], *pair[2:]))
    rows = [(class_names[i], class_names[j], f"{n} of {totals[i]}") for n, _, i, j in pairs[:_MAX_PAIRS]]
    return _table("Most confused pairs", ("True", "Predicted", "Videos"), rows, numbers=1)


def _failures(failures: Sequence[dict[str, Any]]) -> str:
    rows = [(one["path"], one["reason"]) for one in failures[:_MAX_FAILURES]]
    left_out = len(failures) - len(rows)
    note = f"{left_out:,} more stand in results.json." if left_out else ""
    return _table("Unreadable videos", ("File", "Reason"), rows, note=note)


def _table(
    heading: str, columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0, note: str = ""
) -> str:
    """A section with a table whose last `numbers` columns are numbers; nothing when there is no row."""
    text = len(columns) - numbers
    head = "".join(f"<th{' class=n' * (k >= text)}>{escape(name)}</th>" for k, name in enumerate(columns))
    body = "".join(
        "<tr>"
        + "".join(
            f"<td>{_breakable(cell)}</td>" if k < text else f"<td class=n>{escape(cell)}</td>"
            for k, cell in enumerate(row)
        )
        + "</tr>\n"
        for row in rows
    )
    if not body:
        return ""
    foot = f"<p>{escape(note)}</p>" if note else ""
    return (
        f"<section><h2>{escape(heading)}</h2><div class=wide><table><thead><tr>{head}</tr></thead>"
        f"<tbody>\n{body}</tbody></table></div>{foot}</section>"
    )


def _breakable(text: str) -> str:
    """Escaped text that may be broken after the joints of a file or class name."""
    return re.sub(r"([/_])", r"\1<wbr>", escape(text))


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.1f} %"


def _many(count: int, one: str, more: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_bytes(content)
    os.replace(temporary, path)


_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: #f5f6f8; color: #1f2328; font: 16px/1.5 system-ui, sans-serif; }}
main {{ max-width: 46rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }}
h1 {{ font-size: 1.6rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.1rem; margin: 0 0 .3rem; }}
p {{ margin: 0 0 .6rem; color: #59616b; }}
dl {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(8.2rem, 1fr)); gap: .6rem; margin: 1.2rem 0; }}
dl div, section {{ background: #fff; border: 1px solid #e1e4e8; border-radius: .5rem; }}
dl div {{ padding: .6rem .9rem; display: flex; flex-direction: column; justify-content: space-between; }}
dt {{ color: #59616b; font-size: .85rem; line-height: 1.3; }}
dd {{ margin: 0; font-size: 1.5rem; font-weight: 650; font-variant-numeric: tabular-nums; }}
section {{ padding: 1rem; margin: 0 0 1rem; }}
img {{ display: block; width: 100%; height: auto; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; font-size: .9rem; }}
th, td {{ text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0; border-top: 1px solid #eceef1; }}
th {{ border-top: 0; color: #59616b; font-weight: 600; }}
td {{ overflow-wrap: break-word; min-width: 5rem; }}
.n {{ text-align: right; white-space: nowrap; min-width: 0; font-variant-numeric: tabular-nums; }}
@media (max-width: 30rem) {{
  main {{ padding: 1rem .5rem 2rem; }}
  section {{ padding: .7rem .6rem; }}
}}
footer {{ color: #59616b; font-size: .85rem; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<main>
<h1>Test of {model}</h1>
<p>{tested}</p>
<dl>
{tiles}
</dl>
{sections}
<footer>Checkpoint: {checkpoint}<br>The figures are also in figures/, all numbers in results.json.</footer>
</main>
</body>
</html>
"""
