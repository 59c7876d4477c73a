"""Backbone and recognizer: shapes, frames in a 2D net, features by name, input errors, memory formats."""

import pytest
import torch

from videonet.models import create_model


@pytest.fixture(scope="module")
def net_2d():
    torch.manual_seed(0)
    return create_model("iresnet50", num_classes=5, width=8).eval()


@pytest.fixture(scope="module")
def net_3d():
    torch.manual_seed(0)
    return create_model("iresnet3d50", num_classes=5, width=8).eval()


@torch.no_grad()
def test_3d_features_halve_space_everywhere_and_time_in_stages_3_and_4(net_3d):
    got = net_3d.embed(torch.randn(2, 3, 8, 64, 64))
    shapes = {name: tuple(value.shape) for name, value in got.items()}
    assert shapes == {
        "stem": (2, 8, 8, 32, 32),
        "stage1": (2, 32, 8, 16, 16),
        "stage2": (2, 64, 8, 8, 8),
        "stage3": (2, 128, 4, 4, 4),
        "stage4": (2, 256, 2, 2, 2),
        "pooled": (2, 256),
        "logits": (2, 5),
    }
    assert {name: shape[1] for name, shape in shapes.items() if name in net_3d.feature_channels} == (
        net_3d.feature_channels
    )
    assert (net_3d.num_classes, net_3d.feature_dim) == (5, 256)


@torch.no_grad()
def test_2d_net_reads_frames_one_by_one_and_averages_them(net_2d):
    clip = torch.randn(2, 3, 4, 64, 64)
    maps = net_2d.features(clip)
    of_frame_3 = net_2d.features(clip[:, :, 3])
    for name, value in maps.items():
        torch.testing.assert_close(value[:, :, 3:], of_frame_3[name])
    mean_of_frames = torch.stack([net_2d(clip[:, :, t]) for t in range(4)]).mean(0)
    torch.testing.assert_close(net_2d(clip), mean_of_frames)


@torch.no_grad()
@pytest.mark.parametrize("family", ["iresnet{}18", "resnet_avg{}50", "preact_resnet{}50"])
def test_2d_net_is_the_3d_net_with_inflation_2d(family):
    two = create_model(family.format(""), num_classes=5, width=8).eval()
    three = create_model(family.format("3d"), num_classes=5, width=8, inflation="2d").eval()
    shapes = {key: tensor.shape for key, tensor in three.state_dict().items()}
    three.load_state_dict({key: tensor.reshape(shapes[key]) for key, tensor in two.state_dict().items()})
    for frames in (1, 3):
        clip = torch.randn(2, 3, frames, 48, 48)
        torch.testing.assert_close(three(clip), two(clip), rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("inflation", ["paper", "i3d", "c2d", "slow", "2d"])
@pytest.mark.parametrize("name", ["iresnet3d18", "resnet_avg3d50"])
def test_3d_net_reads_any_number_of_frames_and_odd_sizes(name, inflation):
    model = create_model(name, num_classes=5, width=4, inflation=inflation).eval()
    for frames in (model.time_pool, 5):
        assert model(torch.randn(1, 3, frames, 33, 47)).shape == (1, 5)


@pytest.mark.parametrize("inflation", ["i3d", "c2d"])
def test_a_clip_shorter_than_the_pool_over_time_is_refused(inflation):
    with pytest.raises(ValueError, match="a clip of 1 frames is too short: this net pools 2 frames to 1"):
        create_model("resnet3d18", num_classes=5, width=4, inflation=inflation)(torch.randn(1, 3, 1, 32, 32))


@torch.no_grad()
def test_embed_keeps_what_is_asked_for(net_2d):
    x = torch.randn(2, 3, 32, 32)
    got = net_2d.embed(x, ("pooled", "stage2"))
    assert list(got) == ["stage2", "pooled"]
    torch.testing.assert_close(net_2d.fc(got["pooled"]), net_2d(x))
    with pytest.raises(ValueError, match=r"feature 'stage5' is not known; this net has stem, stage1, .*logits"):
        net_2d.embed(x, ("stage5",))


@pytest.mark.parametrize(
    ("net", "shape", "message"),
    [
        ("net_3d", (2, 3, 32, 32), r"reads clips .*unsqueeze\(2\)"),
        ("net_3d", (2, 8, 3, 32, 32), r"8 channels, this net reads 3; the layout is \(N, C, T, H, W\)"),
        ("net_2d", (2, 1, 32, 32), "1 channels, this net reads 3"),
        ("net_2d", (3, 32, 32), "3 axes"),
    ],
)
def test_input_of_another_layout_is_refused(net, shape, message, request):
    with pytest.raises(ValueError, match=message):
        request.getfixturevalue(net)(torch.zeros(shape))


@torch.no_grad()
@pytest.mark.parametrize(("name", "memory_format"), [("2d", torch.channels_last), ("3d", torch.channels_last_3d)])
def test_memory_format_changes_no_value(name, memory_format, request):
    model = request.getfixturevalue(f"net_{name}")
    clip = torch.randn(2, 3, 2, 32, 32)
    expected = model(clip)
    last = create_model("iresnet50" if name == "2d" else "iresnet3d50", num_classes=5, width=8).eval()
    last.load_state_dict(model.state_dict())
    last = last.to(memory_format=memory_format)
    got = last(clip.to(memory_format=torch.channels_last_3d))
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def test_export_takes_any_batch_and_number_of_frames(net_3d):
    batch, frames = torch.export.Dim("batch", min=1, max=64), torch.export.Dim.AUTO
    clip = torch.randn(2, 3, 8, 32, 32)
    program = torch.export.export(net_3d, (clip,), dynamic_shapes={"x": {0: batch, 2: frames}})
    longer = torch.randn(3, 3, 12, 32, 32)
    torch.testing.assert_close(program.module()(longer), net_3d(longer))
