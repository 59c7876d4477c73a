"""Parameters and operations of the networks in the paper's tables, to the last digit.

paper_counts.json: integers behind the cells of Tables II-VII.
"""

import json
from pathlib import Path

import pytest
import torch

from videonet.models import create_model
from videonet.models.complexity import count, count_model, layers

ROWS = json.loads(Path(__file__).with_name("paper_counts.json").read_text())
DEEP = [row for row in ROWS if any(depth in row["name"] for depth in ("152", "200", "302", "404", "1001", "3002"))]
QUICK = [row for row in ROWS if row not in DEEP]
DEEPEST = [row for row in DEEP if row["name"] in ("iresnet404", "iresnet3002_cifar")]


@pytest.mark.parametrize("row", QUICK, ids=[f"{row['name']}-{row['num_classes']}" for row in QUICK])
def test_counts_are_the_papers(row):
    cost = count_model(row["name"], row["num_classes"])
    assert (cost.params, cost.paper_ops) == (row["params"], row["ops"])


@pytest.mark.parametrize("row", DEEPEST, ids=[row["name"] for row in DEEPEST])
def test_parameters_of_the_deepest_nets_are_the_papers(row):
    with torch.device("meta"):
        model = create_model(row["name"], row["num_classes"])
    assert sum(p.numel() for p in model.parameters()) == row["params"]


def test_multiply_adds_of_the_layers_add_up_to_torchs_count():
    for name, shape in [("resgroup50", (1, 3, 3, 64, 64)), ("preact_resnet3d18", (2, 3, 5, 33, 47))]:
        model = create_model(name, 7, width=16)
        cost, rows = count(model, shape), layers(model, shape)
        assert sum(row.macs for row in rows) == cost.macs
        assert sum(row.params for row in rows) == cost.params
        assert rows[0].name == "conv1"
        assert rows[-1].output_shape == (shape[0], 7)


def test_counting_leaves_the_model_as_it_was():
    model = create_model("iresnet18", 5, width=8)
    model.layer1.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    count(model, (1, 3, 1, 32, 32))
    assert model.training
    assert not model.layer1[0].bn1.training
    assert not model.fc._forward_hooks
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_convolution_with_bias_and_both_forms_of_a_pooling_window():
    """Two slips of the paper's rule: the bias counts as one more weight of the window, the window "3" as 3."""
    net = torch.nn.Sequential(torch.nn.Conv2d(4, 6, 3, padding=1), torch.nn.MaxPool2d(3, 1), torch.nn.MaxPool2d((3, 3)))
    wrote = [row.paper_ops for row in layers(net, (1, 4, 8, 8))]
    assert wrote == [6 * 8 * 8 * 4 * (9 + 1), 6 * 6 * 6 * 3, 6 * 2 * 2 * 9]
