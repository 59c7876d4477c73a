"""One update of the weights: clips to the device, normalised and mixed, forward, loss, backward, optimizer, average."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from videonet.data.loader import Batch
from videonet.data.preprocessing import Preprocessing

from .average import Update, make_average, updater
from .clock import Clock
from .dist import Ranks
from .feed import Feed
from .forward import autocast
from .graphs import Captured
from .loss import Loss
from .mix import Mix
from .optim import set_rate
from .spread import Shards, data_parallel, gathered, load_optimizer, load_whole, rehearse, unsynced


@dataclass(frozen=True)
class Recipe:
    """How a step is made: see `videonet.config.schema.TrainConfig` for each field."""

    precision: str = "fp32"
    clip_grad_norm: float | None = None
    accumulate: int = 1
    ema_decay: float | None = None
    channels_last: bool = False
    compile: bool = False
    compile_mode: str = "default"
    cuda_graph: bool = False


def channels_last(model: nn.Module) -> None:
    """Weights of 2D and 3D convolutions with the channels last, in place; `Module.to` takes only one of the two."""
    layout = {4: torch.channels_last, 5: torch.channels_last_3d}
    for parameter in model.parameters():
        if parameter.ndim in layout:
            parameter.data = parameter.data.contiguous(memory_format=layout[parameter.ndim])


@dataclass
class Step:
    """Parts in; call it with a batch. `still`: modules kept in eval mode, see `videonet.engine.freeze`.

    shards: what has cut `model`, where it is cut.
    """

    model: nn.Module
    preprocessing: Preprocessing
    optimizer: torch.optim.Optimizer
    loss: Loss
    ranks: Ranks
    classes: int
    recipe: Recipe = Recipe()
    mix: Mix = field(default_factory=Mix)
    still: Sequence[nn.Module] = ()
    shards: Shards | None = None
    clock: Clock = field(init=False)
    average: AveragedModel | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        device = self.ranks.device
        self.clock = Clock(device)
        self._feed = Feed(device, self._on_device)
        self._scaler = torch.amp.GradScaler(device.type, enabled=self.recipe.precision == "fp16")
        if self.recipe.channels_last and self.shards is None:  # shards are of rows; convolutions turn them themselves
            channels_last(self.model)
        if self.recipe.ema_decay is not None:
            whole = self.model if self.shards is None else self.shards.whole(self.model)
            self.average = make_average(whole, self.recipe.ema_decay)
            if self.shards is not None:
                self.shards.cut(self.average.module)
        self._learning = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self._release()

    @property
    def tested(self) -> nn.Module:
        """The network that is tested and used: the averaged one where there is one."""
        return self.model if self.average is None else self.average.module

    def whole(self) -> nn.Module:
        """`tested`, such that each rank can run it by itself. To be called by all ranks; a copy where it is cut."""
        return self.tested if self.shards is None else self.shards.whole(self.tested)

    @contextmanager
    def ready(self) -> Iterator[None]:
        """While the block runs, the network is compiled and spread over the ranks: with the first batch."""
        try:
            yield
        finally:
            self._release()

    def _release(self) -> None:
        """The wrapper must go before its process group: freed after it, it joins gloo's thread with the GIL held, and
        that thread may be waiting for the GIL.
        """
        self._wrapper: nn.Module | None = None
        self._network: Any = None
        self._move_average: Update | None = None
        gc.collect()

    def _spread(self, sample: torch.Tensor) -> nn.Module:
        """Captured, wrapped for the ranks and compiled, as the recipe says; `sample` is a piece of a batch."""
        recipe, network = self.recipe, self.model
        if recipe.cuda_graph:
            network = Captured(network, recipe.precision, sample)
        if self.ranks.world > 1 and self.shards is None:
            # a static graph goes neither with `no_sync` in its first step nor with the compiler's splitting of buckets
            network = data_parallel(network, self.ranks, recipe.accumulate == 1 and not recipe.compile)
        self._wrapper = network
        self._network = torch.compile(network, mode=recipe.compile_mode) if recipe.compile else network
        if self.ranks.world > 2 and self.shards is None:
            rehearse(self.model, self._rehearsal(sample))
            self.optimizer.zero_grad(set_to_none=True)
        return network

    def _rehearsal(self, sample: torch.Tensor) -> Callable[[], None]:
        def run() -> None:
            with autocast(sample.device, self.recipe.precision):
                logits = self._network(sample)
            logits.float().sum().backward()

        return run

    def train(self) -> None:
        """Training mode, but for what is frozen."""
        self.model.train()
        for module in self.still:
            module.eval()

    def __call__(self, batch: Batch, rate: float) -> torch.Tensor:
        """One update; float32 (2,), loss and share of clips whose most probable class is right, left on the device."""
        recipe, clock = self.recipe, self.clock
        clock.start("copy")
        clips, targets = self._feed(batch)
        clips, targets = self.mix(clips, targets)
        set_rate(self.optimizer, rate)
        self.optimizer.zero_grad(set_to_none=True)
        total, right = torch.zeros((), device=clips.device), torch.zeros((), device=clips.device)
        pieces = list(zip(clips.chunk(recipe.accumulate), targets.chunk(recipe.accumulate), strict=True))
        wrapper = self._wrapper or self._spread(pieces[0][0])
        for number, (some, theirs) in enumerate(pieces, 1):
            share = len(some) / len(clips)
            with unsynced(wrapper, number < len(pieces)):
                clock.start("forward")
                with autocast(clips.device, recipe.precision):
                    logits = self._network(some).float()
                loss = self.loss(logits, theirs) * share
                clock.start("backward")
                self._scaler.scale(loss).backward()
            total += loss.detach()
            chosen = theirs.gather(1, logits.detach().argmax(dim=1, keepdim=True))
            right += (chosen == theirs.amax(dim=1, keepdim=True)).float().mean() * share
        clock.start("update")
        self._update()
        clock.start("data")
        return torch.stack([total, right])

    def _update(self) -> None:
        """Gradients clipped, weights and their average moved."""
        if self.recipe.clip_grad_norm is not None:
            self._scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self._learning, self.recipe.clip_grad_norm)
        self._scaler.step(self.optimizer)
        self._scaler.update()
        if self.average is not None and self.recipe.ema_decay is not None:
            self._move_average = self._move_average or updater(self.average, self.model, self.recipe.ema_decay)
            self._move_average()

    def _on_device(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """float32 (N, 3, T, S, S), what the network reads, and targets (N, K)."""
        device = self.ranks.device
        views = batch.on(device)  # (B, V, 3, T, S, S)
        targets = batch.targets(self.classes).to(device, non_blocking=True).repeat_interleave(views.shape[1], 0)
        return self._input(views.flatten(0, 1)), targets

    def _input(self, views: torch.Tensor) -> torch.Tensor:
        """uint8 (N, 3, T, S, S) -> what the network reads."""
        clips = self.preprocessing.normalise(views)
        return clips.contiguous(memory_format=torch.channels_last_3d) if self.recipe.channels_last else clips

    @torch.no_grad()
    def renew_statistics(self, batches: Iterable[Batch]) -> None:
        """Precise batch norm (Wu and Johnson 2021): the running statistics of the tested network become the mean and
        the variance over all of these batches together, on all ranks; those of frozen norms stay.
        """
        frozen = {name for name, module in self.model.named_modules() if any(module is still for still in self.still)}
        network = self.whole()
        norms = [
            module
            for name, module in network.named_modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm)
            and not any(f"{name}.".startswith(f"{f}.") for f in frozen)
        ]
        sums: dict[nn.Module, torch.Tensor] = {
            norm: torch.zeros(3, norm.num_features, dtype=torch.float64, device=self.ranks.device) for norm in norms
        }

        def note(norm: nn.Module, inputs: tuple[torch.Tensor]) -> None:
            var, mean = torch.var_mean(inputs[0].float(), [0, *range(2, inputs[0].ndim)], correction=0)
            count = inputs[0].numel() / len(mean)
            sums[norm] += count * torch.stack([torch.ones_like(mean), mean, var + mean.square()])

        network.eval()
        hooks = [norm.train().register_forward_pre_hook(note) for norm in norms]
        for batch in batches:
            if len(batch):
                with autocast(self.ranks.device, self.recipe.precision):
                    network(self._input(batch.on(self.ranks.device).flatten(0, 1)))
        for norm, hook in zip(norms, hooks, strict=True):
            hook.remove()
            norm.eval()
            count, total, squares = self.ranks.mean(sums[norm])
            if norm.running_mean is not None and norm.running_var is not None and count[0] > 0:
                norm.running_mean.copy_(total / count)
                norm.running_var.copy_((squares / count - (total / count).square()).clamp(min=0))
        if network is not self.tested:
            for kept, new in zip(self.tested.buffers(), network.buffers(), strict=True):
                kept.copy_(new)

    def state_dict(self) -> dict[str, Any]:
        """model, optimizer, scaler and ema, for a checkpoint, whole on the first rank. To be called by all ranks."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "ema": {} if self.average is None else self.average.state_dict(),
        }
        whole: dict[str, Any] = gathered(state, self.ranks.first)
        return whole

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """What `state_dict` gave, with any number of ranks, cut or not."""
        load_whole(self.model, state["model"])
        load_optimizer(self.optimizer, state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        if self.average is not None:
            load_whole(self.average, state["ema"])
