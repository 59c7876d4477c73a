"""CUDA graphs, with a capture that runs the network as torch's does, and replays nothing."""

import pytest
import torch
from torch import nn

from tests.engine.test_step import batch, make_step, network, run, weights
from videonet.engine.graphs import Captured, GraphError
from videonet.engine.step import Recipe


@pytest.fixture
def captures(monkeypatch):
    """(module, shape) of each capture."""
    seen = []

    def make_graphed_callables(module, samples):
        for _ in range(3):
            torch.rand(())  # as dropout would
            torch.autograd.grad(module(*samples).sum(), tuple(module.parameters()))
        seen.append((module, samples[0].shape))
        return module

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", make_graphed_callables)
    return seen


def test_a_captured_step_is_the_same_step(captures):
    plain, captured = make_step(), make_step(Recipe(cuda_graph=True))
    assert run(plain) == run(captured)
    assert torch.equal(weights(plain.model), weights(captured.model))
    assert [shape for _, shape in captures] == [(6, 3, 3, 8, 8)]
    assert all(module is not captured.model for module, _ in captures)  # tests run the bare network


def test_capture_leaves_statistics_and_random_numbers(captures):
    net = nn.Sequential(*network()[:2], nn.Flatten())
    before, state = net[1].running_mean.clone(), torch.random.get_rng_state()
    Captured(net, "bf16", torch.ones(2, 3, 3, 8, 8))
    assert torch.equal(net[1].running_mean, before)
    assert net[1].num_batches_tracked == 0
    assert torch.equal(torch.random.get_rng_state(), state)


def test_another_size_of_batch_is_refused(captures):
    step = make_step(Recipe(cuda_graph=True))
    with step.ready():
        step(batch(0), 0.1)
        with pytest.raises(GraphError, match=r"12 clips came where train.cuda_graph has captured 6"):
            step(batch(0, views=2), 0.1)
