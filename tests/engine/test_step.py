"""One update, with each of its options: what it changes, and what it must not change."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fvcore.nn.precise_bn import update_bn_stats
from torch import nn

from videonet.data.loader import Batch
from videonet.data.preprocessing import Preprocessing
from videonet.engine.clock import PARTS, advice
from videonet.engine.dist import Ranks
from videonet.engine.freeze import freeze
from videonet.engine.loss import make_loss
from videonet.engine.mix import Mix
from videonet.engine.optim import make_optimizer, parameter_groups
from videonet.engine.step import Recipe, Step, channels_last
from videonet.models import create_model

PREPROCESSING = Preprocessing.from_dict(
    {"sampler": "dense", "frames": 2, "stride": 1, "fps": None, "crop": 8, "short_side": 8, "fit": "crop",
     "input": "rgb", "mean": (0.45,) * 3, "std": (0.225,) * 3}
)  # fmt: skip


PLAIN, UNMIXED = Recipe(), Mix()


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(),
                         nn.Linear(4, 3))  # fmt: skip


ALONE = Ranks(0, 1, torch.device("cpu"))


def make_step(recipe=PLAIN, mix=UNMIXED, batch_norm="train", model=None, loss="cross_entropy", ranks=ALONE, cut=None):
    model = network() if model is None else model
    still = freeze(model, 0, batch_norm)
    shards = cut(model, ranks) if cut else None
    optimizer = make_optimizer("sgd", parameter_groups(model), 0.1, 0.9, 1e-4)
    return Step(model, PREPROCESSING, optimizer, make_loss(loss), ranks, 3, recipe, mix, still, shards)


def batch(seed, views=1):
    rng = np.random.default_rng(seed)
    pixels = torch.from_numpy(rng.integers(0, 256, (6, views, 3, 3, 8, 8), dtype=np.uint8))
    labels = torch.arange(6) % 3
    return Batch(pixels, labels, torch.arange(6), np.zeros((6, views, 2)), ())


def run(step, steps=3, views=1):
    losses = []
    with step.ready():
        for number in range(steps):
            step.train()
            torch.manual_seed(number)
            losses.append(step(batch(number, views), 0.1)[0].item())
    return losses


def weights(module):
    return torch.cat([value.flatten().float() for value in module.state_dict().values()])


def test_pieces_make_the_same_step():
    whole, pieces = make_step(batch_norm="frozen"), make_step(Recipe(accumulate=3), batch_norm="frozen")
    assert run(whole, views=2) == pytest.approx(run(pieces, views=2), abs=1e-6)
    torch.testing.assert_close(weights(whole.model), weights(pieces.model), atol=1e-6, rtol=0)


def test_the_average_lags_behind_and_is_what_is_tested():
    plain, averaged = make_step(), make_step(Recipe(ema_decay=0.5))
    history = []
    with averaged.ready():
        for number in range(4):
            averaged.train()
            averaged(batch(number), 0.1)
            history.append(averaged.model[5].weight.detach().clone())
    run(plain, 4)
    assert torch.equal(plain.model[5].weight, averaged.model[5].weight)  # learning goes on as without
    expected = history[0]  # torch's average begins with the first update
    for weight in history[1:]:
        expected = 0.5 * expected + 0.5 * weight
    torch.testing.assert_close(averaged.tested[5].weight, expected)
    assert averaged.tested is not averaged.model
    assert plain.tested is plain.model


def test_state_goes_on_where_it_was():
    recipe = Recipe(ema_decay=0.9)
    whole, first = make_step(recipe), make_step(recipe)
    run(whole, 3)
    run(first, 2)
    second = make_step(recipe)
    second.model.load_state_dict(first.model.state_dict())
    second.load_state_dict(first.state_dict())
    with second.ready():
        second.train()
        second(batch(2), 0.1)
    assert torch.equal(weights(whole.model), weights(second.model))
    assert torch.equal(weights(whole.tested), weights(second.tested))


def test_faster_ways_are_taken(monkeypatch):
    step, layouts = make_step(Recipe(channels_last=True)), []
    last = {"memory_format": torch.channels_last_3d}
    step.model[0].register_forward_pre_hook(lambda module, inputs: layouts.append(inputs[0].is_contiguous(**last)))
    run(step, 2)
    assert layouts == [True, True]
    assert step.model[0].weight.is_contiguous(**last)
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda network, **options: compiled.append(network) or network)
    run(make_step(), 1)
    assert not compiled
    run(make_step(Recipe(compile=True)), 1)
    assert len(compiled) == 1


def test_the_scale_of_fp16_goes_on_where_it_was():
    """A loss beyond fp16's range halves the scale and leaves the weights; both outlive a checkpoint."""
    step = make_step(Recipe(precision="fp16"))
    before = weights(step.model)[:300].clone()
    step.loss = lambda logits, targets: logits.sum() * 1e38
    run(step, 2)
    assert torch.equal(weights(step.model)[:300], before)
    state = step.state_dict()["scaler"]
    assert state["scale"] == 2.0**14
    other = make_step(Recipe(precision="fp16"))
    other.load_state_dict({**step.state_dict(), "scaler": state})
    assert other.state_dict()["scaler"] == state


@pytest.mark.parametrize(
    "recipe", [Recipe(channels_last=True), Recipe(compile=True)], ids=["channels last", "compiled"]
)
def test_faster_ways_compute_the_same(recipe):
    plain, fast = make_step(), make_step(recipe)
    assert run(plain) == pytest.approx(run(fast), abs=1e-5)
    torch.testing.assert_close(weights(plain.model), weights(fast.model), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("name", "layout"), [("iresnet50", torch.channels_last),
                                              ("iresnet3d50", torch.channels_last_3d)])  # fmt: skip
