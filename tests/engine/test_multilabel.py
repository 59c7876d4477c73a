"""Several labels a video: trained as a yes or no for each class, measured by mean average precision."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from videonet.cli import main
from videonet.data.dataset import Failure
from videonet.data.lists import VideoItem
from videonet.engine.checkpoint import load_checkpoint
from videonet.engine.evaluate import Evaluation
from videonet.engine.log import read_rows
from videonet.engine.multilabel import summarise_several


def write_lists(folder, demo_data):
    """The class of each demo video, and a second label that several classes share: 0 to 4 are also 10, others 11."""
    for split in ("train", "val", "test"):
        videos = sorted((demo_data / split).glob("*/*.mp4"))
        names = sorted({video.parent.name for video in videos})
        lines = [f"{video} {(k := names.index(video.parent.name))} {10 + k // 5}" for video in videos]
        (folder / f"{split}.txt").write_text("\n".join(lines))
    (folder / "classes.txt").write_text("\n".join([*names, "first half", "second half"]))


@pytest.fixture(scope="module")
def words(tiny, demo_data, tmp_path_factory):
    lists = tmp_path_factory.mktemp("lists")
    write_lists(lists, demo_data)
    files = [f"data.{split}={lists / split}.txt" for split in ("train", "val", "test", "classes")]
    return [*tiny, "data.source=multilabel", *files]


@pytest.fixture(scope="module")
def run(words, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "several"
    recipe = ["optim.loss=binary", "augment.mixup_alpha=0.2", "augment.cutmix_alpha=1", "augment.mix_share=0.5",
              "optim.class_weights=inverse", "optim.label_smoothing=0.1", "train.ema_decay=0.5"]  # fmt: skip
    assert main(["train", "--quiet", *words, *recipe, f"output_dir={folder}"]) == 0
    assert main(["test", "--quiet", "--checkpoint", str(folder / "checkpoints" / "best.pt")]) == 0
    return folder


def test_the_best_is_chosen_by_mean_average_precision(run):
    rows = [row for row in read_rows(run / "train.jsonl") if row["kind"] == "val"]
    assert len(rows) == 2
    assert "top1" not in rows[0]
    assert load_checkpoint(run / "checkpoints" / "best.pt").best_top1 == max(row["map"] for row in rows)


def test_results_hold_what_the_views_give(run):
    results = json.loads((run / "results.json").read_text())
    stored = np.load(run / "views.npz")
    assert not {"top1", "top5"} & results.keys()
    assert "labels" not in stored
    assert stored["targets"].sum(axis=1).tolist() == [2] * 20
    sigmoid = (1 / (1 + np.exp(-stored["view_logits"].astype(np.float64)))).mean(axis=1)
    np.testing.assert_allclose(stored["probabilities"], sigmoid, atol=1e-6)
    each = average_precision_score(stored["targets"], stored["probabilities"], average=None)
    assert [row["ap"] for row in results["per_class"]] == pytest.approx(each)
    assert [row["n"] for row in results["per_class"]] == [2] * 10 + [10, 10]
    assert results["map"] == pytest.approx(each.mean())
    assert results["map"] == results["map_failed_as_wrong"]


def test_the_page_shows_it(run):
    page = (run / "report.html").read_text()
    assert "<dt>mAP</dt>" in page
    assert "Average precision of each class" in page
    assert sorted(path.name for path in (run / "figures").iterdir()) == ["curves.png", "per_class.png"]


def test_predictions_are_sigmoids(run, demo_data, capsys):
    stored = np.load(run / "views.npz")
    video = str(stored["ids"][3])
    checkpoint = str(run / "checkpoints" / "best.pt")
    assert main(["predict", "--quiet", video, "--checkpoint", checkpoint, "--topk", "12", "--json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)
    found = sorted(row["probability"] for row in said["top"])
    assert found == pytest.approx(sorted(stored["probabilities"][3].tolist()), abs=1e-6)


def test_unreadable_videos_are_never_found(run, words, tmp_path):
    *_, listed = (word for word in words if word.startswith("data.test="))
    lines = Path(listed.removeprefix("data.test=")).read_text().splitlines()
    (tmp_path / "test.txt").write_text("\n".join([f"{tmp_path / 'gone.mp4'} 0 10", *lines]))
    test = ["test", "--quiet", "--checkpoint", str(run / "checkpoints" / "best.pt"), "--out", str(tmp_path / "out")]
    assert main([*test, f"data.test={tmp_path / 'test.txt'}"]) == 0
    whole, results = (json.loads((folder / "results.json").read_text()) for folder in (run, tmp_path / "out"))
    assert (results["n_listed"], results["n_failed"], results["map"]) == (21, 1, whole["map"])
    each = [row["ap"] for row in whole["per_class"]]
    lost = each[0] / 3 + each[10] / 11
    assert results["map_failed_as_wrong"] == pytest.approx(whole["map"] - lost / 12)


def test_a_softmax_is_refused(words, trained, tmp_path, capsys):
    assert main(["train", "--quiet", *words, f"output_dir={tmp_path}"]) == 2
    said = "optim.loss=cross_entropy chooses one of them; train with optim.loss=binary"
    assert said in capsys.readouterr().err
    (tmp_path / "list.txt").write_text("a.mp4 0 3")
    test = ["test", "--quiet", "--checkpoint", str(trained / "checkpoints" / "last.pt"), "--out", str(tmp_path)]
    assert main([*test, "data.source=multilabel", f"data.test={tmp_path / 'list.txt'}"]) == 2
    assert said in capsys.readouterr().err


def test_a_yes_or_no_for_each_of_one_label_keeps_top1(tiny, tmp_path):
    assert main(["train", "--quiet", *tiny, "optim.loss=binary", "train.epochs=1", f"output_dir={tmp_path}"]) == 0
    assert main(["test", "--quiet", "--checkpoint", str(tmp_path / "checkpoints" / "last.pt")]) == 0
    results, stored = json.loads((tmp_path / "results.json").read_text()), np.load(tmp_path / "views.npz")
    assert results["top1"] == (stored["probabilities"].argmax(axis=1) == stored["labels"]).mean()
    assert "map" not in results
    assert (stored["probabilities"].sum(axis=1) > 1.5).all()  # no softmax


def test_a_hand_made_case():
    items = [VideoItem(name, name, 0, labels) for name, labels in (("a", (0,)), ("b", (1,)), ("c", (0, 1)))]
    logits = np.array([[2.0, -1, 0], [1, 2, 0]], np.float32)[:, None]
    found = Evaluation(np.array([0, 1]), np.array([0, 1]), logits, (Failure("c", "c", "gone"),), "sigmoid")
    figures = summarise_several(found, ("x", "y", "z"), items)
    assert figures["map"] == 1.0
    assert figures["map_failed_as_wrong"] == 0.5  # half of the videos of x and of y are gone
    assert [row["ap"] for row in figures["per_class"]] == [1.0, 1.0, None]
    assert [row["n"] for row in figures["per_class"]] == [1, 1, 0]
