"""Folding: the same logits, and only those normalisations left that the wiring does not let fold."""

import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from tests.models.fill import fill_
from videonet.models import create_model
from videonet.models.fold import folded

BLOCKS = (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("name", "wiring", "left"),
    [
        ("resnet3d50", "paper", 0),  # conv bn everywhere
        ("resmax18", "paper", 0),
        ("preact_resnet3d50", "paper", 10 + 1),  # one in front of each block, and the last
        ("iresnet50", "paper", 0 + 1 + 2 + 3),  # of a stage of b blocks: b - 2 bn0, and the last norm after the sum
        ("iresnet3d50", "released", 0 + 1 + 2 + 3),
        ("iresgroup3d50", "paper", 0 + 1 + 2 + 3),
    ],
)
def test_folded_net_gives_the_same_logits_with_fewer_normalisations(name, wiring, left):
    model = fill_(create_model(name, 5, wiring, width=8, blocks=BLOCKS).double())
    fewer = folded(model)
    clip = torch.randn(2, 3, 2, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        expected = model(clip)
        torch.testing.assert_close(fewer(clip), expected, rtol=1e-9, atol=1e-9 * expected.abs().max().item())
    assert sum(isinstance(module, _BatchNorm) for module in fewer.modules()) == left
    assert not fewer.training


def test_the_model_itself_stays_as_it_was():
    model = create_model("iresnet18", 5, width=8).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    folded(model)
    assert model.training
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)
