"""Loading checkpoints: what is unwrapped, what is reported, what is refused."""

import json
from pathlib import Path

import pytest
import torch
import torchvision

import videonet
from tests.models.fill import fill_
from videonet.models import create_model
from videonet.models.pretrained import load_weights

NAMES = [row["name"] for row in json.loads(Path(__file__).with_name("golden.json").read_text())]


def small(name="iresnet50", classes=5, **arguments):
    return create_model(name, classes, width=4, **arguments)


def same(state, other):
    return all(torch.equal(tensor, other[key]) for key, tensor in state.items())


@pytest.mark.parametrize("name", NAMES)
def test_every_key_of_the_authors_checkpoints_is_used(name):
    with torch.device("meta"):
        model = create_model(name, wiring="released")
    wrapped = {f"module.{key}": tensor for key, tensor in model.state_dict().items()}
    report = videonet.load_weights(model, {"epoch": 90, "state_dict": wrapped})
    assert (report.model_share, report.file_share, report.missing, report.unexpected) == (1.0, 1.0, (), ())
    assert len(report.loaded) == len(wrapped)


def test_a_checkpoint_of_the_authors_trainer(tmp_path, monkeypatch):
    source = fill_(small(wiring="released"))
    wrapped = {f"module.{key}": tensor for key, tensor in source.state_dict().items()}
    monkeypatch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")  # as if saved from a GPU
    torch.save({"epoch": 90, "arch": "iresnet", "state_dict": wrapped}, tmp_path / "a.pth")
    model = small(wiring="released")
    report = load_weights(model, tmp_path / "a.pth")
    assert same(model.state_dict(), source.state_dict())
    assert report.summary() == f"{len(wrapped)} entries loaded from authors: 100.0% of the net, 100.0% of the file; " \
                               "head loaded"  # fmt: skip
    with pytest.raises(ValueError, match=r"of wiring 'released' do not work in a net of wiring 'paper'; build it with"):
        load_weights(small(), tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("needed", "built", "arguments"),
    [
        ("nothing says which wiring these weights were trained with.*the authors' need 'released'", "paper", {}),
        (r"wiring 'released' .* create_model\(..., wiring='released'\)", "paper", {"wiring": "released"}),
        ("wiring 'released' do not work", "paper", {"source": "authors"}),
        (r"wiring 'paper' .* create_model\(..., wiring='paper'\)", "released", {"wiring": "paper"}),
        ("ResNet's own wiring do not work in a net of wiring 'paper'", "paper", {"source": "torchvision"}),
        ("wiring 'both' is not known. Known: paper, released", "paper", {"wiring": "both"}),
        ("source 'me' of weights is not known. Known: ours, authors", "paper", {"source": "me"}),
    ],
)
def test_the_wiring_is_said_or_known_never_guessed(needed, built, arguments):
    model = small(wiring=built)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    with pytest.raises(ValueError, match=needed):
        load_weights(model, small().state_dict(), **arguments)
    assert same(model.state_dict(), before)
    load_weights(small("resnet50"), small("resnet50").state_dict(), wiring="released")  # has only one wiring


def test_a_checkpoint_of_ours_says_its_wiring_and_its_pool_over_time():
    def checkpoint(net, **settings):
        return {"format": 1, "model": net.state_dict(), "config": {"model": settings}}

    assert load_weights(small(), checkpoint(small(), wiring="paper")).source == "ours"
    with pytest.raises(ValueError, match="wiring 'released' do not work in a net of wiring 'paper'"):
        load_weights(small(), checkpoint(small(), wiring="released"))
    with pytest.raises(ValueError, match="the file says that it was trained with wiring 'paper', not 'released'"):
        load_weights(small(wiring="released"), checkpoint(small(), wiring="paper"), wiring="released")
    pooled = checkpoint(small("resnet3d50", inflation="c2d"), wiring="paper", inflation="c2d")
    load_weights(small("resnet3d50", inflation="c2d"), pooled)
    with pytest.raises(ValueError, match="a net with a pool over time after stage 1 do not work in one with no pool"):
        load_weights(small("resnet3d50", inflation="2d"), pooled)


