"""Exported files: the logits of the checkpoint, what they tell of themselves, and who may read them."""

import io
import json

import pytest
import torch

from tests.engine.fresh import write_checkpoint
from videonet.cli import main
from videonet.config.schema import ClipConfig
from videonet.data.preprocessing import Preprocessing
from videonet.engine.export import FromPixels, compare, export
from videonet.engine.exported import ExportError, open_exported

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("export") / "fresh.pt", "data.train=/home/somebody/videos")


@pytest.fixture(scope="module")
def exported(checkpoint, demo_data):
    """Both files of one network, checked on real decoding: {"onnx": path, "pt2": path}."""
    paths = {kind: checkpoint.with_suffix(f".{kind}") for kind in ("onnx", "pt2")}
    for kind, path in paths.items():
        words = ["export", "--quiet", "--checkpoint", str(checkpoint), "--format", kind, "--out", str(path)]
        assert main([*words, "--check", str(demo_data / "test")]) == 0
    return paths


@pytest.mark.parametrize("kind", ["onnx", "pt2"])
def test_predictions_of_an_exported_file_are_the_checkpoints(kind, exported, checkpoint, demo_data, capsys):
    said = []
    for path in (checkpoint, exported[kind]):
        words = ["predict", "--quiet", str(demo_data / "val"), "--checkpoint", str(path), "--json", "--topk", "10"]
        assert main([*words, "--trust-pt2"]) == 0
        videos = json.loads(capsys.readouterr().out)
        said.append([{row["class"]: row["probability"] for row in video["top"]} for video in videos])
    assert len(said[0]) == 10
    assert all(ours == pytest.approx(theirs, abs=1e-5) for ours, theirs in zip(*said, strict=True))


@pytest.mark.parametrize("kind", ["onnx", "pt2"])
def test_the_file_takes_any_batch_of_raw_clips(kind, exported):
    network = open_exported(exported[kind], kind, trusted=True).network(CPU)
    clips = torch.randint(0, 256, (5, 3, 4, 32, 32), dtype=torch.uint8)
    together = network(clips)
    assert together.shape == (5, 10)
    torch.testing.assert_close(torch.cat([network(one) for one in clips.split((1, 3, 1))]), together)
    with pytest.raises(ValueError, match=r"got torch\.float32"):
        network(clips.float())


@pytest.mark.parametrize("kind", ["onnx", "pt2"])
def test_the_card_says_how_to_feed_the_file_and_tells_no_paths(kind, exported, checkpoint):
    card = open_exported(exported[kind], kind, trusted=True).card
    said = json.loads(card.to_json())
    assert said["input"] | {"values": ""} == {
        "name": "clips", "dtype": "uint8", "shape": ["batch", 3, 4, 32, 32], "values": "",
    }  # fmt: skip
    assert (said["preprocessing"]["mean"], said["preprocessing"]["short_side"]) == ([0.45] * 3, 32)
    assert (said["model"]["name"], said["model"]["wiring"], len(said["class_names"])) == ("iresnet3d50", "paper", 10)
    assert len(said["checkpoint_sha256"]) == 64
    assert "somebody" not in json.dumps(said)


def test_a_foreign_reader_finds_the_card_in_the_onnx_metadata(exported):
    import onnxruntime

    session = onnxruntime.InferenceSession(exported["onnx"])
    card = json.loads(session.get_modelmeta().custom_metadata_map["videonet"])
    (takes,) = session.get_inputs()
    assert (takes.name, takes.shape, takes.type) == ("clips", card["input"]["shape"], "tensor(uint8)")


def test_folded_float_export_of_a_2d_net(tmp_path, demo_data, capsys):
    path = write_checkpoint(tmp_path / "two.pt", "model.name=iresnet18")
    words = ["export", "--quiet", "--checkpoint", str(path), "--format", "pt2", "--fold", "--input", "float32"]
    assert main([*words, "--check", str(demo_data / "val")]) == 0
    assert "the same top class on 10 of 10; limit 0.0001" in capsys.readouterr().out
    card = open_exported(tmp_path / "two.pt2", "pt2", trusted=True).card
    assert (card.input, card.folded, card.feeding.input) == ("float32", True, "rgb")


def test_a_check_over_its_limit_keeps_nothing_and_exits_2(checkpoint, demo_data, tmp_path, capsys):
    words = ["export", "--quiet", "--checkpoint", str(checkpoint), "--format", "pt2", "--out", str(tmp_path / "x.pt2")]
    assert main([*words, "--fold", "--check", str(demo_data / "val"), "--limit", "1e-12"]) == 2
    assert "over the limit of 1e-12; nothing is kept" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_difference_that_is_no_number_passes_no_limit(exported, tmp_path):
    from types import SimpleNamespace

    network = open_exported(exported["onnx"], "onnx").network(CPU)
    views = torch.zeros((1, 1, 3, 4, 32, 32), dtype=torch.uint8)

    class Batch(SimpleNamespace):
        def __len__(self):
            return len(views)

    batch = Batch(failures=(), on=lambda device: views)
    broken = torch.nn.Module()
    broken.forward = lambda clips: torch.full((len(clips), 10), torch.nan)
    assert compare(broken, network, [batch], CPU, 8).largest_difference == float("inf")
    with pytest.raises(ExportError, match="nothing was compared"):
        compare(broken, network, [], CPU, 8)


@pytest.mark.parametrize("kind", ["onnx", "pt2"])
def test_a_network_that_the_exporter_cannot_take_is_said(kind, exported):
    class Fickle(torch.nn.Module):
        def forward(self, x):
            return x.mean(dim=(2, 3, 4)) if x.mean() > 0 else x[:, :, 0, 0, 0]

    card = open_exported(exported["onnx"], "onnx").card
    with pytest.raises(ExportError, match=r"cannot take iresnet3d50 with batches of any size: .*"):
        export(io.BytesIO(), kind, Fickle(), card)


def test_what_cannot_be_read_is_said(exported, checkpoint, tmp_path, capsys):
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(exported["onnx"].read_bytes()[:2000])
    predict = ["predict", "x.mp4", "--quiet", "--checkpoint"]
    for words, message in (
        ([*predict, str(exported["pt2"])], "say --trust-pt2"),
        ([*predict, str(cut)], "cut.onnx cannot be read"),
        ([*predict, str(exported["onnx"]), "--opts", "clip.crop=24"], "clip.crop is built into"),
        (["export", "--checkpoint", str(checkpoint), "--format", "onnx"], "exists; choose another --out"),
        (["export", "--checkpoint", str(exported["pt2"]), "--format", "onnx"], "is exported already"),
    ):
        assert main(words) == 2
        assert message in capsys.readouterr().err


def test_tracing_leaves_the_normalisation_as_it_is():
    """Numbers that are kept for later must not be those that a tracer puts in their place."""
    preprocessing = Preprocessing(**vars(ClipConfig(mean=(0.11, 0.12, 0.13), std=(0.21, 0.22, 0.23))))
    clips = torch.randint(0, 256, (1, 3, 2, 4, 4), dtype=torch.uint8)
    program = torch.export.export(FromPixels(torch.nn.Identity(), preprocessing), (clips,))
    shape = (3, 1, 1, 1)
    right = (clips / 255 - torch.tensor(preprocessing.mean).view(shape)) / torch.tensor(preprocessing.std).view(shape)
    torch.testing.assert_close(preprocessing.normalise(clips), right)
    torch.testing.assert_close(program.module()(clips), right)
