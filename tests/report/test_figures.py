"""The pictures: what they show, and that names of any length and content can be drawn."""

import io

import matplotlib.image
import numpy as np
import pytest

from videonet.report import figures

HOSTILE = "a $very\n" + "long_" * 30 + "name \\frac{$"


def rows(epochs: int, steps: int) -> list[dict[str, object]]:
    train = [
        {"kind": "train", "epoch": e, "step": e * steps + s, "loss": 2 / (e + 1), "lr": 0.1, "top1": 0.5}
        for e in range(epochs)
        for s in range(steps)
    ]
    return [*train, {"kind": "val", "epoch": epochs - 1, "step": epochs * steps - 1, "top1": 0.25}]


def test_curves_run_over_epochs_in_percent() -> None:
    figure = figures.curves(rows(epochs=3, steps=4))
    assert figure is not None
    loss, top1, rate = figure.axes
    assert [len(axes.lines) for axes in (loss, top1, rate)] == [1, 2, 1]
    assert loss.lines[0].get_xdata() == pytest.approx(np.arange(1, 13) / 4)
    assert top1.lines[0].get_ydata() == pytest.approx(50)
    assert (top1.lines[1].get_xdata(), top1.lines[1].get_ydata()) == (pytest.approx([3]), pytest.approx([25]))


def test_curves_of_a_broken_off_epoch() -> None:
    """Epoch 1 stopped after 2 of 4 steps: it ends at 1.5."""
    broken_off = [row for row in rows(epochs=2, steps=4) if row["kind"] == "train"][:6]
    figure = figures.curves(broken_off)
    assert figure is not None
    assert np.max(figure.axes[0].lines[0].get_xdata()) == pytest.approx(1.5)


@pytest.mark.parametrize("log", [[], [{"kind": "train", "epoch": 0, "step": 0, "loss": None}]])
def test_no_curves_without_values(log: list[dict[str, object]]) -> None:
    assert figures.curves(log) is None


def test_confusion_is_normalised_by_row_and_leaves_empty_rows_empty() -> None:
    counts = np.array([[3, 1, 0], [0, 0, 0], [0, 2, 2]])
    axes = figures.confusion(counts, ["a", "b", HOSTILE]).axes[0]
    assert np.asarray(axes.images[0].get_array()).tolist() == [[75, 25, 0], [0, 0, 0], [0, 50, 50]]
    assert [text.get_text() for text in axes.texts] == ["75", "25", "50", "50"]


@pytest.mark.parametrize(("classes", "named"), [(2, True), (40, True), (41, False)])
def test_confusion_names_only_as_many_classes_as_fit(classes: int, named: bool) -> None:
    names = [f"class {k}" for k in range(classes)]
    axes = figures.confusion(np.eye(classes, dtype=int), names).axes[0]
    assert ("class 1" in [label.get_text() for label in axes.get_yticklabels()]) == named


def test_per_class_is_sorted_and_leaves_out_classes_without_video() -> None:
    table = [{"name": "bad", "n": 4, "top1": 0.25}, {"name": "none", "n": 0, "top1": None}]
    figure = figures.per_class([*table, {"name": "good", "n": 2, "top1": 1.0}])
    assert figure is not None
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["good  (2)", "bad  (4)"]
    assert [text.get_text() for text in figure.axes[0].texts] == ["100", "25"]
    assert figures.per_class(table[1:]) is None


def test_per_class_of_many_classes_shows_best_and_worst() -> None:
    figure = figures.per_class([{"name": f"{k:03d}", "n": 9, "top1": k / 400} for k in range(400)])
    assert figure is not None
    best, worst = ([label.get_text()[:3] for label in axes.get_yticklabels()] for axes in figure.axes)
    assert (best[0], best[-1], worst[0], worst[-1]) == ("399", "380", "019", "000")


def test_hostile_names_can_be_drawn() -> None:
    names = [HOSTILE, "$", "\x00"]
    for figure in (
        figures.confusion(np.eye(3, dtype=int), names),
        figures.per_class([{"name": name, "n": 1, "top1": 0.5} for name in names]),
    ):
        assert figure is not None
        height, width, _ = matplotlib.image.imread(io.BytesIO(figures.to_png(figure))).shape
        assert 600 < width < 1200
        assert 80 < height < 1200


def test_shorten_keeps_both_ends() -> None:
    assert figures.shorten("putting it behind", 40) == "putting it behind"
    assert figures.shorten("Putting something behind something", 14) == "Putting…ething"
    assert len(figures.shorten(HOSTILE, 30)) <= 30
    assert "\n" not in figures.shorten(HOSTILE, 30)
