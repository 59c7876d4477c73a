"""The table of networks: names, arguments, and what wrong ones are told."""

import pytest
import torch
from torch import nn

from videonet.models import create_model, list_models
from videonet.models.block import ResidualBlock
from videonet.models.families import INFLATIONS


def test_names_are_listed_in_numeric_order():
    assert list_models("resnext*") == [
        f"resnext{kind}{depth}_32x4d" for kind in ("3d", "") for depth in (50, 101, 152, 200, 302, 404, 1001)
    ]
    assert list_models("iresnet*_cifar") == [f"iresnet{depth}_cifar" for depth in (164, 1001, 2000, 3002)]
    assert {"iresgroupfix3d50", "preact_resnet3d18", "resnet_avg50", "resmax50"} <= set(list_models())


@pytest.mark.parametrize("name", [n for n in list_models("*") if "50" in n or "164" in n or "18" in n])
def test_every_family_trains(name):
    groups = {"resnext": 16, "resgroup": 16, "iresgroup": 16}
    width = next((w for family, w in groups.items() if name.startswith(family)), 4)
    blocks = (2, 1, 3) if "cifar" in name else (2, 1, 3, 1)
    model = create_model(name, num_classes=3, width=width, blocks=blocks)
    x = torch.randn(2, 3, 2, 32, 32)
    model(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("irsnet50", {}, "model 'irsnet50' is not known; did you mean 'iresnet50'"),
        ("iresnet50", {"wiring": "realeased"}, "wiring 'realeased' is not known; did you mean 'released'"),
        ("iresnet3d50", {"inflation": "slwo"}, "inflation 'slwo' is not known; did you mean 'slow'.*paper, i3d, c2d"),
        ("iresnet50", {"inflation": "i3d"}, "inflation 'i3d' is for video nets; iresnet50 is a 2D net"),
        ("iresnet50", {"blocks": (1, 1, 1)}, r"blocks \[1, 1, 1\] must be 4 numbers"),
        ("iresnet164_cifar", {"blocks": (1, 0, 1)}, r"blocks \[1, 0, 1\] must be 3 numbers of at least 1"),
        ("iresgroupfix50", {"width": 24}, "width 24 of iresgroupfix50 .* choose a multiple of 16"),
        ("resnext50_32x4d", {"width": 8}, "width 8 .* choose a multiple of 16"),
        ("iresnet50", {"width": 0}, "width 0 must be at least 1"),
        ("iresnet50", {"num_classes": 0}, "num_classes 0 must be at least 1"),
        ("iresnet50", {"checkpoint_every": -1}, "checkpoint_every -1 must be at least 0"),
        ("iresnet50", {"dropout": 1.5, "blocks": (1, 1, 1, 1)}, "dropout probability"),
    ],
)
def test_wrong_arguments_are_told_the_way_out(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        create_model(name, **arguments)


@pytest.mark.parametrize("name", ["iresnet18", "iresnet50", "preact_resnet50", "resnet50"])
def test_zero_init_residual_starts_with_the_shortcuts_alone(name):
    model = create_model(name, width=4, blocks=(3, 2, 1, 2), zero_init_residual=True)
    for block in model.modules():
        if isinstance(block, ResidualBlock):
            x = torch.randn(2, 4, 4, 4).repeat(1, block.conv1.in_channels // 4, 1, 1)
            largest = []
            block.get_submodule(block.branch.split()[-1]).register_forward_hook(
                lambda module, inputs, output, largest=largest: largest.append(output.abs().max().item())
            )
            block(x)
            assert largest == [0.0]


def test_convolutions_start_kaiming_normal_fan_out():
    torch.manual_seed(0)
    for module in create_model("resnet50", blocks=(1, 1, 1, 1)).modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight
            expected = (2 / (weight.numel() / module.in_channels)) ** 0.5
            assert weight.std().item() == pytest.approx(expected, rel=0.05)


def test_blocks_and_width_shape_the_net():
    model = create_model("iresnet3d50", 7, width=16, blocks=(1, 2, 1, 3))
    assert [len(stage) for stage in (model.layer1, model.layer2, model.layer3, model.layer4)] == [1, 2, 1, 3]
    assert model.feature_channels == {"stem": 16, "stage1": 64, "stage2": 128, "stage3": 256, "stage4": 512}
    assert model.fc.out_features == 7


def test_wiring_changes_only_the_staged_families():
    x = torch.randn(1, 3, 32, 32)
    for name, same in [("resnet18", True), ("resmax18", True), ("iresnet18", False), ("resstage18", False)]:
        paper, released = (create_model(name, wiring=wiring, width=8).eval() for wiring in ("paper", "released"))
        released.load_state_dict(paper.state_dict())
        assert torch.equal(paper(x), released(x)) == same


@pytest.mark.parametrize(
    ("inflation", "stem", "conv1", "conv2", "strides", "pool"),
    [
        ("paper", 5, [1] * 16, 3, [1, 1, 2, 2], 1),
        ("i3d", 5, [3, 3, 3, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 1, 3, 1], 1, [1, 1, 1, 1], 2),
        ("c2d", 1, [1] * 16, 1, [1, 1, 1, 1], 2),
        ("slow", 1, [1] * 7 + [3] * 9, 1, [1, 1, 1, 1], 1),
        ("2d", 1, [1] * 16, 1, [1, 1, 1, 1], 1),
    ],
)
def test_temporal_kernels_of_each_inflation(inflation, stem, conv1, conv2, strides, pool):
    with torch.device("meta"):
        model = create_model("resnet3d50", inflation=inflation)
    blocks = [block for block in model.modules() if isinstance(block, ResidualBlock)]
    starts = [stage[0] for stage in (model.layer1, model.layer2, model.layer3, model.layer4)]
    assert inflation in INFLATIONS
    assert model.conv1.kernel_size == (stem, 7, 7)
    assert [block.conv1.kernel_size[0] for block in blocks] == conv1
    assert {block.conv2.kernel_size[0] for block in blocks} == {conv2}
    assert [start.conv2.stride[0] for start in starts] == strides
    assert [start.downsample[0].stride[0] for start in starts] == strides
    assert model.time_pool == pool
