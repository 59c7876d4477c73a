"""Probes learn what can be learnt, from the training videos alone."""

import json

import numpy as np
import pytest

from videonet.cli import main
from videonet.engine.features.probe import Split, probe
from videonet.engine.files import OutputError


def split(rng, count, spread, first=0):
    """Three classes around three corners, in numbers of very different size."""
    y = np.arange(count) % 3
    x = np.eye(3)[y] + spread * rng.standard_normal((count, 3))
    return Split(
        np.hstack([1000 * x, 1e-3 * rng.standard_normal((count, 5))]), y, tuple(range(first, first + count)), ()
    )


def test_what_can_be_learnt_is_learnt():
    rng = np.random.default_rng(0)
    found = probe(split(rng, 60, 0.1), split(rng, 30, 0.1, 60))
    assert found["linear"]["top1"] == found["knn"]["top1"] == 1.0
    assert found["linear"]["interval"] == [1.0, 1.0]
    assert (found["n_train"], found["n_test"], found["dim"]) == (60, 30, 8)


def test_nothing_is_learnt_from_noise_and_the_interval_says_how_sure_that_is():
    rng = np.random.default_rng(1)
    train, test = split(rng, 60, 0.1), split(rng, 300, 0.1, 60)
    noise = Split(rng.standard_normal(test.x.shape), test.y, test.places, ())
    found = probe(Split(rng.standard_normal(train.x.shape), train.y, train.places, ()), noise)
    for way in ("linear", "knn"):
        low, high = found[way]["interval"]
        assert low < 1 / 3 < high
        assert high - low == pytest.approx(2 * 1.96 * np.sqrt(2 / 9 / 300), rel=0.15)


def test_the_test_videos_choose_nothing():
    """Other test videos leave C and the answers to the first ones as they are."""
    rng = np.random.default_rng(2)
    train, test = split(rng, 45, 1.0), split(rng, 30, 1.0, 45)
    few = Split(test.x[:15], test.y[:15], test.places[:15], ())
    a, b = probe(train, test)["linear"], probe(train, few)["linear"]
    assert a["C"] == b["C"]


def test_lists_of_which_one_learns_and_the_other_is_told(trained, demo_data, tmp_path, capsys):
    words = ["extract", "--quiet", "--checkpoint", str(trained / "checkpoints" / "last.pt"), "--clips", "2"]
    videos = [str(demo_data / "train"), str(demo_data / "test")]
    assert main([*words, "--videos", *videos, "--out", str(tmp_path / "f")]) == 0
    capsys.readouterr()
    arguments = ["probe", str(tmp_path / "f"), "--train", videos[0], "--json"]
    assert main([*arguments, "--test", videos[1], "--out", str(tmp_path / "probe.json")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((tmp_path / "probe.json").read_text())
    assert (found["n_train"], found["n_test"], found["classes"], found["chance"]) == (20, 20, 10, 0.1)
    assert 0 <= found["linear"]["interval"][0] <= found["linear"]["top1"] <= found["linear"]["interval"][1] <= 1
    assert main([*arguments, "--test", videos[0]]) == 2
    assert "20 videos are in both lists" in capsys.readouterr().err
    assert main([*arguments, "--test", videos[1], "--feature", "stage1"]) == 2
    assert "is not in" in capsys.readouterr().err


def test_one_class_is_refused():
    one = split(np.random.default_rng(0), 9, 0.1)
    with pytest.raises(OutputError, match="all of one class"):
        probe(Split(one.x, 0 * one.y, one.places, ()), split(np.random.default_rng(0), 9, 0.1, 9))
