"""Figure 1: each block of each wiring against the same block written out by hand."""

import copy

import pytest
import torch
from torch import relu

from videonet.models.block import BlockShape
from videonet.models.stage import WIRINGS, make_stage, place


def body(b, x):
    return b.conv3(relu(b.bn2(b.conv2(relu(b.bn1(b.conv1(x)))))))


def original(b, x):
    return relu(b.bn3(body(b, x)) + b.downsample(x))


def preact_start(b, x):
    h = relu(b.bn0(x))
    return body(b, h) + b.downsample(h)


def preact(b, x):
    return body(b, relu(b.bn0(x))) + x


def start(b, x):
    return b.bn3(body(b, x)) + b.downsample(x)


def second(b, x):
    return body(b, relu(x)) + x


def end(b, x):
    return relu(b.bn3(body(b, relu(b.bn0(x))) + x))


def second_and_end(b, x):
    return relu(b.bn3(body(b, relu(x)) + x))


def aliased(b, x):
    """The released code's second block: its ReLU rewrites the x of the shortcut."""
    return body(b, relu(x)) + relu(x)


def aliased_end(b, x):
    return relu(b.bn3(body(b, relu(x)) + relu(x)))


BY_HAND = {
    ("original", 3): [original, original, original],
    ("preact", 3): [preact_start, preact, preact],
    ("paper", 4): [start, second, preact, end],
    ("paper", 2): [start, second_and_end],
    ("paper", 1): [original],
    ("released", 4): [start, aliased, preact, end],
    ("released", 2): [start, aliased_end],
    ("released", 1): [original],
}


@pytest.mark.parametrize(("wiring", "blocks"), BY_HAND)
@pytest.mark.parametrize("projection", ["conv", "maxpool"])
def test_stage_computes_what_the_figure_draws(wiring, blocks, projection):
    torch.manual_seed(0)
    shapes = [BlockShape(4, 4, 8, stride=(1, 2))] + [BlockShape(8, 4, 8)] * (blocks - 1)
    stage = make_stage(shapes, kind="bottleneck", wiring=WIRINGS[wiring], projection=projection, dims=2).double()
    by_hand = copy.deepcopy(stage)
    x = torch.randn(3, 4, 9, 9, dtype=torch.float64, requires_grad=True)
    x2 = x.detach().clone().requires_grad_()

    y, y2 = stage(x), x2
    for compute, block in zip(BY_HAND[wiring, blocks], by_hand, strict=True):
        y2 = compute(block, y2)
    torch.testing.assert_close(y, y2, rtol=1e-12, atol=1e-12)

    y.square().sum().backward()
    y2.square().sum().backward()
    torch.testing.assert_close(x.grad, x2.grad, rtol=1e-10, atol=1e-10)
    for ours, theirs in zip(stage.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-10, atol=1e-10)


def test_places_of_a_stage():
    places = {blocks: [place(index, blocks) for index in range(blocks)] for blocks in (1, 2, 3, 5)}
    assert places == {
        1: ["only"],
        2: ["start", "second and end"],
        3: ["start", "second", "end"],
        5: ["start", "second", "middle", "middle", "end"],
    }


@pytest.mark.parametrize("wiring", WIRINGS)
def test_basic_block_ends_in_bn2(wiring):
    shapes = [BlockShape(4, 4, 4)] * 3
    stage = make_stage(shapes, kind="basic", wiring=WIRINGS[wiring], projection="conv", dims=2)
    norms = [sorted(name for name, _ in block.named_children() if name.startswith("bn")) for block in stage]
    assert (
        norms
        == {
            "original": [["bn1", "bn2"]] * 3,
            "preact": [["bn0", "bn1"]] * 3,
            "paper": [["bn1", "bn2"], ["bn1"], ["bn0", "bn1", "bn2"]],
            "released": [["bn1", "bn2"], ["bn1"], ["bn0", "bn1", "bn2"]],
        }[wiring]
    )
