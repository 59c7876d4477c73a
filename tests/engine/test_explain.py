"""Grad-CAM against cases worked out by hand, on our networks of both kinds, and what the command leaves."""

import pytest
import torch

from tests.engine.fresh import write_checkpoint
from videonet.cli import main
from videonet.decode import open_video
from videonet.engine.explain import ExplainError, grad_cam, over_frames
from videonet.models import create_model


class LinearHead:
    """The map is the clip itself; the head is its mean and a linear layer, so the gradient is known."""

    feature_channels = {"map": 3}  # noqa: RUF012

    def __init__(self, weight):
        self.weight = torch.tensor(weight, requires_grad=True)

    def embed(self, x, names=None):
        feature = x.clone().requires_grad_()
        return {"map": feature, "logits": feature.mean(dim=(2, 3, 4)) @ self.weight.T}


def test_the_map_is_the_heads_weights_times_the_channels_where_positive():
    weight = [[2.0, -1.0, 0.0], [0.0, 0.0, 3.0]]
    clips = torch.randn(2, 3, 2, 4, 4)
    for target, (a, b, c) in enumerate(weight):
        found = grad_cam(LinearHead(weight), clips, "map", target)
        by_hand = (a * clips[:, 0] + b * clips[:, 1] + c * clips[:, 2]).clamp_min(0) / (2 * 4 * 4)
        torch.testing.assert_close(found, by_hand)


@pytest.mark.parametrize("name", ["iresnet3d50", "iresnet50", "preact_resnet18", "resnet164_cifar"])
def test_every_stage_of_our_networks_has_a_gradient_and_clips_do_not_mix(name):
    torch.manual_seed(0)
    network = create_model(name, 5, width=8, blocks=(1, 1, 1) if "cifar" in name else (1, 1, 1, 1)).eval()
    clips = torch.randn(2, 3, 4, 32, 32)
    for stage, channels in network.feature_channels.items():
        both = grad_cam(network, clips, stage, 1)
        feature = network.embed(clips, (stage,))[stage]
        assert both.shape == (2, *feature.shape[2:])
        assert feature.shape[1] == channels
        assert max(grad_cam(network, clips, stage, target).amax() for target in range(5)) > 0
        torch.testing.assert_close(grad_cam(network, clips[1:], stage, 1), both[1:])


def test_the_last_stage_of_a_plain_net_is_weighted_by_the_classifier():
    network = create_model("resnet3d18", 5, width=8).eval()
    clip = torch.randn(1, 3, 4, 32, 32)
    feature = network.embed(clip, ("stage4",))["stage4"]
    by_hand = torch.einsum("c,ncthw->nthw", network.fc.weight[3], feature).relu() / feature[0, 0].numel()
    torch.testing.assert_close(grad_cam(network, clip, "stage4", 3), by_hand)


def test_over_frames_keeps_places_and_tops_each_clip_at_one():
    cam = torch.zeros(2, 2, 4, 4)
    cam[0, 1, 0, 3] = 5.0
    large = over_frames(cam, 8, 32)
    assert large.shape == (2, 8, 32, 32)
    assert large[0].amax() == 1
    time, row, column = (int(place) for place in (large[0] == 1).nonzero().float().mean(dim=0).round())
    assert time >= 4
    assert row < 8
    assert column >= 24
    assert large[1].amax() == 0


def test_a_stage_that_is_none():
    with pytest.raises(ExplainError, match="there is no map 'stage9'; this network has map"):
        grad_cam(LinearHead([[1.0, 0.0, 0.0]]), torch.ones(1, 3, 1, 2, 2), "stage9", 0)


def test_the_command_leaves_a_sheet_or_a_film(demo_data, tmp_path, capsys):
    checkpoint = str(write_checkpoint(tmp_path / "fresh.pt"))
    video = str(demo_data / "test" / "open" / "0000.mp4")
    words = ["explain", "--quiet", video, "--checkpoint", checkpoint, "--out"]
    assert main([*words, str(tmp_path / "cam.png"), "--class", "open", "--stage", "stage1"]) == 0
    assert "'open'" in capsys.readouterr().out
    assert (tmp_path / "cam.png").read_bytes()[:4] == b"\x89PNG"
    assert main([*words, str(tmp_path / "cam.mp4"), "--clips", "2"]) == 0
    with open_video(tmp_path / "cam.mp4") as film:
        assert film.info.frames == 2 * 4
        assert film.info.width >= 480
    for more, message in (
        (["cam.png"], "exists; choose another --out"),
        (["cam.gif"], "must end with .png or .mp4"),
        (["x.png", "--class", "opem"], "did you mean 'open'?"),
    ):
        assert main([*words, str(tmp_path / more[0]), *more[1:]]) == 2
        assert message in capsys.readouterr().err
