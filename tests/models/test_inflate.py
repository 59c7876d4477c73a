"""2D weights in 3D nets and back."""

import pytest
import torch

from tests.models.fill import fill_, make_input
from videonet.models import create_model
from videonet.models.inflate import deflate, inflate


@pytest.fixture(scope="module")
def nets():
    two = fill_(create_model("iresnet50", 5, width=8).double())
    three = create_model("iresnet3d50", 5, width=8).double().eval()
    return two, three


@torch.no_grad()
def test_centre_inflation_gives_the_2d_net_on_a_still_clip(nets):
    two, three = nets
    three.load_state_dict(inflate(two.state_dict(), three, "centre"))
    image = make_input((2, 3, 48, 48)).double()
    torch.testing.assert_close(three(image.unsqueeze(2).repeat(1, 1, 4, 1, 1)), two(image), rtol=1e-10, atol=1e-12)


@torch.no_grad()
def test_mean_inflation_gives_the_2d_features_away_from_the_ends_of_a_still_clip(nets):
    two, three = nets
    three.load_state_dict(inflate(two.state_dict(), three, "mean"))
    image = make_input((1, 3, 32, 32)).double()
    clip = image.unsqueeze(2).repeat(1, 1, 16, 1, 1)
    of_image, of_clip = two.features(image), three.features(clip)
    # The stem's 5 frames and the 3 of each of the 7 blocks of stages 1 and 2 reach 9 frames in from either end.
    torch.testing.assert_close(
        of_clip["stem"][:, :, 2:-2], of_image["stem"].repeat(1, 1, 12, 1, 1), rtol=1e-9, atol=1e-9
    )
    torch.testing.assert_close(
        of_clip["stage1"][:, :, 5:-5], of_image["stage1"].repeat(1, 1, 6, 1, 1), rtol=1e-9, atol=1e-9
    )
    assert not torch.allclose(of_clip["stem"][:, :, 0], of_image["stem"][:, :, 0])


@pytest.mark.parametrize("mode", ["mean", "centre"])
@pytest.mark.parametrize("inflation", ["paper", "i3d", "2d"])
def test_deflate_undoes_inflate(mode, inflation):
    two = create_model("resnet50", 5, width=4)
    three = create_model("resnet3d50", 5, width=4, inflation=inflation)
    there = inflate(two.state_dict(), three, mode)
    three.load_state_dict(there)
    tolerance = 0 if mode == "centre" else 1e-6
    for key, tensor in deflate(there, mode).items():
        torch.testing.assert_close(tensor, two.state_dict()[key], rtol=tolerance, atol=0)


def test_nothing_to_inflate_and_unknown_modes_are_errors(nets):
    two, three = nets
    with pytest.raises(ValueError, match="nothing to inflate"):
        inflate(two.state_dict(), two)
    with pytest.raises(ValueError, match="inflation mode 'center' is not known; choose 'mean' or 'centre'"):
        inflate(two.state_dict(), three, "center")
