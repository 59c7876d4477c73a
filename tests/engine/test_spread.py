"""FSDP2 on three processes: the same training as DDP's, whole checkpoints, tests of any length on each rank."""

from dataclasses import replace

import torch

from tests.engine.test_step import batch, make_step, run, weights
from videonet.engine.step import Recipe
from videonet.models import create_model

THREE_RANKS = """
import copy, sys, torch
from pytest import approx
from torch.distributed.tensor import DTensor
from torch.distributed.fsdp import FSDPModule
from tests.engine.test_spread import RECIPE, share, staged
from tests.engine.test_step import PREPROCESSING, make_step
from torch.nn.utils import parameters_to_vector
from videonet.engine.dist import ranks
from videonet.engine.forward import run_views
from videonet.engine.spread import Shards
with ranks("cpu") as here:
    steps = [make_step(RECIPE, batch_norm="frozen", model=staged(), ranks=here, cut=cut) for cut in (None, Shards)]
    losses = []
    for step in steps:
        with step.ready():
            for number in range(3):
                step.train()
                losses.append(step(share(number, here), 0.01)[0].item())
    assert losses[:3] == approx(losses[3:], abs=1e-5) and len(set(losses[:3])) == 3, losses
    whole, cut = steps
    assert isinstance(cut.model.layer2[0], FSDPModule) and isinstance(cut.average.module.layer2[0], FSDPModule)
    assert all(isinstance(value, DTensor) for value in cut.model.parameters())
    momentum = next(iter(cut.optimizer.state.values()))["momentum_buffer"]
    assert isinstance(momentum, DTensor) and momentum.to_local().numel() < momentum.numel()
    still = [whole.still, cut.still]  # norms were frozen, since rounding grows fast in those of few values
    cut.still = whole.still = ()
    cut.renew_statistics([share(seed, here) for seed in (7, 8)])
    whole.renew_statistics([share(seed, here) for seed in (7, 8)])
    whole.still, cut.still = still
    network = cut.whole()  # each rank tests as many videos as it has: three here, one there
    for number in range(1 + 2 * here.rank):
        views = share(20 + number, here).views
        ours = run_views(network.eval(), views, PREPROCESSING, here.device, "fp32", 8)
        torch.testing.assert_close(ours, run_views(whole.tested.eval(), views, PREPROCESSING, here.device, "fp32", 8))
    assert not any(isinstance(value, DTensor) for value in network.state_dict().values())
    states = [step.state_dict() for step in steps]
    if here.first:
        torch.save(states, sys.argv[1])
    here.wait()
    again = make_step(RECIPE, batch_norm="frozen", model=staged(), ranks=here, cut=Shards)
    again.load_state_dict(torch.load(sys.argv[1], weights_only=True)[0])
    losses = []
    for step in (whole, again):
        with step.ready():
            step.train()
            losses.append(step(share(3, here), 0.01)[0].item())
    assert losses[0] == approx(losses[1], abs=1e-5), losses
    once, twice = (make_step(model=staged(), ranks=here) for _ in range(2))
    with once.ready():
        for number in range(4):
            if number == 2:
                twice.load_state_dict(copy.deepcopy(once.state_dict()))
            once(share(number, here), 0.01)
    with twice.ready():
        for number in (2, 3):
            twice(share(number, here), 0.01)
    assert torch.equal(parameters_to_vector(once.model.parameters()), parameters_to_vector(twice.model.parameters()))
"""
RECIPE = Recipe(accumulate=2, clip_grad_norm=0.5, ema_decay=0.5)


def staged():
    torch.manual_seed(2)
    return create_model("iresnet3d50", 3, width=8, blocks=(1, 1, 1, 1))


def share(seed, ranks):
    """The videos of this rank among the six of a batch."""
    mine = slice(ranks.rank, None, ranks.world)
    whole = batch(seed, views=2)
    return replace(whole, views=whole.views[mine], labels=whole.labels[mine], indices=whole.indices[mine])


def test_shards_train_as_whole_networks_do(run_ranks, tmp_path):
    """Two pieces a step, clipped, averaged. The checkpoint is one plain file, and one rank goes on from it.

    At the end: a resumed DDP run is bit-equal over three ranks too, where the order of sums tells.
    """
    for code, said in run_ranks(THREE_RANKS, tmp_path / "states.pt", world=3):
        assert code == 0, said
    whole, cut = torch.load(tmp_path / "states.pt", weights_only=True)
    assert list(cut["ema"]) == list(whole["ema"])
    for part in ("model", "ema"):
        for key, value in whole[part].items():
            torch.testing.assert_close(value, cut[part][key], atol=1e-5, rtol=1e-4)
    for number, values in whole["optimizer"]["state"].items():
        other = cut["optimizer"]["state"][number]["momentum_buffer"]
        torch.testing.assert_close(values["momentum_buffer"], other, atol=1e-4, rtol=1e-3)
    alone = make_step(RECIPE, batch_norm="frozen", model=staged())
    alone.load_state_dict(cut)
    assert torch.equal(weights(alone.tested), torch.cat([v.flatten().float() for v in list(cut["ema"].values())[1:]]))
    assert all(torch.isfinite(torch.tensor(run(alone, 2))))
