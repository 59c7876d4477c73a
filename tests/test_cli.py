import json
import shutil

import av
import numpy as np
import pytest
import torch

from videonet.cli import main
from videonet.decode import open_video


def checkpoint(folder):
    return str(folder / "checkpoints" / "last.pt")


def test_a_run_leaves_its_files(trained):
    left = {path.relative_to(trained).as_posix() for path in trained.rglob("*") if path.is_file()}
    for name in ("config.yaml", "train.jsonl", "checkpoints/last.pt", "checkpoints/best.pt", "results.json",
                 "views.npz", "report.html", "figures/confusion.png"):  # fmt: skip
        assert name in left
    assert any(name.startswith("tensorboard/") for name in left)


def test_predictions_are_those_of_the_test(trained, demo_data, capsys):
    stored = np.load(trained / "views.npz", allow_pickle=False)
    names = json.loads((trained / "results.json").read_text())["per_class"]
    for place in (0, 13):
        video = demo_data / "test" / str(stored["ids"][place])
        words = ["predict", "--quiet", str(video), "--checkpoint", checkpoint(trained), "--topk", "10", "--json"]
        assert main(words) == 0
        (said,) = json.loads(capsys.readouterr().out)
        assert said["path"] == str(video)
        probabilities = {row["class"]: row["probability"] for row in said["top"]}
        expected = {row["name"]: float(p) for row, p in zip(names, stored["probabilities"][place], strict=True)}
        assert probabilities == pytest.approx(expected, abs=1e-6)
        assert list(probabilities.values()) == sorted(probabilities.values(), reverse=True)


def test_views_are_stored_one_by_one(trained):
    stored = np.load(trained / "views.npz", allow_pickle=False)
    assert stored["view_logits"].shape == (20, 6, 10)
    exp = np.exp(stored["view_logits"].astype(np.float64))
    mean = (exp / exp.sum(axis=2, keepdims=True)).mean(axis=1)
    np.testing.assert_allclose(stored["probabilities"], mean, atol=1e-6)
    results = json.loads((trained / "results.json").read_text())
    assert results["top1"] == (mean.argmax(axis=1) == stored["labels"]).mean()


