import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from videonet.cli import main
from videonet.engine.analysis import average_views
from videonet.engine.compare import compare
from videonet.engine.results import Results, ResultsError

NAMES = ("jump", "run")


def results(name, said, labels, fingerprint="f", ids=None):
    """A test in which video k was taken for class said[k], with probability 0.9."""
    ids = tuple(f"v{k}" for k in range(len(said))) if ids is None else tuple(ids)
    rows = [{"name": name, "n": 0, "top1": None} for name in NAMES]
    probabilities = np.where(np.eye(2)[said] > 0, 0.9, 0.1).astype(np.float32)
    summary = {"per_class": rows, "fingerprint": fingerprint}
    return Results(Path(name), summary, ids, tuple(f"{id_}.mp4" for id_ in ids), np.array(labels), probabilities)


LABELS = [0] * 6 + [1] * 6
A = results("a", [0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0], LABELS)  # 5 right
B = results("b", [0, 0, 0, 1, 0, 1, 1, 1, 1, 1, 1, 0], LABELS)  # 9 right


def test_only_videos_that_differ_tell_them_apart():
    found = compare(A, B, draws=500)
    assert (found["n"], found["only_a_right"], found["only_b_right"]) == (12, 1, 5)
    assert found["difference"] == pytest.approx(4 / 12)
    assert found["p_value"] == pytest.approx(2 * binom.cdf(1, 6, 0.5))
    low, high = found["interval"]
    assert low < 4 / 12 < high
    assert [(row["name"], row["gain"]) for row in found["per_class"]] == [("run", pytest.approx(4 / 6)), ("jump", 0.0)]
    assert sorted((one["id"], one["right"]) for one in found["videos"]) == [
        ("v10", "b"), ("v3", "a"), ("v4", "b"), ("v7", "b"), ("v8", "b"), ("v9", "b"),
    ]  # fmt: skip


def test_the_order_of_the_videos_does_not_matter():
    turned = replace(
        B, ids=B.ids[::-1], paths=B.paths[::-1], labels=B.labels[::-1], probabilities=B.probabilities[::-1]
    )
    assert compare(A, turned) == compare(A, B)


def test_a_test_against_itself():
    found = compare(A, A)
    assert (found["difference"], found["interval"], found["p_value"], found["videos"]) == (0, [0, 0], 1.0, [])


def test_different_videos_are_refused_unless_asked_for():
    other = results("c", [0, 1, 1], [0, 1, 1], "g", ["v1", "v7", "new"])
    with pytest.raises(ResultsError, match="--common compares them on the 2 videos whose ids both have"):
        compare(A, other)
    found = compare(A, other, common=True)
    assert (found["n"], found["n_only_a"], found["n_only_b"], found["same_fingerprint"]) == (2, 10, 1, False)
    with pytest.raises(ResultsError, match="1 videos have another label"):
        compare(A, results("d", [0, 1], [1, 1], "g", ["v1", "v7"]), common=True)
    with pytest.raises(ResultsError, match="no readable video in common"):
        compare(A, results("e", [0], [0], "g", ["x"]), common=True)


@pytest.fixture(scope="module")
def two_tests(trained, tmp_path_factory):
    """The test of the trained network, and what its first view alone says, but for one video: of that, one is right."""
    folder = tmp_path_factory.mktemp("two")
    for name in ("a", "b"):
        (folder / name).mkdir()
        for file in ("results.json", "views.npz"):
            shutil.copy(trained / file, folder / name)
    with np.load(folder / "b" / "views.npz") as stored:
        arrays = dict(stored)
    labels, classes = arrays["labels"], arrays["probabilities"].shape[1]
    right = arrays["probabilities"][0].argmax() == labels[0]
    arrays["probabilities"] = average_views(arrays["view_logits"][:, :1])
    arrays["probabilities"][0] = np.eye(classes)[(labels[0] + right) % classes]
    np.savez(folder / "b" / "views.npz", **arrays)
    return folder / "a", folder / "b"


def test_the_command_writes_words_json_and_a_page(two_tests, tmp_path, capsys):
    a, b = map(str, two_tests)
    page = tmp_path / "page.html"
    assert main(["compare-results", a, b, "--page", str(page)]) == 0
    assert "(McNemar, exact: only A right" in capsys.readouterr().out
    assert main(["compare-results", a, b, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["top1_a"] == pytest.approx(json.loads((two_tests[0] / "results.json").read_text())["top1"])
    assert found["videos"]
    html = page.read_text()
    assert html.count("data:image/jpeg;base64,") == len(found["videos"])
    assert "http" not in html
    assert not (tmp_path / "comparison.html").exists()


def test_what_is_no_result_is_one_message(trained, two_tests, tmp_path, capsys):
    assert main(["compare-results", str(tmp_path), str(trained)]) == 2
    assert "results.json does not exist; videonet test leaves it" in capsys.readouterr().err
    broken = tmp_path / "broken"
    shutil.copytree(two_tests[1], broken)
    (broken / "views.npz").write_bytes((broken / "views.npz").read_bytes()[:1000])
    assert main(["compare-results", str(broken), str(trained)]) == 2
    assert "holds no readable results" in capsys.readouterr().err


def test_several_labels_a_video_are_not_compared():
    several = replace(A, summary={**A.summary, "map": 0.5}, labels=np.zeros(0, np.int64))
    with pytest.raises(ResultsError, match="only tests with one are compared"):
        compare(A, several)
