"""Runs beside each other: what differs, what came of it, and the picture."""

import json

import matplotlib.image
import numpy as np
import pytest

from videonet.cli import main
from videonet.config import load_config, read_settings, to_yaml
from videonet.report.compare import Run, curves, differences, figures


def rows(epochs, gain, measure="top1"):
    train = [
        {"kind": "train", "epoch": e, "step": 4 * e + s, "loss": 2 / (1 + gain * (e + s / 4)), "lr": 0.1, "top1": 0.5,
         "clips_per_second": 10.0 * (s + 1)}
        for e in range(epochs) for s in range(4)
    ]  # fmt: skip
    val = [{"kind": "val", "epoch": e, "step": 4 * e + 3, measure: gain * (e % 3 + 1) / 10} for e in range(epochs)]
    return [*train, *val]


def write_run(folder, epochs, gain, *words, results=None):
    folder.mkdir()
    (folder / "config.yaml").write_text(to_yaml(load_config(None, [*words, f"output_dir={folder}"])))
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(epochs, gain)))
    if results:
        (folder / "results.json").write_text(json.dumps(results))
    return str(folder)


@pytest.fixture
def runs(tmp_path):
    return [
        write_run(tmp_path / "a", 3, 1, "optim.lr=1e-05", results={"top1": 0.5, "n_decoded": 9, "n_listed": 10}),
        write_run(tmp_path / "b", 6, 2, "optim.lr=1e-05", "model.name=resnet3d50", "augment.flip=0.25"),
    ]


def test_settings_are_read_back_with_their_origins(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("optim:\n  lr: 1e-5\n")
    text = to_yaml(load_config(path, ["data.train=a  # b.txt", "model.blocks=[1, 2]"]))
    found = read_settings(text + "from_the_future: 3  # --opts\n")
    assert found["optim.lr"] == (1e-5, f"{path}:2")
    assert found["data.train"] == ("a  # b.txt", "--opts")
    assert found["model.blocks"] == ([1, 2], "--opts")
    assert found["seed"] == (0, "default")
    assert found["from_the_future"] == (3, "--opts")


def test_only_what_differs_is_listed():
    a = Run("a", {"seed": (0, "default"), "optim.lr": (0.1, "x.yaml:3"), "old": (1, "default")}, [], {})
    b = Run("b", {"seed": (0, "--opts"), "optim.lr": (0.2, "--opts")}, [], {})
    assert differences([a, b]) == {
        "optim.lr": [(0.1, "x.yaml:3"), (0.2, "--opts")],
        "old": [(1, "default"), None],
    }


def test_figures_are_the_last_and_the_best():
    found = figures(Run("a", {}, rows(5, 1, "map"), {"map": 0.4, "n_decoded": 9, "n_listed": 10}))
    assert (found["epochs"], found["val_map_last"], found["val_map_best"], found["val_best_epoch"]) == (5, 0.2, 0.3, 3)
    assert (found["test_map"], found["test_n_decoded"], found["clips_per_second_median"]) == (0.4, 9, 25.0)
    assert set(figures(Run("b", {}, [], {})).values()) == {None}


def test_a_colour_a_run_and_the_same_axes():
    figure = curves([Run("one $x", {}, rows(3, 1), {}), Run("two", {}, rows(60, 2), {}), Run("none", {}, [], {})])
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["Training loss", "Training top-1, %", "Validation top-1, %", "Learning rate"]
    first, second = figure.axes[0].lines
    assert first.get_color() != second.get_color()
    assert first.get_xdata() == pytest.approx(np.arange(1, 13) / 4)
    assert len(second.get_xdata()) == 150  # of 240
    assert figure.axes[2].lines[1].get_ydata()[:3] == pytest.approx([20, 40, 60])
    assert curves([Run("none", {}, [], {})]) is None


def test_the_command(runs, tmp_path, capsys):
    picture = str(tmp_path / "compare.png")
    assert main(["compare", *runs, "--out", picture]) == 0
    said = capsys.readouterr().out
    assert "model.name" in said
    assert "resnet3d50  (--opts)" in said
    assert "optim.lr" not in said
    assert "output_dir" not in said
    assert matplotlib.image.imread(picture).shape[1] >= 1280
    assert main(["compare", *runs, "--out", picture, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["settings"]["augment.flip"] == [
        {"value": None, "origin": "default"}, {"value": 0.25, "origin": "--opts"},
    ]  # fmt: skip
    assert [run["figures"]["val_top1_best"] for run in found["runs"]] == pytest.approx([0.3, 0.6])
    assert [run["figures"]["test_top1"] for run in found["runs"]] == [0.5, None]
    assert (tmp_path / "compare.1.png").exists()


def test_a_folder_that_is_no_run_is_named(runs, tmp_path, capsys):
    assert main(["compare", runs[0], str(tmp_path)]) == 2
    assert f"{tmp_path} is no run: there is no {tmp_path / 'config.yaml'}" in capsys.readouterr().err
    assert main(["compare", runs[0], runs[0] + "/"]) == 2
    assert "two or more different runs" in capsys.readouterr().err
    (tmp_path / "a" / "results.json").write_text("{")
    assert main(["compare", *runs]) == 2
    assert "cannot be read as a run" in capsys.readouterr().err