def test_broken_files_are_counted_with_their_reasons(trained, demo_data, tmp_path):
    folder = tmp_path / "videos"
    shutil.copytree(demo_data / "test", folder)
    files = sorted(folder.glob("*/*.mp4"))
    assert len(files) == 20
    files[0].write_bytes(files[0].read_bytes()[: files[0].stat().st_size // 2])
    files[7].write_bytes(b"")
    files[12].write_text("a text that calls itself a video")
    arguments = ["test", "--quiet", "--checkpoint", checkpoint(trained), "--out", str(tmp_path / "out")]
    assert main([*arguments, f"data.test={folder}"]) == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert (results["n_listed"], results["n_decoded"], results["n_failed"]) == (20, 17, 3)
    assert {row["path"] for row in results["failures"]} == {str(files[i]) for i in (0, 7, 12)}
    assert all(row["reason"] for row in results["failures"])
    assert results["top1_failed_as_wrong"] == pytest.approx(results["top1"] * 17 / 20)


def test_a_file_cut_short_is_not_passed_off_as_a_whole_video(trained, demo_data, tmp_path, capsys):
    whole = next((demo_data / "test").glob("*/*.mp4"))
    with av.open(str(whole)) as source, av.open(str(tmp_path / "x.mp4"), "w", options={"movflags": "faststart"}) as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    cut = tmp_path / "cut.mp4"
    data = (tmp_path / "x.mp4").read_bytes()
    cut.write_bytes(data[: len(data) * 7 // 10])
    with open_video(cut) as reader:
        assert reader.info.frames < 5 < reader.info.missing  # of 10
    assert main(["predict", "--quiet", str(cut), "--checkpoint", checkpoint(trained)]) == 2
    assert "cut short" in capsys.readouterr().out


def test_features_of_a_folder(trained, demo_data, tmp_path):
    out = tmp_path / "features"
    arguments = ["extract", "--quiet", "--checkpoint", checkpoint(trained), "--videos", str(demo_data / "test")]
    assert main([*arguments, "--out", str(out), "--clips", "3"]) == 0
    index = json.loads((out / "index.json").read_text())
    assert len(index["videos"]) == 20
    for row in index["videos"]:
        features = np.load(out / row["file"], allow_pickle=False)
        assert features.dtype == np.float32
        assert list(features.shape) == row["shape"] == [3, 256]
        assert np.shape(row["clip_seconds"]) == (3, 2)
        assert (features >= 0).all()  # after the last ReLU
    assert main([*arguments, "--out", str(out)]) == 2  # nothing is overwritten
    assert main([*arguments, "--out", str(tmp_path / "other"), "--feature", "stage9"]) == 2


def test_all_faults_of_a_config_at_once(tmp_path, capsys):
    path = tmp_path / "x.yaml"
    path.write_text("model:\n  name: irsnet3d50\noptim:\n  lr: fast\n  leraning_rate: 0.1\n")
    assert main(["train", "--cfg", str(path)]) == 2
    error = capsys.readouterr().err
    for expected in ("3 problems", "did you mean 'iresnet3d50'?", f"{path}:2", "optim.lr must be a number",
                     "optim.leraning_rate is not a setting"):  # fmt: skip
        assert expected in error
    assert "Traceback" not in error


def test_print_config_tells_where_values_come_from(tiny, capsys):
    assert main(["train", "--print-config", *tiny, "--opts", "optim.gamma", "1e-3"]) == 0
    out = capsys.readouterr().out
    assert "gamma: 0.001  # --opts" in out
    assert "momentum: 0.9  # default" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train"], "data.train is not set"),
        (["train", "data.train=/no/such/folder"], "/no/such/folder is not a folder"),
        (["test", "--checkpoint", "/no/such.pt"], "/no/such.pt does not exist"),
        (["predict", "x.mp4", "--checkpoint", "/no/such.pt"], "/no/such.pt does not exist"),
        (["info", "irsnet50"], "did you mean 'iresnet50'?"),
    ],
)
def test_wrong_input_is_one_message_and_exit_2(words, message, capsys):
    assert main(words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_a_device_that_is_not_there(tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    words = [word for word in tiny if not word.startswith("device")]
    assert main(["train", *words, "device=cuda", f"output_dir={tmp_path}"]) == 2
    assert "PyTorch sees no GPU; use device=cpu" in capsys.readouterr().err


def test_clips_that_the_network_cannot_take(tiny, tmp_path, capsys):
    words = [word for word in tiny if not word.startswith("model.")]
    assert main(["train", *words, "model.name=torchvision/mvit_v2_s", f"output_dir={tmp_path}"]) == 2
    assert "clip: torchvision/mvit_v2_s cannot take a clip of 4 frames of 32x32" in capsys.readouterr().err
    inflated = ["model.name=resnet3d50", "model.inflation=i3d", "clip.frames=1"]
    assert main(["train", *words, *inflated, f"output_dir={tmp_path}"]) == 2
    assert "clip: a clip of 1 frames" in capsys.readouterr().err


def test_the_network_of_a_checkpoint_is_what_it_is(trained, tmp_path, capsys):
    path = tmp_path / "other.yaml"
    path.write_text("model: {width: 16}\nclip: {stride: 4}\n")
    assert main(["test", "--checkpoint", checkpoint(trained), "--cfg", str(path)]) == 2
    error = capsys.readouterr().err
    assert "model.width is 8 in the checkpoint but 16" in error
    assert "clip.stride is 2 in the checkpoint but 4" in error


def test_predict_says_which_file_it_could_not_read(trained, demo_data, tmp_path, capsys):
    (tmp_path / "bad.mp4").write_text("no video")
    good = next((demo_data / "test").glob("*/*.mp4"))
    assert main(["predict", "--quiet", str(tmp_path / "bad.mp4"), str(good), "--checkpoint", checkpoint(trained)]) == 2
    out = capsys.readouterr().out
    assert "bad.mp4\n  not readable: " in out
    assert str(good) in out


def test_info_counts_the_papers_network(capsys):
    assert main(["info", "iresnet3d50", "--num-classes", "400", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["params"] == 46_999_760
    assert f"{row['paper_ops'] / 1e9:.2f}" == "93.93"


def test_planes_train_and_test_like_pixels(tiny, demo_data, tmp_path):
    """clip.pixels=yuv: colour and size are the device's work, in training, test and prediction alike."""
    words = ["clip.pixels=yuv", f"output_dir={tmp_path}", "data.workers=1"]
    assert main(["train", "--quiet", *tiny, *words]) == 0
    assert main(["test", "--quiet", "--checkpoint", checkpoint(tmp_path)]) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    assert (results["n_listed"], results["n_failed"]) == (20, 0)
    assert results["config"]["clip"]["pixels"] == "yuv"
    as_rgb = ["test", "--quiet", "--checkpoint", checkpoint(tmp_path), "--out", str(tmp_path / "rgb")]
    assert main([*as_rgb, "--opts", "clip.pixels=rgb"]) == 0
    logits = [np.load(folder / "views.npz")["view_logits"] for folder in (tmp_path, tmp_path / "rgb")]
    assert 0 < np.abs(logits[0] - logits[1]).max() < 0.3 * np.abs(logits[0]).max()
