"""The estimate of training memory against what autograd really keeps."""

import pytest
import torch

from videonet.models import create_model
from videonet.models.memory import training_memory


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("name", "shape"), [("iresnet18", (1, 3, 1, 64, 64)), ("resnet3d50", (1, 3, 4, 32, 32))])
def test_activations_are_those_that_a_real_forward_pass_keeps(name, shape, precision):
    model = create_model(name, 5)
    own = {p.data_ptr() for p in model.parameters()}
    kept = {}

    def keep(tensor):
        if tensor.data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    saving = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with saving, torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        logits = model(torch.zeros(2, *shape[1:]))
    assert logits.requires_grad
    estimate = training_memory(name, 2, precision, 5, shape)
    assert estimate.activations == pytest.approx(sum(storage.nbytes() for storage in kept.values()), rel=0.01)
    assert estimate.parameters == sum(4 * p.numel() for p in model.parameters())


def test_activations_grow_with_the_batch_and_shrink_with_the_precision():
    one, two = training_memory("iresnet50", 8), training_memory("iresnet50", 16)
    half = training_memory("iresnet50", 16, "fp16")
    assert two.activations == pytest.approx(2 * one.activations, rel=0.01)
    assert 0.5 < half.activations / two.activations < 0.75
    assert two.total - one.total == two.activations - one.activations
    assert two.momentum == two.gradients == two.parameters == one.parameters == half.parameters


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(ValueError, match="batch 0 must be at least 1"):
        training_memory("iresnet18", 0)
