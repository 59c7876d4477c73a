import numpy as np
import pytest

from videonet.engine.metrics import per_class, top_k

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
