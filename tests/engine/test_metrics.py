import numpy as np
import pytest

from videonet.engine.metrics import mean_average_precision, per_class, top_k

PROBABILITIES = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.4, 0.4, 0.2], [0.2, 0.5, 0.3]])
LABELS = np.array([0, 1, 1, 0])


@pytest.mark.parametrize(("k", "share"), [(1, 0.25), (2, 0.75), (3, 1.0)])
def test_top_k(k, share):
    assert top_k(PROBABILITIES, LABELS, k) == share


def test_no_videos_no_figure():
    assert top_k(np.zeros((0, 3)), np.zeros(0, np.int64), 1) is None


def test_per_class_counts_and_leaves_empty_classes_open():
    assert per_class(PROBABILITIES, LABELS, ["a", "b", "c"]) == [
        {"name": "a", "n": 2, "top1": 0.5},
        {"name": "b", "n": 2, "top1": 0.0},
        {"name": "c", "n": 0, "top1": None},
    ]


def test_mean_average_precision_is_the_mean_over_classes_that_occur():
    scores = np.array([[0.9, 0.1, 0.5], [0.8, 0.9, 0.1], [0.7, 0.2, 0.9]])
    targets = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0]], dtype=bool)
    first = (1 + 2 / 3) / 2  # ranks 1 and 3
    assert mean_average_precision(scores, targets) == pytest.approx((first + 1.0) / 2)


def test_no_label_no_mean_average_precision():
    assert mean_average_precision(np.zeros((2, 3)), np.zeros((2, 3), dtype=bool)) is None
