"""report.html: self-contained, escaped, and complete whatever the run left behind."""

import re
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from videonet.report import TestReport as Report
from videonet.report import VideoResult, write_report

HOSTILE = "<script>alert('x')</script> & \"https://evil.example/a.png\""
LOG = [
    {"kind": "train", "epoch": 0, "step": 0, "loss": 1.0, "lr": 0.1, "top1": 0.5},
    {"kind": "val", "epoch": 0, "step": 0, "top1": 0.5},
]


def make_report(classes: int, wrong: int = 1, path: str = "gone.mp4", log: list[dict] | None = None) -> Report:
    """One video a class; the first `wrong` are taken for the next class."""
    names = tuple(f"class_{k}" for k in range(classes))
    predicted = [(k + (k < wrong)) % classes for k in range(classes)]
    videos = [VideoResult(f"v{k}", path, k, np.eye(classes)[predicted[k]] * 0.5) for k in range(classes)]
    top1 = 1 - wrong / classes
    results = {
        "top1": top1, "top5": 1.0, "n_listed": classes, "n_decoded": classes, "n_failed": 0,
        "top1_failed_as_wrong": top1, "views": {"clips": 10, "crops": 1}, "frame_order": "normal",
        "model": "iresnet50_3d", "checkpoint": "best.pt", "failures": [],
        "per_class": [{"name": name, "n": 1, "top1": float(k >= wrong)} for k, name in enumerate(names)],
    }  # fmt: skip
    return Report(names, results, LOG if log is None else log, videos)


class Tags(HTMLParser):
    """Every tag with its attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("classes", [2, 10, 400])
def test_page_and_pictures(tmp_path: Path, classes: int) -> None:
    page = write_report(tmp_path, make_report(classes))
    assert page == tmp_path / "report.html"
    tags = Tags(page.read_text(encoding="utf-8"))
    assert [a["alt"] for tag, a in tags.seen if tag == "img"] == [
        "Training", "Confusion matrix", "Accuracy of each class", "Wrong predictions",
    ]  # fmt: skip
    assert f"{100 * (1 - 1 / classes):.1f} %" in tags.text
    assert "1 of 1" in tags.text
    for name in ("curves", "confusion", "per_class", "mistakes"):
        height, width, _ = matplotlib.image.imread(tmp_path / "figures" / f"{name}.png").shape
        assert 600 < width < 2000
        assert 100 < height < 2500
    assert not list(tmp_path.rglob("*.partial"))


def test_page_fetches_nothing(tmp_path: Path) -> None:
    html = write_report(tmp_path, make_report(2)).read_text(encoding="utf-8")
    tags = Tags(html)
    assert all((a.get("src") or "data:image/png;base64,").startswith("data:image/png;base64,") for _, a in tags.seen)
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in tags.seen}
    assert not re.search(r"https?://|@import|url\(", html)


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    report = make_report(2)
    report.results["failures"] = [{"id": HOSTILE, "path": HOSTILE, "reason": HOSTILE}]
    results = report.results | {"model": HOSTILE, "checkpoint": HOSTILE, "frame_order": HOSTILE, "n_failed": 1}
    videos = [VideoResult(HOSTILE, HOSTILE, v.label, v.probabilities) for v in report.videos]
    page = write_report(tmp_path, Report((HOSTILE, "{0}"), results, LOG, videos))
    tags = Tags(page.read_text(encoding="utf-8"))
    assert tags.text.count(HOSTILE) >= 5
    assert "script" not in {tag for tag, _ in tags.seen}


def test_without_train_log_and_mistakes_old_pictures_go(tmp_path: Path) -> None:
    write_report(tmp_path, make_report(2))
    page = write_report(tmp_path, make_report(2, wrong=0, log=[]))
    assert sorted(p.name for p in (tmp_path / "figures").iterdir()) == ["confusion.png", "per_class.png"]
    html = page.read_text(encoding="utf-8")
    assert "Wrong predictions" not in html
    assert "Most confused pairs" not in html


def test_no_video_could_be_read(tmp_path: Path) -> None:
    report = make_report(2, log=[])
    failures = [{"id": f"v{k}", "path": f"v{k}.mp4", "reason": "no video track"} for k in range(130)]
    nothing = {"top1": None, "top5": None, "n_decoded": 0, "n_listed": 130, "n_failed": 130, "failures": failures}
    empty = [{"name": name, "n": 0, "top1": None} for name in report.class_names]
    results = report.results | nothing | {"top1_failed_as_wrong": None, "per_class": empty}
    tags = Tags(write_report(tmp_path, Report(report.class_names, results, [], [])).read_text(encoding="utf-8"))
    assert "img" not in {tag for tag, _ in tags.seen}
    assert tags.text.count("no video track") == 100
    assert "30 more stand in results.json" in tags.text


def test_results_must_fit_the_classes() -> None:
    with pytest.raises(ValueError, match="2 class names"):
        Report(("a", "b"), {}, [], [VideoResult("v", "v.mp4", 2, np.ones(2))])
    with pytest.raises(ValueError, match="2 class names"):
        Report(("a", "b"), {}, [], [VideoResult("v", "v.mp4", 0, np.ones(3))])