def test_torchvision_weights_into_a_video_net_with_other_classes():
    theirs = fill_(torchvision.models.resnet18(num_classes=9))
    model = create_model("resnet3d18", 5)
    report = load_weights(model, theirs.state_dict(), inflation_mode="centre", head="reset")
    assert report.model_share == 1.0
    assert len(report.reshaped) == 20
    assert "head reset" in report.summary()
    assert report.details()[0].startswith("reshaped: conv1.weight, ")
    image = torch.randn(1, 3, 64, 64)
    model.eval()
    feature = model.embed(image.unsqueeze(2), ("pooled",))["pooled"]
    theirs.fc = torch.nn.Identity()
    torch.testing.assert_close(feature, theirs(image), rtol=1e-4, atol=1e-4)


def test_the_axis_of_time_comes_and_goes_without_a_word_only_where_kernels_are_1():
    flat, frames = small("resnet50"), small("resnet3d50", inflation="2d")
    assert len(load_weights(frames, flat.state_dict()).reshaped) == 53
    assert len(load_weights(small("resnet50"), frames.state_dict()).reshaped) == 53
    slow = small("resnet3d50", inflation="slow")
    with pytest.raises(ValueError, match="weights of a 3D net: give inflation_mode"):
        load_weights(small("resnet50"), slow.state_dict())
    load_weights(slow, flat.state_dict(), inflation_mode="centre")
    back = small("resnet50")
    load_weights(back, slow.state_dict(), inflation_mode="centre")
    assert same(back.state_dict(), flat.state_dict())


def test_rows_of_the_classifier_are_matched_by_class_name():
    theirs, ours = fill_(small("resnet50", 4)), small("resnet50", 3)
    report = load_weights(
        ours, theirs.state_dict(), head="match", class_names=["air drumming", "new", "Crane"],
        source_class_names=["crane", "wave", "crane", "air_drumming"],
    )  # fmt: skip
    assert report.matched_classes == ("air drumming",)  # "crane" stands for two birds
    assert torch.equal(ours.fc.weight[0], theirs.fc.weight[3])
    assert torch.equal(ours.fc.bias[0], theirs.fc.bias[3])
    assert not any(torch.equal(ours.fc.weight[row], other) for row in (1, 2) for other in theirs.fc.weight)
    for names, known, message in [
        (["a", "b", "c"], ["d", "e", "f", "g"], "no class of the net .a, b, c, .* is one of the file's"),
        (["a", "b"], ["a", "b", "c", "d"], "class_names are 2 names for a classifier of 3 rows"),
        (["a", "b", "c"], None, "head='match' needs source_class_names, which are not given and not in the file"),
    ]:
        with pytest.raises(ValueError, match=message):
            load_weights(ours, theirs.state_dict(), head="match", class_names=names, source_class_names=known)


def test_the_head_is_drawn_anew_only_when_asked_for():
    source, model = fill_(small("resnet50")), small("resnet50")
    before = model.fc.weight.clone()
    load_weights(model, source.state_dict())
    assert torch.equal(model.fc.weight, source.fc.weight)
    load_weights(model, source.state_dict(), head="reset")
    assert not torch.equal(model.fc.weight, source.fc.weight)
    assert not torch.equal(model.fc.weight, before)


@pytest.mark.parametrize(
    ("model", "weights", "message"),
    [
        (small(), small(classes=7), r"(?s)mismatched: fc.weight \(7, 128\) for \(5, 128\).*head='reset'"),
        (
            small(),
            small("iresnet101"),
            r"(?s)and 55.1% of them are used; both must be at least 100.0%.*unexpected: layer3.6.bn0.weight",
        ),
        (small("iresnet101"), small(), "(?s)fill 55.1% of the net and.*missing: layer3.6.bn0.weight, .* and 307 more"),
        (small("iresnet3d50"), small(), "weights of a 2D net: give inflation_mode"),
    ],
)
def test_weights_that_do_not_fit_are_refused_and_change_nothing(model, weights, message):
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        load_weights(model, weights.state_dict(), wiring="paper")
    assert same(model.state_dict(), before)


def test_a_partial_load_has_to_be_asked_for():
    report = load_weights(small(), small("iresnet101").state_dict(), wiring="paper", min_share=0.2)
    assert (round(report.model_share, 3), round(report.file_share, 3)) == (0.997, 0.551)
    assert "layer3.5.bn3.weight" in report.missing  # the End block of stage 3 in one net, a Middle block in the other
    assert "layer3.22.conv1.weight" in report.unexpected
