import numpy as np
import pytest

from videonet.report import charts
from videonet.report.comparison import comparison_page

HOSTILE = "<script>$x_</script>"


def point(clips, crops, top1):
    return {"clips": clips, "crops": crops, "top1": top1, "top1_interval": [top1 - 0.1, top1 + 0.1]}


def test_the_views_curve_has_a_line_a_number_of_crops():
    rows = [point(clips, crops, 0.5 + clips / 100) for clips in (1, 2, 10) for crops in (1, 3)]
    (axes,) = charts.views_curve(rows).axes
    assert [line.get_label() for line in axes.lines] == ["1 crop", "3 crops"]
    assert axes.lines[0].get_ydata() == pytest.approx([51, 52, 60])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "10"]
    assert charts.views_curve(rows[:1]) is None
    assert charts.views_curve([{**row, "top1_interval": None} for row in rows]) is not None


def test_reliability_leaves_empty_bins_out():
    bins = [
        {"low": 0.0, "high": 0.5, "n": 0, "confidence": None, "top1": None},
        {"low": 0.5, "high": 1.0, "n": 4, "confidence": 0.8, "top1": 0.75},
    ]
    upper, lower = charts.reliability({"bins": bins}).axes
    assert [line.get_ydata()[0] for line in upper.lines] == [0, 75]
    assert [bar.get_height() for bar in lower.patches] == [4]


def order(top1, per_class):
    names = ("kept", HOSTILE, "nobody")
    rows = [{"name": n, "n": 0 if s is None else 5, "top1": s} for n, s in zip(names, per_class, strict=True)]
    return {"top1": top1, "top1_interval": [top1, top1], "per_class": rows}


def test_the_probe_shows_first_what_loses_most():
    orders = {
        "normal": order(0.9, (1.0, 0.8, None)),
        "shuffled": order(0.4, (0.8, 0.0, None)),
        "reversed": order(0.4, (0.8, 0.0, None)),
        "frozen": order(0.2, (0.4, 0.0, None)),
    }
    upper, lower = charts.probe_time({"orders": orders, "chance": 0.5}).axes
    assert [bar.get_width() for bar in upper.patches] == pytest.approx([90, 40, 40, 20])
    assert np.asarray(lower.images[0].get_array()).tolist() == [[80, 0, 0, 0], [100, 80, 80, 40]]
    assert charts.probe_time({"orders": {}, "chance": None}) is None


def test_a_comparison_escapes_names_and_says_what_is_gone():
    video = {"id": HOSTILE, "path": "/no/such.mp4", "label": HOSTILE, "right": "b", "a": "x", "probability_a": 0.5,
             "b": HOSTILE, "probability_b": 0.9}  # fmt: skip
    found = {"a": "runs/a", "b": "runs/b", "n": 3, "n_only_a": 0, "n_only_b": 0, "top1_a": 0.3, "top1_b": 0.6,
             "difference": 0.3, "level": 0.95, "interval": [-0.1, 0.7], "only_a_right": 0, "only_b_right": 1,
             "p_value": 1.0, "videos": [video] * 3,
             "per_class": [{"name": HOSTILE, "n": 3, "top1_a": 0.3, "top1_b": 0.6, "gain": 0.3}]}  # fmt: skip
    html = comparison_page(found, most=2)
    assert "<script" not in html
    assert html.count("not readable now") == 2
    assert "3 videos, the 2 surest are shown" in html
    assert "Both wrong" not in html
    assert "+30.0" in html
