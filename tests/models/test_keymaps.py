"""Other libraries' networks with random weights: loaded into ours they give the same logits."""

import pytest
import torch
import torchvision
from torch import nn

from tests.models.fill import fill_, make_input
from videonet.models import create_model
from videonet.models.pretrained import load_weights


@torch.no_grad()
def assert_equal_logits(ours, theirs, shape, weights=None, **arguments):
    report = load_weights(ours, theirs.state_dict() if weights is None else weights, **arguments)
    assert (report.model_share, report.file_share) == (1.0, 1.0)
    x = make_input(shape)
    assert (ours.eval()(x) - theirs(x)).abs().max() < 1e-5
    return report


@pytest.mark.parametrize("name", ["resnet50", "resnext50_32x4d"])
def test_torchvision(name):
    theirs = fill_(torchvision.models.get_model(name, num_classes=7))
    assert_equal_logits(create_model(name, 7), theirs, (1, 3, 64, 64), source="torchvision")


@pytest.mark.parametrize("name", ["resnet50", "resnext50_32x4d"])
def test_timm(name):
    timm = pytest.importorskip("timm", reason="timm is not installed")
    theirs = fill_(timm.create_model(name, pretrained=False, num_classes=7))
    assert_equal_logits(create_model(name, 7), theirs, (1, 3, 64, 64), source="timm")


@pytest.fixture(params=["slow", "i3d", "c2d"])
def pytorchvideo(request):
    """Inflation, a narrow network of that kind, and whether it pools over time."""
    hub = pytest.importorskip("pytorchvideo.models.hub.resnet", reason="pytorchvideo is not installed")
    build = {"slow": hub.slow_r50, "i3d": hub.i3d_r50, "c2d": hub.c2d_r50}[request.param]
    # its own last pool averages windows of the clip it was made for, 8x224x224
    net = fill_(build(stem_dim_out=8, model_num_class=7, head_pool=nn.AdaptiveAvgPool3d))
    return request.param, net, request.param != "slow"


def narrow(inflation):
    return create_model("resnet3d50", 7, width=8, inflation=inflation)


def test_pytorchvideo(pytorchvideo):
    inflation, theirs, pools = pytorchvideo
    report = assert_equal_logits(narrow(inflation), theirs, (1, 3, 6, 64, 64))
    assert report.source == ("pytorchvideo_pool" if pools else "pytorchvideo")


def test_pyslowfast(pytorchvideo):
    inflation, theirs, pools = pytorchvideo
    state = as_pyslowfast(theirs.state_dict(), pools)
    with_cfg = {"model_state": state, "cfg": f"MODEL:\n  ACT: x\n  ARCH: {inflation}\nRESNET:\n  STRIDE_1X1: false\n"}
    assert_equal_logits(narrow(inflation), theirs, (1, 3, 6, 64, 64), with_cfg)
    if pools:
        with pytest.raises(ValueError, match="whether the network pools over time; say source='pyslowfast_pool'"):
            load_weights(narrow(inflation), state)
        load_weights(narrow(inflation), state, source="pyslowfast_pool")
    else:
        assert load_weights(narrow(inflation), state).source == "pyslowfast"
    for cfg, message in [
        ("MODEL:\n  ARCH: x3d\n", "weights of PySlowFast's 'x3d': only slow, 2d, c2d_nopool, i3d_nopool, c2d, i3d"),
        ("RESNET:\n  STRIDE_1X1: true\n", "with strides on the 1x1 convolutions .RESNET.STRIDE_1X1."),
        ("DETECTION:\n  ALIGNED: true\n  ENABLE: true\n", "with a detection head and dilated convolutions"),
    ]:
        with pytest.raises(ValueError, match=message):
            load_weights(narrow(inflation), {"model_state": state, "cfg": cfg})


@pytest.mark.parametrize("pytorchvideo", ["c2d"], indirect=True)
def test_a_pool_over_time_leaves_no_trace_in_the_shapes_but_is_checked(pytorchvideo):
    theirs = pytorchvideo[1]
    with pytest.raises(ValueError, match="with a pool over time after stage 1 do not work in one with no pool"):
        load_weights(narrow("2d"), theirs.state_dict())


def as_pyslowfast(state, pools):
    """Keys of pytorchvideo as PySlowFast writes them."""
    places = (1, 3, 4, 5) if pools else (1, 2, 3, 4)
    named = {}
    for key, tensor in state.items():
        block, *rest = key.split(".")[1:]
        if int(block) == 0:
            key = f"s1.pathway0_stem.{rest[0].replace('norm', 'bn')}.{rest[1]}"
        elif int(block) > places[-1]:
            key = f"head.projection.{rest[1]}"
        else:
            _, index, branch, *layer = rest
            if branch == "branch2":
                kind, letter = layer[0].split("_")
                layer[0] = letter if kind == "conv" else f"{letter}_bn"
            branch = {"branch1_conv": "branch1", "branch1_norm": "branch1_bn"}.get(branch, branch)
            key = ".".join([f"s{places.index(int(block)) + 2}", f"pathway0_res{index}", branch, *layer])
        named[key] = tensor
    return named
