"""Stochastic depth: what is left out, how often, and that nothing is where it must not be."""

import pytest
import torch

from videonet.models import create_model
from videonet.models.block import BlockShape, ResidualBlock, drop_path, run
from videonet.models.families import FAMILIES
from videonet.models.stage import WIRINGS, make_stage


def small(name="iresnet3d50", **settings):
    torch.manual_seed(0)
    return create_model(name, 5, width=8, **settings)


def blocks_of(model):
    return [module for module in model.modules() if isinstance(module, ResidualBlock)]


def test_whole_samples_go_and_the_mean_stays():
    torch.manual_seed(0)
    y = drop_path(torch.ones(4000, 2, 1, 3, 3), 0.3)
    assert y.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert (y.amax(dim=(1, 2, 3, 4)) == y.amin(dim=(1, 2, 3, 4))).all()
    assert y.mean().item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("wiring", WIRINGS)
def test_a_block_without_its_branch_is_its_shortcut(wiring):
    """In every place of a stage: post(shortcut(x)), and the branch learns nothing."""
    shapes = [BlockShape(4, 4, 8, stride=(1, 2))] + [BlockShape(8, 4, 8)] * 3
    stage = make_stage(
        shapes, kind="bottleneck", wiring=WIRINGS[wiring], projection="conv", dims=3, drops=[1 - 1e-9] * 4
    )
    x = torch.randn(2, 4, 2, 8, 8)
    for block in stage:
        h = run(block, block.pre, x.clone())
        expected = run(block, block.post, block.downsample(h if block.shortcut_reads_pre else x).clone())
        y = block(x.clone())
        torch.testing.assert_close(y, expected)
        y.square().sum().backward()
        assert all(not layer.weight.grad.any() for name, layer in block.named_children() if name.startswith("conv"))
        x = y.detach()


@pytest.mark.parametrize("family", FAMILIES)
def test_it_grows_in_a_line_with_depth_and_is_off_in_a_test(family):
    name = f"{family}3d50{FAMILIES[family].suffix}"
    plain, dropping = (
        create_model(name, 5, width=32, blocks=(1, 2, 1, 1), drop_path=p).requires_grad_(False) for p in (0, 0.5)
    )
    assert [block.drop for block in blocks_of(dropping)] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert not any(block.drop for block in blocks_of(plain))
    dropping.load_state_dict(plain.state_dict())  # the same keys
    clip = torch.randn(1, 3, 2, 32, 32)
    assert torch.equal(plain.eval()(clip), dropping.eval()(clip))


def test_what_is_left_out_follows_from_the_seed():
    model, clips = small(drop_path=0.5, blocks=(1, 1, 1, 1)), torch.randn(4, 3, 2, 32, 32)
    logits = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        logits.append(model(clips))
    assert torch.equal(logits[0], logits[1])
    assert not torch.equal(logits[0], logits[2])


def test_blocks_computed_again_leave_out_the_same():
    x, gradients = torch.randn(8, 4, 2, 8, 8), []
    for every in (0, 2):
        torch.manual_seed(0)
        stage = make_stage(
            [BlockShape(4, 4, 4)] * 2, kind="basic", wiring=WIRINGS["paper"], projection="conv", dims=3,
            checkpoint_every=every, drops=[0.5, 0.5],
        )  # fmt: skip
        torch.manual_seed(3)
        stage(x).square().sum().backward()
        gradients.append([parameter.grad for parameter in stage.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_an_image_net_has_it_too():
    model, x = small("iresnet50", drop_path=0.5, blocks=(1, 1, 1, 1)), torch.randn(8, 3, 32, 32)
    assert not torch.equal(model(x), model(x))


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match=r"drop_path 1\.0 must be at least 0 and below 1"):
        small(drop_path=1.0)
    with pytest.raises(ValueError, match=r"drop_path 0\.1 is for videonet's own networks"):
        create_model("torchvision/r3d_18", 5, drop_path=0.1)
