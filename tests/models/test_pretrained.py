"""Loading other people's checkpoints: what is unwrapped, what is reported, what is refused."""

import pytest
import torch
import torchvision

from tests.models.fill import fill_
from videonet.models import create_model
from videonet.models.pretrained import load_weights


def small(name="iresnet50", classes=5, **arguments):
    return create_model(name, classes, width=4, **arguments)


def test_a_checkpoint_of_the_authors_trainer(tmp_path):
    source = fill_(small(wiring="released"))
    wrapped = {f"module.{key}": tensor for key, tensor in source.state_dict().items()}
    torch.save({"epoch": 90, "arch": "iresnet", "state_dict": wrapped}, tmp_path / "a.pth")
    model = small(wiring="released")
    report = load_weights(model, tmp_path / "a.pth", wiring="released")
    assert (report.model_share, report.file_share, report.missing, report.unexpected) == (1.0, 1.0, (), ())
    assert all(torch.equal(tensor, source.state_dict()[key]) for key, tensor in model.state_dict().items())


def test_the_other_wiring_is_refused():
    with pytest.raises(ValueError, match=r"wiring 'released' .* create_model\(..., wiring='released'\)"):
        load_weights(small(), small().state_dict(), wiring="released")
    load_weights(small("resnet50"), small("resnet50").state_dict(), wiring="released")  # has only one wiring


def test_torchvision_weights_into_a_video_net_with_other_classes():
    theirs = fill_(torchvision.models.resnet18(num_classes=9))
    model = create_model("resnet3d18", 5)
    kept = model.fc.weight.clone()
    report = load_weights(model, theirs.state_dict(), inflation_mode="centre", head="reset")
    assert report.model_share == 1.0
    assert torch.equal(model.fc.weight, kept)
    image = torch.randn(1, 3, 64, 64)
    model.eval()
    feature = model.embed(image.unsqueeze(2), ("pooled",))["pooled"]
    theirs.fc = torch.nn.Identity()
    torch.testing.assert_close(feature, theirs(image), rtol=1e-4, atol=1e-4)


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
        load_weights(model, weights.state_dict())
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


def test_a_partial_load_has_to_be_asked_for():
    report = load_weights(small(), small("iresnet101").state_dict(), min_share=0.2)
    assert (round(report.model_share, 3), round(report.file_share, 3)) == (0.997, 0.551)
    assert "layer3.5.bn3.weight" in report.missing  # the End block of stage 3 in one net, a Middle block in the other
    assert "layer3.22.conv1.weight" in report.unexpected


def test_files_that_hold_no_state_dict(tmp_path):
    class Payload:
        pass

    torch.save({"epoch": 3}, tmp_path / "empty.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save(torch.nn.Linear(1, 1), tmp_path / "module.pt")
    for name, message in [("empty", "keys are epoch"), ("list", "holds a list"), ("module", "more than plain tensors")]:
        with pytest.raises(ValueError, match=message):
            load_weights(small(), tmp_path / f"{name}.pt")
