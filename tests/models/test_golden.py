"""Our nets against the authors' released code: same weights by name, same logits in float64.

golden.json: for six nets the first 8 logits of two images under the weights of `fill.py`, computed by the authors' code
("released") and by the same code with the in-place ReLU on the shortcut made harmless ("paper"); for all of them
a digest of the names and shapes of the state dict.
"""

import hashlib
import json
from pathlib import Path

import pytest
import torch
import torchvision

from tests.models.fill import fill_, make_input
from videonet.models import create_model

GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text())
CASES = [(row["name"], wiring, row[wiring]) for row in GOLDEN for wiring in ("released", "paper") if wiring in row]


@pytest.mark.parametrize(("name", "wiring", "logits"), CASES, ids=[f"{name}-{wiring}" for name, wiring, _ in CASES])
def test_logits_are_those_of_the_authors_code(name, wiring, logits):
    model = fill_(create_model(name, wiring=wiring).double())
    with torch.no_grad():
        got = model(make_input().double())
    torch.testing.assert_close(got[:, :8], torch.tensor(logits, dtype=torch.float64), rtol=1e-9, atol=0)


@pytest.mark.parametrize("row", GOLDEN, ids=[row["name"] for row in GOLDEN])
def test_state_dict_is_that_of_the_authors_checkpoints(row):
    with torch.device("meta"):
        state = create_model(row["name"]).state_dict()
    lines = "\n".join(f"{key} {list(tensor.shape)}" for key, tensor in state.items())
    assert hashlib.sha256(lines.encode()).hexdigest() == row["keys_sha256"]


@pytest.mark.parametrize("name", ["resnet34", "resnet50", "resnext50_32x4d"])
def test_resnets_are_torchvisions(name):
    theirs = fill_(torchvision.models.get_model(name, num_classes=7))
    ours = create_model(name, num_classes=7).eval()
    ours.load_state_dict(theirs.state_dict())
    x = make_input((1, 3, 64, 64))
    with torch.no_grad():
        assert torch.equal(ours(x), theirs(x))
