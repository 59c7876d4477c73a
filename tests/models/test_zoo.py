"""Networks of other packages behind our interface: the same figures as in their packages, and clear refusals."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from videonet.models import create_model, default_input, list_models
from videonet.models.complexity import count_model
from videonet.models.zoo import ZOO


def require(name):
    package = name.partition("/")[0]
    pytest.importorskip(package, reason=f"{package} is not installed")


def on_meta(name, **arguments):
    require(name)
    with torch.device("meta"):
        return create_model(name, **arguments).eval()


def smallest_clip(name):
    row = ZOO[name]
    return (row.frames, row.crop) if row.exact else (max(2, row.alpha, row.least[0]), max(32, row.least[1]))


def test_other_packages_names_come_last_and_need_a_slash():
    names = list_models()
    assert names[-len(ZOO) :] == list(ZOO)
    assert list_models("pytorchvideo/x3d_*") == [f"pytorchvideo/x3d_{size}" for size in ("xs", "s", "m", "l")]
    assert list_models("*/*") == list(ZOO)
    assert not [name for name in list_models("*") if "/" in name]


def test_listing_names_imports_no_other_package():
    code = "import sys, videonet; videonet.list_models('*/*'); print(*sys.modules)"
    words = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "videonet.models.zoo" in words
    assert not {"pytorchvideo", "torchvision.models", "timm"} & set(words)


@pytest.mark.parametrize("name", list(ZOO))
def test_features_have_the_channels_that_the_table_says(name):
    model = on_meta(name, num_classes=8)
    frames, size = smallest_clip(name)
    features = model.embed(torch.empty(2, 3, frames, size, size, device="meta"))
    assert {key: value.shape[1] for key, value in features.items()} == {
        **model.feature_channels,
        "pooled": model.feature_dim,
        "logits": 8,
    }
    assert features["pooled"].shape == (2, model.feature_dim)
    assert all(value.ndim == 5 for key, value in features.items() if key in model.feature_channels)
    assert not [module for module in model.modules() if isinstance(module, nn.Softmax)]


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("pytorchvideo/slow_r50", 2),
        ("pytorchvideo/slowfast_r50", 4),
        ("pytorchvideo/x3d_s", 2),
        ("torchvision/r3d_18", 2),
        ("torchvision/swin3d_t", 2),
        ("timm/resnet18", 2),
    ],
)
def test_one_step_of_training_reaches_every_weight(name, frames):
    require(name)
    model = create_model(name, num_classes=3, dropout=0.5)
    before = {key: parameter.detach().clone() for key, parameter in model.named_parameters()}
    loss = nn.functional.cross_entropy(model(torch.randn(2, 3, frames, 32, 32)), torch.tensor([0, 2]))
    loss.backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
    assert not torch.equal(before["fc.weight"], model.fc.weight)


def test_logits_are_those_of_the_package_before_its_softmax():
    hub = pytest.importorskip("pytorchvideo.models.hub", reason="pytorchvideo is not installed")
    theirs, ours = hub.x3d_xs().eval(), create_model("pytorchvideo/x3d_xs").eval()
    ours.load_state_dict(
        {
            key.replace("blocks.5.proj", "fc") if "blocks.5.proj" in key else f"net.{key}": value
            for key, value in theirs.state_dict().items()
        }
    )
    clip = torch.randn(default_input("pytorchvideo/x3d_xs"))
    with torch.no_grad():
        logits, probabilities = ours(clip), theirs(clip)
    assert probabilities.sum().item() == pytest.approx(1, abs=1e-5)
    assert logits.min() < 0
    torch.testing.assert_close(logits.softmax(1), probabilities, rtol=0, atol=1e-7)


def test_maps_are_what_the_layers_give_and_no_hook_stays():
    model = create_model("torchvision/r3d_18", 5).eval()
    clip = torch.randn(1, 3, 4, 32, 32)
    with torch.no_grad():
        features = model.embed(clip, ("stage1", "pooled"))
        stage1 = model.net.layer1(model.net.stem(clip))
        assert torch.equal(model.fc(features["pooled"]), model(clip))
    assert list(features) == ["stage1", "pooled"]
    torch.testing.assert_close(features["stage1"], stage1)
    assert not [module for module in model.modules() if module._forward_hooks]
    with pytest.raises(ValueError, match=r"feature 'stage9' is not known; this net has stem, stage1, .*, logits"):
        model.embed(clip, ("stage9",))


def test_an_image_net_averages_the_logits_of_the_frames():
    require("timm/resnet18")
    model = create_model("timm/resnet18", 5).eval()
    clip = torch.randn(2, 3, 3, 32, 32)
    with torch.no_grad():
        frames = torch.stack([model(clip[:, :, t : t + 1]) for t in range(3)])
        torch.testing.assert_close(model(clip), frames.mean(0))


def test_the_slow_pathway_sees_one_frame_in_four():
    require("pytorchvideo/slowfast_r50")
    model = create_model("pytorchvideo/slowfast_r50", 5).eval()
    seen = []
    model.net.register_forward_pre_hook(lambda module, inputs: seen.extend(inputs[0]))
    clip = torch.arange(8.0).view(1, 1, 8, 1, 1).expand(1, 3, 8, 32, 32)
    with torch.no_grad():
        model(clip)
    assert [pathway[0, 0, :, 0, 0].tolist() for pathway in seen] == [[0, 7], [0, 1, 2, 3, 4, 5, 6, 7]]


@pytest.mark.parametrize(
    ("name", "size", "gmacs"),
    [
        ("pytorchvideo/slow_r50", (8, 256, 256), 54.52),  # its model zoo counts at 256
        ("pytorchvideo/slowfast_r50", (32, 256, 256), 65.71),
        ("pytorchvideo/x3d_m", (16, 224, 224), 4.73),
        ("torchvision/r3d_18", (16, 112, 112), 40.70),
        ("torchvision/mvit_v2_s", (16, 224, 224), 64.22),
    ],
)
def test_operations_are_the_published_ones(name, size, gmacs):
    require(name)
    assert round(count_model(name, 400, (1, 3, *size)).macs / 1e9, 2) == gmacs


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("pytorchvideo/i3d_r50", (1, 64, 64), "takes at least 2 frames of 1x1, and was made for 8 frames of 224x224"),
        ("pytorchvideo/slowfast_r50", (10, 64, 64), "at least 4 frames of 1x1, in multiples of 4, and was made for 32"),
        ("torchvision/s3d", (5, 17, 16), "a clip of 5 frames of 17x16; it takes at least 5 frames of 17x17"),
        ("torchvision/mvit_v2_s", (8, 224, 224), "takes 16 frames of 224x224 and nothing else"),
        ("timm/vit_tiny_patch16_224", (4, 64, 64), "takes frames of 224x224, any number of them"),
    ],
)
def test_a_clip_that_does_not_fit_is_told_the_rule(name, size, message):
    model = on_meta(name)
    with pytest.raises(ValueError, match=f"{name} cannot take .*{message}"):
        model(torch.empty(1, 3, *size, device="meta"))


def test_a_batch_that_is_no_batch_of_clips_is_refused():
    with pytest.raises(ValueError, match=r"\(2, 3, 32, 32\) is no batch of clips \(N, 3, T, H, W\)"):
        on_meta("torchvision/r3d_18")(torch.empty(2, 3, 32, 32, device="meta"))


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("torchvision/r3d18", {}, "'torchvision/r3d18' is not known; did you mean 'torchvision/r3d_18'"),
        ("torchvision/r3d_18", {"width": 32}, "width 32 is for videonet's own networks; leave it out for torchvision/"),
        ("torchvision/r3d_18", {"blocks": (1, 1, 1, 1)}, "blocks .* is for videonet's own networks"),
        ("torchvision/r3d_18", {"wiring": "released"}, "wiring 'released' is for videonet's own networks"),
        ("torchvision/r3d_18", {"inflation": "i3d"}, "inflation 'i3d' is for videonet's own networks"),
        ("torchvision/r3d_18", {"zero_init_residual": True}, "zero_init_residual True is for videonet's own networks"),
        ("torchvision/r3d_18", {"num_classes": 0}, "num_classes 0 must be at least 1"),
    ],
)
def test_wrong_arguments_are_told_the_way_out(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        create_model(name, **arguments)


def test_an_absent_package_is_told_how_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorchvideo.models.hub", None)
    with pytest.raises(ValueError, match=r"pytorchvideo is not installed: pip install 'videonet\[zoo\]'"):
        create_model("pytorchvideo/slow_r50")


def test_an_unknown_net_of_timm_is_told_a_near_one():
    require("timm/resnet18")
    with pytest.raises(ValueError, match=r"'timm/resnet_18' is not known to timm; did you mean 'timm/resnet18'"):
        create_model("timm/resnet_18")
