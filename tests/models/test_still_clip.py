"""The check of inflated weights passes where it should, and fails where it should."""

import pytest
import torch

from tests.models.fill import fill_
from videonet.models import create_model
from videonet.models.inflate import inflate
from videonet.models.still_clip import compare_on_still_clip


def inflated(name, mode, **arguments):
    two = fill_(create_model(name.format(""), 5, width=16))
    three = create_model(name.format("3d"), 5, width=16, **arguments)
    three.load_state_dict(inflate(two.state_dict(), three, mode))
    return two, three


@pytest.mark.parametrize(
    ("name", "inflation"),
    [("iresnet{}50", "paper"), ("preact_resnet{}18", "slow"), ("resnext{}50_32x4d", "i3d"), ("resnet_avg{}50", "c2d")],
)
def test_centre_is_equal_everywhere(name, inflation):
    rows = compare_on_still_clip(*inflated(name, "centre", inflation=inflation), "centre")
    assert all(row.exact and row.passed and row.max_abs_error < 1e-12 for row in rows)
    assert "everywhere" in str(rows[0])


@pytest.mark.parametrize("name", ["iresnet{}50", "preact_resnet{}18", "resnext{}50_32x4d"])
def test_mean_is_equal_with_replicate_padding_and_in_the_interior_only(name):
    everywhere, interior, as_it_runs = compare_on_still_clip(*inflated(name, "mean"), "mean")
    assert "replicate padding" in everywhere.claim
    assert interior.claim.startswith("interior, ")
    assert everywhere.passed
    assert interior.passed
    assert interior.exact
    assert not as_it_runs.exact
    assert as_it_runs.max_abs_error > 100 * everywhere.max_abs_error


@pytest.mark.parametrize("mode", ["mean", "centre"])
def test_wrong_weights_are_noticed_and_the_nets_left_as_they_were(mode):
    two, three = inflated("resnet{}18", mode)
    with torch.no_grad():
        three.layer1[0].conv2.weight[:, :, 0] *= 1.1
        three.layer1[0].conv2.weight[:, :, 1] *= 1.1
    before = [(key, tensor.clone()) for key, tensor in three.state_dict().items()]
    rows = compare_on_still_clip(two, three, mode)
    assert not any(row.passed for row in rows if row.exact)
    assert "NOT EQUAL, max abs error of logits" in str(rows[0])
    assert all(torch.equal(tensor, three.state_dict()[key]) for key, tensor in before)
    assert three.conv1.padding == (2, 3, 3)


def test_two_video_nets_cannot_be_compared():
    three = create_model("resnet3d18", 5, width=16)
    with pytest.raises(ValueError, match="expected a 2D net and its 3D net"):
        compare_on_still_clip(three, three, "mean")
