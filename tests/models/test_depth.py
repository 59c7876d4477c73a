"""Thousands of layers: nothing in the networks grows faster than their depth or needs a deeper call stack."""

import sys

import pytest
import torch

from videonet.models import create_model


@pytest.fixture
def shallow_stack():
    """Room for 150 more calls than the test itself has made."""
    frame, depth = sys._getframe(), 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 150)
    yield
    sys.setrecursionlimit(limit)


def test_a_state_dict_of_3002_layers_goes_round():
    with torch.device("meta"):
        model = create_model("iresnet3002_cifar")
        other = create_model("iresnet3002_cifar")
    state = model.state_dict()
    assert sum("conv" in name for name in state) == 3 * 1000 + 1
    assert other.load_state_dict(state, strict=True, assign=True)
    assert list(other.state_dict()) == list(state)


@pytest.mark.parametrize("checkpoint_every", [0, 10])
def test_the_call_stack_does_not_grow_with_the_depth(shallow_stack, checkpoint_every):
    model = create_model("iresnet164_cifar", width=1, blocks=(40, 40, 40), checkpoint_every=checkpoint_every)
    model(torch.randn(2, 3, 8, 8)).sum().backward()
    copy = create_model("iresnet164_cifar", width=1, blocks=(40, 40, 40))
    copy.load_state_dict(model.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(copy.parameters(), model.parameters(), strict=True))
    assert all(p.grad is not None for p in model.parameters())


def test_work_of_building_is_linear_in_the_depth():
    """Counted in calls of Python functions, which no other load on the machine changes."""

    def calls(blocks: int) -> int:
        count = 0

        def note(frame, event, argument):
            nonlocal count
            count += event == "call"

        sys.setprofile(note)
        try:
            with torch.device("meta"):
                create_model("iresnet164_cifar", blocks=(blocks, blocks, blocks))
        finally:
            sys.setprofile(None)
        return count

    calls(1)
    few, some, many = calls(10), calls(20), calls(80)
    assert (many - some) / (some - few) == pytest.approx(6, rel=0.02)
