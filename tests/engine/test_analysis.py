import numpy as np
import pytest
import torch

from videonet.data.view_table import ViewTable
from videonet.engine import analysis, bootstrap, calibration
from videonet.engine.metrics import top_k

RNG = np.random.default_rng(0)
NAMES = ["a", "b", "c", "d"]


def made(videos=400, views=9, noise=2.0):
    """Logits of random videos that mostly favour the true class."""
    labels = RNG.integers(4, size=videos)
    signal = 1.5 * np.eye(4)[labels][:, None]
    return (signal + noise * RNG.normal(size=(videos, views, 4))).astype(np.float32), labels


def test_averages_are_those_of_torch():
    logits, _ = made()
    views = torch.from_numpy(logits).double()
    expected = {"probabilities": views.softmax(2).mean(1), "logits": views.mean(1).softmax(1)}
    for how, value in expected.items():
        np.testing.assert_allclose(analysis.average_views(logits, how), value.numpy(), atol=1e-7)


def test_pieces_of_a_large_test_are_its_whole(monkeypatch):
    logits, _ = made()
    whole = analysis.average_views(logits)
    monkeypatch.setattr(analysis, "_BYTES_AT_ONCE", 3000)
    assert (analysis.average_views(logits) == whole).all()


def test_every_point_of_the_curve_is_the_test_of_its_views():
    logits, labels = made()
    table = ViewTable.of("dense", [3], 3)
    found = analysis.analyse(logits, labels, table, (3, 3), NAMES, "probabilities", 50, 0)
    assert [(row["clips"], row["crops"], row["views"]) for row in found["curve"]] == [
        (1, 1, 1), (1, 3, 3), (2, 1, 2), (2, 3, 6), (3, 1, 3), (3, 3, 9),
    ]  # fmt: skip
    centre = analysis.average_views(logits[:, [4]])
    ends = analysis.average_views(logits[:, [0, 1, 2, 6, 7, 8]])
    assert found["curve"][0]["top1"] == top_k(centre, labels, 1)
    assert found["curve"][3]["top1"] == top_k(ends, labels, 1)
    assert found["curve"][3]["nll"] == pytest.approx(-np.log(ends[np.arange(400), labels]).mean(), abs=1e-6)
    assert found["curve"][0]["top1"] < found["curve"][-1]["top1"]
    assert found["curve"][0]["top5"] == 1.0  # of four classes
    low, high = found["intervals"]["top1"]
    assert low < found["curve"][-1]["top1"] < high


def test_intervals_are_seeded_paired_and_as_wide_as_they_should_be():
    hits = (RNG.random(1000) < 0.7).astype(float)
    means = bootstrap.resampled_means(np.stack([hits, hits - 0.1], axis=1), 1000, seed=3)
    assert (means == bootstrap.resampled_means(np.stack([hits, hits - 0.1], axis=1), 1000, seed=3)).all()
    np.testing.assert_allclose(means[:, 0] - means[:, 1], 0.1)
    low, high = bootstrap.interval(means[:, 0])
    expected = 2 * 1.96 * np.sqrt(hits.mean() * (1 - hits.mean()) / 1000)
    assert high - low == pytest.approx(expected, rel=0.1)


def test_reliability_bins_and_error_of_four_videos():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.45, 0.55]])
    rows = calibration.reliability(probabilities, np.array([0, 1, 1, 1]), bins=4)
    assert [row["n"] for row in rows] == [0, 0, 2, 2]
    assert rows[2]["confidence"] == pytest.approx(0.575)
    assert (rows[0]["top1"], rows[2]["top1"], rows[3]["top1"]) == (None, 1.0, 0.5)
    assert calibration.expected_calibration_error(rows) == pytest.approx((2 * 0.425 + 2 * 0.4) / 4)


def test_a_boundary_of_bins_belongs_to_the_lower_one():
    rows = calibration.reliability(np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([0, 0]), bins=4)
    assert [row["n"] for row in rows] == [0, 1, 0, 1]


def test_temperature_finds_back_what_the_logits_were_multiplied_by():
    """Labels drawn from softmax(z): of softmax(3 z) the best temperature is 3; checked against LBFGS."""
    z = RNG.normal(size=(20_000, 5))
    labels = np.array([RNG.choice(5, p=row) for row in torch.from_numpy(z).softmax(1).numpy()])
    found = calibration.fitted_temperature(torch.from_numpy(3 * z).softmax(1).numpy(), labels)
    assert found == pytest.approx(3, rel=0.05)
    log_t = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([log_t], max_iter=100, tolerance_grad=1e-10, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        value = torch.nn.functional.cross_entropy(torch.from_numpy(3 * z) / log_t.exp(), torch.from_numpy(labels))
        value.backward()
        return value

    optimiser.step(loss)
    assert found == pytest.approx(float(log_t.exp().detach()), rel=1e-4)


def test_a_temperature_changes_confidence_and_no_prediction():
    logits, labels = made(noise=6.0)
    probabilities = analysis.average_views(logits)
    found = calibration.calibration(probabilities, labels)
    cooled = calibration.at_temperature(probabilities, found["temperature"])
    assert (cooled.argmax(1) == probabilities.argmax(1)).all()
    assert found["nll_at_temperature"] <= calibration.negative_log_likelihood(probabilities, labels).mean() + 1e-9
    assert sum(row["n"] for row in found["bins"]) == len(labels)


def test_confused_pairs_by_number_then_share():
    labels = np.array([0] * 4 + [1] * 2 + [2] * 5)
    predicted = np.array([1, 1, 2, 0, 0, 0, 2, 2, 2, 2, 0])
    counts = analysis.confusion(np.eye(4)[predicted], labels)
    assert counts.sum() == 11
    assert counts[2].tolist() == [1, 0, 4, 0]
    assert analysis.confused_pairs(counts, NAMES, most=3) == [
        {"true": "b", "predicted": "a", "n": 2, "of": 2},
        {"true": "a", "predicted": "b", "n": 2, "of": 4},
        {"true": "a", "predicted": "c", "n": 1, "of": 4},
    ]


def test_no_video_no_figures():
    found = analysis.analyse(
        np.zeros((0, 0, 0), np.float32), np.zeros(0, np.int64), ViewTable.of("dense", [2], 1), (2, 1), NAMES,
        "probabilities", 10, 0,
    )  # fmt: skip
    assert (found["nll"], found["calibration"], found["curve"]) == (None, None, [])


def test_sigmoids_are_averaged_and_are_no_distribution():
    logits, labels = made()
    for how in ("probabilities", "logits"):
        views = torch.from_numpy(logits).double()
        expected = views.sigmoid().mean(1) if how == "probabilities" else views.mean(1).sigmoid()
        np.testing.assert_allclose(analysis.average_views(logits, how, "sigmoid"), expected.numpy(), atol=1e-7)
    found = analysis.analyse(
        logits, labels, ViewTable.of("dense", [3], 3), (3, 3), NAMES, "probabilities", 20, 0, "sigmoid"
    )
    assert (found["nll"], found["calibration"]) == (None, None)
    assert found["curve"][-1]["top1"] == top_k(analysis.average_views(logits, "probabilities", "sigmoid"), labels, 1)
    assert found["intervals"].keys() == {"level", "draws", "seed", "top1", "top5"}
