"""`videonet download`, `videonet inflate`, and training that starts from weights."""

import hashlib
from functools import partial

import pytest
import torch

from tests.models.fill import fill_
from videonet.cli import main
from videonet.engine.checkpoint import load_checkpoint
from videonet.models import create_model, load_weights


@pytest.fixture
def image_net(demo_data, tmp_path):
    """An image net with 3 classes, one of them the demo data's third, and the files of its weights and classes."""
    net = fill_(create_model("resnet18", 3, width=8, blocks=(1, 1, 1, 1)))
    torch.save(net.state_dict(), tmp_path / "image.pth")
    third = sorted(folder.name for folder in (demo_data / "train").iterdir())[2]
    (tmp_path / "classes.txt").write_text(f"cat\n{third.upper()}\ndog\n")
    return net, tmp_path / "image.pth", tmp_path / "classes.txt"


def start(tiny, folder, *words):
    """One epoch with a rate so small that it leaves the weights as they were."""
    net = ["model.name=resnet3d18", "model.width=8", "model.blocks=[1,1,1,1]", "model.weights_inflate=centre"]
    return main(["train", *tiny, *net, "train.epochs=1", "optim.lr=1e-12", f"output_dir={folder / 'run'}", *words])


def test_training_starts_from_weights_and_resumes_without_them(tiny, image_net, tmp_path, capsys):
    net, weights, classes = image_net
    words = ["--weights", str(weights), "--match-classes", f"model.weights_classes={classes}"]
    assert start(tiny, tmp_path, *words) == 0
    said = capsys.readouterr().err
    assert "100.0% of the net, 100.0% of the file; head matched in 1 classes, the others reset" in said
    assert "reshaped: conv1.weight, " in said
    weights.unlink()
    assert start(tiny, tmp_path, *words, "--resume") == 0
    trained = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.pt").model
    for key, ours, theirs in [
        ("layer1.0.conv1.weight", lambda w: w[:, :, 1], lambda w: w),
        ("fc.weight", lambda w: w[2], lambda w: w[1]),
    ]:
        torch.testing.assert_close(ours(trained[key]), theirs(net.state_dict()[key]), rtol=0, atol=1e-6)


def test_weights_that_cannot_be_used_end_a_run_with_one_message(tiny, image_net, tmp_path, capsys):
    weights = image_net[1]
    for words, message in [
        ([f"model.weights={weights}"], "only the classifier differs: build the net with the file's num_classes"),
        ([f"model.weights={tmp_path / 'none.pth'}"], "none.pth do not exist; give a file or one of resnet18"),
        ([f"model.weights={weights}", "model.weights_source=torchvison"], "did you mean 'torchvision'?"),
        (["--weights", str(weights), "--match-classes"], "head='match' needs source_class_names"),
        (["model.inflation=slwo"], "did you mean 'slow'?"),
    ]:
        assert start(tiny, tmp_path, *words) == 2
        error = capsys.readouterr().err
        assert message in error
        assert "Traceback" not in error


def test_inflate_writes_weights_that_say_their_wiring(tmp_path, capsys):
    net = fill_(create_model("iresnet18", 3, "released"))
    torch.save({"state_dict": {f"module.{k}": v for k, v in net.state_dict().items()}}, tmp_path / "a.pth")
    words = ["inflate", str(tmp_path / "a.pth"), "--model", "iresnet18", "--mode", "centre"]
    out = tmp_path / "inflated.pth"
    assert main([*words, "--out", str(out)]) == 2
    assert "of wiring 'released' do not work in a net of wiring 'paper'" in capsys.readouterr().err
    assert main([*words, "--wiring", "released", "--out", str(out), "--check"]) == 0
    said = capsys.readouterr().out
    assert "loaded from authors: 100.0% of the net" in said
    assert "centre-inflated weights of iresnet3d18: " in said
    assert "everywhere, 16 frames: equal, max abs error of logits" in said
    assert load_weights(create_model("iresnet3d18", 3, "released"), out).source == "ours"
    with pytest.raises(ValueError, match="wiring 'released'"):
        load_weights(create_model("iresnet3d18", 3), out)
    assert main([*words, "--out", str(out)]) == 2
    assert "exists already" in capsys.readouterr().err


def test_inflate_checks_random_weights_too_and_says_what_is_equal_where(capsys):
    assert main(["inflate", "--check", "--model", "resnet18", "--mode", "mean"]) == 0
    everywhere, interior, as_it_runs = capsys.readouterr().out.splitlines()[1:]
    assert "everywhere, replicate padding in time, 16 frames: equal, max abs error" in everywhere
    assert "interior, " in interior
    assert "zero padding as the net runs, 16 frames: not claimed equal, max abs error" in as_it_runs


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "iresnet18"], "nothing to do: give --out FILE, --check, or both"),
        (["--model", "irsnet18", "--check"], "did you mean 'iresnet18'?"),
        (["--model", "resnet18", "--to", "iresnet3d50", "--check"], "iresnet3d50 is not the video net of resnet18"),
        (["--model", "resnet3d18", "--to", "resnet3d18", "--check"], "must be a 2D net and a video net"),
        (["resnet18", "--model", "resnet18", "--check"], "fetch it with: videonet download resnet18"),
    ],
)
def test_inflate_refuses(words, message, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", partial(str, tmp_path))
    assert main(["inflate", *words]) == 2
    assert message in capsys.readouterr().err


def test_download_prints_where_the_file_lies(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", partial(str, tmp_path / "hub"))
    (tmp_path / "a.pth").write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    assert main(["download", "--quiet", (tmp_path / "a.pth").as_uri(), "--sha256", digest]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "hub" / "checkpoints" / "a.pth")
    assert main(["download", "--quiet", (tmp_path / "a.pth").as_uri(), "--sha256", "0" * 64]) == 2
    assert "is not what its checksum says" in capsys.readouterr().err
    assert main(["download", "resnet5"]) == 2
    assert "weights 'resnet5' are not known; did you mean 'resnet" in capsys.readouterr().err
