import pytest
import torch

from videonet.engine.freeze import freeze
from videonet.engine.optim import make_optimizer, parameter_groups, set_rate
from videonet.engine.spread import load_optimizer
from videonet.models import create_model


def network():
    return create_model("iresnet3d50", 5, width=4, blocks=(1, 2, 1, 1))


@pytest.mark.parametrize("name", ["sgd", "adamw", "lars", "lamb"])
def test_every_optimizer_learns(name):
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.full((4, 4), 2.0))
    optimizer = make_optimizer(name, [{"params": [weight], "lr_scale": 1.0}], 0.05, 0.9, 0.0)
    assert type(optimizer).__name__.lower() == name
    losses = []
    for _ in range(30):
        loss = weight.square().sum()
        optimizer.zero_grad()
        loss.backward()
        set_rate(optimizer, 0.05)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_one_kernel_for_all_weights_where_it_is_asked_for(name):
    """On a CPU it is not by itself."""
    group = [{"params": [torch.nn.Parameter(torch.ones(3))]}]
    assert not make_optimizer(name, group, 0.1, 0.9, 0.0).defaults["fused"]
    assert make_optimizer(name, group, 0.1, 0.9, 0.0, fused=True).defaults["fused"]
    with pytest.raises(ValueError, match=r"optim.fused goes with sgd and adamw, not with lamb"):
        make_optimizer("lamb", group, 0.1, 0.9, 0.0, fused=True)


def test_a_resumed_optimizer_computes_as_it_was_made():
    fused, plain = (
        make_optimizer("sgd", parameter_groups(network()), 0.1, 0.9, 0.0, fused=way) for way in (True, False)
    )
    load_optimizer(plain, fused.state_dict())
    assert [group["fused"] for group in plain.param_groups] == [False]


def test_unknown_optimizers_are_named():
    with pytest.raises(ValueError, match="'adam' is not known; known: sgd"):
        make_optimizer("adam", [], 0.1, 0.9, 0.0)


def test_vectors_may_go_without_decay():
    model = network()
    (whole,) = parameter_groups(model)
    assert len(whole["params"]) == len(list(model.parameters()))
    with_decay, without = sorted(parameter_groups(model, decay_norm_and_bias=False), key=lambda g: "weight_decay" in g)
    assert all(p.ndim > 1 for p in with_decay["params"])
    assert all(p.ndim == 1 for p in without["params"])
    assert without["weight_decay"] == 0.0
    assert len(with_decay["params"]) + len(without["params"]) == len(whole["params"])


def test_lower_layers_learn_slower():
    model = network()
    optimizer = make_optimizer("sgd", parameter_groups(model, layer_decay=0.5), 1.0, 0.0, 0.0)
    set_rate(optimizer, 0.8)
    rate = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    named = dict(model.named_parameters())
    assert rate[id(named["fc.weight"])] == 0.8
    assert rate[id(named["conv1.weight"])] == pytest.approx(0.8 * 0.5**6)  # 5 blocks between stem and classifier
    blocks = [rate[id(named[f"{block}.conv1.weight"])] for block in ("layer1.0", "layer2.0", "layer2.1", "layer4.0")]
    assert blocks == pytest.approx([0.8 * 0.5**above for above in (5, 4, 3, 1)])


@pytest.mark.parametrize(("stages", "batch_norm"), [(0, "frozen"), (0, "partial"), (3, "train")])
def test_what_is_frozen_does_not_move(stages, batch_norm):
    torch.manual_seed(0)
    model = network()
    still = freeze(model, stages, batch_norm)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    optimizer = make_optimizer("sgd", parameter_groups(model), 0.1, 0.9, 1e-2)
    for _ in range(2):
        model.train()
        for module in still:
            module.eval()
        optimizer.zero_grad()
        model(torch.randn(2, 3, 4, 32, 32)).square().sum().backward()
        optimizer.step()
    moved = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    if stages:
        frozen = ("conv1.", "bn1.", "layer1.", "layer2.")
        assert not [key for key in moved if key.startswith(frozen)]
        assert [key for key in moved if key.startswith("layer3.") and "running_mean" in key]
    else:
        first = "bn1." if batch_norm == "partial" else "no such"
        norms = [key for key in moved if "running" in key or "bn" in key]
        assert all(key.startswith(first) for key in norms)
        assert bool(norms) == (batch_norm == "partial")
        assert "layer1.0.conv1.weight" in moved
    assert "fc.weight" in moved


def test_more_stages_than_there_are():
    with pytest.raises(ValueError, match="frozen_stages 6 is more than the stem and the 4 stages"):
        freeze(network(), 6, "train")


def test_a_network_without_stages_freezes_none():
    with pytest.raises(ValueError, match="needs a network with stages"):
        freeze(torch.nn.Sequential(torch.nn.Linear(2, 2)), 1, "train")
