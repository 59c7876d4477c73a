"""Activation checkpointing computes the same step with fewer kept activations."""

import pytest
import torch

from videonet.models import create_model


@pytest.mark.parametrize(("every", "compiled"), [(1, False), (2, False), (5, False), (2, True)])
def test_gradients_and_running_statistics_are_those_without_it(every, compiled):
    torch.manual_seed(0)
    plain = create_model("iresnet3d18", 5, width=4)
    saving = create_model("iresnet3d18", 5, width=4, checkpoint_every=every)
    saving.load_state_dict(plain.state_dict())
    clips = torch.randn(2, 3, 2, 32, 32)
    for model in (plain, torch.compile(saving, backend="aot_eager", fullgraph=True) if compiled else saving):
        model(clips).square().sum().backward()
    for (name, ours), theirs in zip(saving.named_parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours.grad, theirs.grad), name
    for (name, ours), theirs in zip(saving.named_buffers(), plain.buffers(), strict=True):
        assert torch.equal(ours, theirs), name  # a batch that is computed twice counts once


def test_fewer_activations_are_kept():
    def kept(checkpoint_every: int) -> int:
        model = create_model("iresnet18", 5, width=8, blocks=(4, 4, 4, 4), checkpoint_every=checkpoint_every)
        own = {p.data_ptr() for p in model.parameters()}
        sizes: dict[int, int] = {}

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            if tensor.data_ptr() not in own:
                sizes[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            logits = model(torch.randn(2, 3, 64, 64))
        assert logits.requires_grad
        return sum(sizes.values())

    assert kept(2) < 0.6 * kept(0)
