"""Parameters and operations of the networks in the paper's tables, to the last digit.

paper_counts.json: integers behind the cells of Tables II-VII.
"""

import json
from functools import cache
from pathlib import Path

import pytest
import torch
from fvcore.nn import FlopCountAnalysis

from videonet.models import create_model
from videonet.models.complexity import count, count_layers, count_model, layers
from videonet.models.paper_tables import ARCHITECTURES, MISPRINTS, TABLES, architecture, as_printed

COUNTS = json.loads(Path(__file__).with_name("paper_counts.json").read_text())
CELLS = [(number, row) for number, table in TABLES.items() for row in table.rows if row.params]
BACKBONES = [(number, row) for number, row in CELLS if row.model]


@cache
def counted(name: str, classes: int) -> tuple[int, int]:
    """Parameters and operations by the paper's rule."""
    rows = count_layers(name, classes)
    return sum(row.params for row in rows), sum(row.paper_ops for row in rows)


def test_every_printed_cell_is_in_the_tables():
    """61 networks with a parameter count, of which the detectors of Table VIII are 8 and tables repeat 7."""
    assert len(CELLS) == 61 + 7
    assert len(BACKBONES) == 53 + 7
    assert {row.model for number, row in BACKBONES if number == "II"} > MISPRINTS
    assert all(len(row.scores) == len(TABLES[number].score_names) for number, row in CELLS)


@pytest.mark.parametrize(("number", "row"), BACKBONES, ids=[f"{number}-{row.network}" for number, row in BACKBONES])
def test_a_network_has_the_parameters_and_operations_that_are_printed(number, row):
    params, ops = counted(row.model, row.classes)
    assert as_printed(params / 1e6, row.params) == row.params
    assert (as_printed(ops / 1e9, row.gflops) == row.gflops) == (row.model not in MISPRINTS)


@pytest.mark.parametrize("family", ["preact_resnet", "resstage"])
@pytest.mark.parametrize(("depth", "true"), [(101, "7.87"), (152, "11.61"), (200, "15.1")])
def test_the_six_misprints_repeat_the_baseline(family, depth, true):
    printed = {row.model: row.gflops for row in TABLES["II"].rows}
    ops = counted(f"{family}{depth}", 1000)[1]
    assert printed[f"{family}{depth}"] == printed[f"resnet{depth}"]
    assert as_printed(ops / 1e9, true) == true
    assert as_printed(ops / 1e9, "0.00") != printed[f"resnet{depth}"]


@pytest.mark.parametrize("row", COUNTS, ids=[f"{row['name']}-{row['num_classes']}" for row in COUNTS])
def test_counts_are_the_papers_to_the_last_digit(row):
    assert counted(row["name"], row["num_classes"]) == (row["params"], row["ops"])


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_stages_are_those_of_table_1(name):
    assert architecture(name) == ARCHITECTURES[name]


@pytest.mark.parametrize(
    ("name", "shape"),
    [("resgroup50", (1, 3, 3, 64, 64)), ("preact_resnet3d18", (2, 3, 5, 33, 47)), ("iresnet3d50", (1, 3, 4, 40, 40))],
)
def test_multiply_adds_agree_with_torch_and_fvcore(name, shape):
    model = create_model(name, 7, width=16).eval()
    cost, rows = count(model, shape), layers(model, shape)
    fvcore = FlopCountAnalysis(model, torch.zeros(shape)).unsupported_ops_warnings(False).by_operator()
    assert sum(row.macs for row in rows) == cost.macs == fvcore["conv"] + fvcore["linear"]
    assert sum(row.params for row in rows) == cost.params == sum(p.numel() for p in model.parameters())
    assert rows[0].name == "conv1"
    assert rows[-1].output_shape == (shape[0], 7)


def test_another_input_costs_what_its_size_says():
    small, large = count_model("iresnet3d18", 5, (1, 3, 4, 32, 32)), count_model("iresnet3d18", 5, (2, 3, 4, 32, 32))
    assert (large.params, large.macs, large.paper_ops) == (small.params, 2 * small.macs, 2 * small.paper_ops)


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
