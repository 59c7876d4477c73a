"""One update, with each of its options: what it changes, and what it must not change."""

import numpy as np
import pytest
import torch
from torch import nn

from videonet.data.loader import Batch
from videonet.data.preprocessing import Preprocessing
from videonet.engine.clock import PARTS, advice
from videonet.engine.dist import Ranks
from videonet.engine.freeze import freeze
from videonet.engine.loss import make_loss
from videonet.engine.mix import Mix
from videonet.engine.optim import make_optimizer, parameter_groups
from videonet.engine.step import Recipe, Step

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


def make_step(recipe=PLAIN, mix=UNMIXED, batch_norm="train", model=None, ranks=ALONE, cut=None):
    model = network() if model is None else model
    still = freeze(model, 0, batch_norm)
    shards = cut(model, ranks) if cut else None
    optimizer = make_optimizer("sgd", parameter_groups(model), 0.1, 0.9, 1e-4)
    return Step(model, PREPROCESSING, optimizer, make_loss("cross_entropy"), ranks, 3, recipe, mix, still, shards)


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


def test_modes_of_the_compiler(monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "compile", lambda network, mode: asked.append(mode) or network)
    run(make_step(Recipe(compile=True, compile_mode="max-autotune")), 1)
    assert asked == ["max-autotune"]


def test_mixing_changes_the_loss_and_its_targets():
    assert run(make_step(mix=Mix(mixup_alpha=0.8)), 1) != run(make_step(), 1)


def test_precise_statistics_are_plain_means():
    step = make_step()
    run(step, 2)
    batches = [batch(seed) for seed in (10, 11, 12)]
    with torch.no_grad():
        maps = [step.model[0](PREPROCESSING.normalise(b.views.flatten(0, 1))) for b in batches]
    expected = torch.stack([m.mean(dim=(0, 2, 3, 4)) for m in maps]).mean(dim=0)
    step.renew_statistics(batches)
    torch.testing.assert_close(step.model[1].running_mean, expected)
    assert step.model[1].momentum == 0.1
    frozen = make_step(batch_norm="frozen")
    frozen.renew_statistics(batches)
    assert torch.equal(frozen.model[1].running_mean, torch.zeros(4))


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