def test_channels_last_of_2d_and_3d_nets(name, layout):
    net = create_model(name, 4, width=8, blocks=(1, 1, 1, 1))
    clips = torch.rand(2, 3, 4, 32, 32)
    before = net.eval()(clips)
    channels_last(net)
    assert net.layer1[0].conv2.weight.is_contiguous(memory_format=layout)
    torch.testing.assert_close(net(clips.contiguous(memory_format=torch.channels_last_3d)), before)


def test_all_labels_of_a_video_are_asked_for():
    """Of videos with one label or two; every clip is taken for class 2, which is right for three of six videos."""
    step = make_step(loss="binary")
    nn.init.constant_(step.model[5].bias[2:], 9.0)
    sets = ((0, 2), (1, 2), (1,), (0, 1), (2,), (0,))
    several = replace(batch(0, views=2), label_sets=sets)
    targets = torch.tensor([[float(k in one) for k in range(3)] for one in sets]).repeat_interleave(2, dim=0)
    logits = copy.deepcopy(step.model).train()(PREPROCESSING.normalise(several.views.flatten(0, 1)))
    with step.ready():
        step.train()
        loss, right = step(several, 0.1).tolist()
    assert loss == pytest.approx(F.binary_cross_entropy_with_logits(logits, targets).item())
    assert right == 0.5


def test_a_step_moves_no_frozen_norm():
    for batch_norm, moves in (("train", True), ("frozen", False)):
        step = make_step(batch_norm=batch_norm)
        before = {key: value.clone() for key, value in step.model[1].state_dict().items()}
        run(step, 2)
        moved = [key for key, value in step.model[1].state_dict().items() if not torch.equal(value, before[key])]
        assert set(moved) == (before.keys() if moves else set())


def test_gradients_are_clipped_at_their_own_size():
    """fp16 scales the loss by 65536: a bound far above the norm must leave the step as it is."""
    free, bound = make_step(Recipe(precision="fp16")), make_step(Recipe(precision="fp16", clip_grad_norm=1e3))
    assert run(free) == run(bound)
    assert torch.equal(weights(free.model), weights(bound.model))


def test_modes_of_the_compiler(monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "compile", lambda network, mode: asked.append(mode) or network)
    run(make_step(Recipe(compile=True, compile_mode="max-autotune")), 1)
    assert asked == ["max-autotune"]


def test_mixing_changes_the_loss_and_its_targets():
    assert run(make_step(mix=Mix(mixup_alpha=0.8)), 1) != run(make_step(), 1)


def statistics(step):
    return step.tested[1].running_mean.clone(), step.tested[1].running_var.clone()


def test_precise_statistics_are_those_of_all_batches_together():
    """fvcore's, and the plain ones over every pixel; without that they are something else."""
    step, theirs = make_step(Recipe(ema_decay=0.5)), make_step()
    run(step, 2)
    theirs.model.load_state_dict(step.tested.state_dict())
    batches = [batch(seed) for seed in (10, 11, 12)]
    clips = [PREPROCESSING.normalise(b.views.flatten(0, 1)) for b in batches]
    before = statistics(step)
    step.renew_statistics(batches)
    with torch.no_grad():
        var, mean = torch.var_mean(step.tested[0](torch.cat(clips)), (0, 2, 3, 4), correction=0)
    update_bn_stats(theirs.model.train(), clips, len(clips))
    for found, old, *expected in zip(statistics(step), before, (mean, var), statistics(theirs), strict=True):
        assert not torch.allclose(found, old, rtol=1e-3)
        for one in expected:
            torch.testing.assert_close(found, one, rtol=1e-5, atol=1e-6)
    assert step.tested[1].momentum == 0.1
    assert not step.tested[1]._forward_pre_hooks


def test_precise_statistics_leave_out_what_is_frozen():
    frozen = make_step(batch_norm="frozen")
    frozen.renew_statistics([batch(1)])
    assert torch.equal(frozen.model[1].running_mean, torch.zeros(4))


def test_precise_statistics_of_two_ranks_are_those_of_one(monkeypatch):
    whole, first, second = make_step(), make_step(), make_step()
    whole.renew_statistics([batch(1), batch(2), batch(3)])
    sums = []
    monkeypatch.setattr(Ranks, "mean", lambda self, value: sums.append(value) or value)
    first.renew_statistics([batch(1)])
    monkeypatch.setattr(Ranks, "mean", lambda self, value: (value + sums[0]) / 2)
    second.renew_statistics([batch(2), batch(3)])
    for one, two in zip(statistics(whole), statistics(second), strict=True):
        torch.testing.assert_close(one, two)


def test_the_time_of_a_step_is_split():
    step = make_step()
    step.clock.start("data")
    run(step, 2)
    seconds = step.clock.read()
    assert tuple(seconds) == PARTS
    assert all(spent > 0 for spent in seconds.values())
    assert sum(step.clock.read().values()) < 0.1 * sum(seconds.values())


@pytest.mark.parametrize(
    ("slow", "workers", "said"),
    [("data", 1, "raise data.workers"), ("data", 8, "videonet prepare"), ("copy", 8, "bus"), ("forward", 8, "bf16")],
)
def test_advice_names_the_knob(slow, workers, said):
    seconds = dict.fromkeys(PARTS, 0.1) | {slow: 2.0}
    line = advice(seconds, cores_a_rank=4, workers=workers)
    assert said in line
    assert f"{slow} 83 %" in line
