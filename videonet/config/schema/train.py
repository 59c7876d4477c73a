"""How it learns: optimizer, schedule, loop."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from .types import STRICT, NonNegative, NonNegativeFloat, Positive, PositiveFloat, Share


@dataclass(frozen=True, config=STRICT)
class OptimConfig:
    """The optimizer and its schedule; the defaults are the paper's (section IV)."""

    name: Literal["sgd", "adamw", "lars", "lamb"] = "sgd"
    lr: PositiveFloat = 0.1
    """Peak learning rate, for batches of `lr_batch` clips."""
    lr_batch: Positive | None = None
    """Clips a step that `lr` is meant for: with another `train.batch_size` the rate is scaled in proportion, and the
    arithmetic logged. None: `lr` is meant for the batch size of this file, and never rescaled."""
    momentum: Share = 0.9
    """SGD momentum (AdamW: beta1)."""
    nesterov: bool = False
    weight_decay: NonNegativeFloat = 1e-4
    decay_norm_and_bias: bool = True
    """False: no weight decay on the scales and shifts of norms, and on biases."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Each block learns at this share of the rate of the one above it (fine-tuning)."""
    schedule: Literal["multistep", "cosine", "linear"] = "multistep"
    milestones: tuple[PositiveFloat, ...] = (30, 60, 80)
    """Epochs at which the rate is multiplied by `gamma` (multistep)."""
    gamma: PositiveFloat = 0.1
    final_factor: Share = 0.0
    """Share of the peak rate that is left at the last step (cosine, linear)."""
    warmup_epochs: NonNegativeFloat = 0
    """The rate climbs in a line to its peak over these epochs."""
    warmup_factor: Share = 0.1
    """Share of the peak rate at the first step of the warm-up."""
    clip_grad_norm: PositiveFloat | None = None
    """Largest norm of the whole gradient; None: not clipped."""
    fused: bool | None = None
    """One kernel for the update of all weights (sgd, adamw); None: on GPUs."""
    loss: Literal["cross_entropy", "focal", "binary"] = "cross_entropy"
    """binary: a yes or no for each class."""
    label_smoothing: Share = 0.0
    focal_gamma: NonNegativeFloat = 2.0
    """How much less the focal loss makes of clips that are right already."""
    class_weights: Literal["none", "inverse"] = "none"
    """inverse: every class weighs the same in the loss, however many videos it has."""


@dataclass(frozen=True, config=STRICT)
class TrainConfig:
    """The training loop."""

    epochs: Positive = 90
    batch_size: Positive = 64
    """Clips a step over all ranks together; must divide by the number of ranks times `clips_per_video`."""
    clips_per_video: Positive = 1
    """Clips taken from a video each time it is opened (repeated augmentation): less decoding, less varied batches."""
    accumulate: Positive = 1
    """Pieces that the clips of a step go through the network in, one after the other, for less memory."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    channels_last: bool = False
    """Keep tensors with the channels last, which GPUs compute faster in low precision."""
    compile: bool = False
    """torch.compile: minutes at the start, for less time a step."""
    compile_mode: Literal["default", "reduce-overhead", "max-autotune"] = "default"
    """reduce-overhead: with CUDA graphs. max-autotune: with a search for the fastest kernels."""
    cuda_graph: bool = False
    """Forward and backward pass as two CUDA graphs: for deep, narrow networks, whose many small kernels take longer to
    start than to run. Holds the memory of a step for the whole run."""
    tf32: bool | None = None
    """float32 sums of 10-bit products on tensor cores; None: PyTorch's default (convolutions, not matrix products)."""
    cudnn_benchmark: bool = True
    """Time the algorithms of each convolution once for each shape, and take the fastest (GPU)."""
    sharding: Literal["ddp", "fsdp"] = "ddp"
    """ddp: the network whole on each rank. fsdp: each rank keeps a share of weights, gradients and momenta (FSDP2)."""
    timeout_minutes: PositiveFloat | None = 30.0
    """Longest time for a step, compilation included: past it the stacks of all threads go to `stacks.<rank>.txt`, and
    ranks that wait for another give up a quarter later. None: not watched."""
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Also keep an exponential moving average of the weights, and test and use that one; None: no."""
    batch_norm: Literal["train", "frozen", "partial", "sync"] = "train"
    """frozen: none moves. partial: only the first does (TSN). sync: statistics over all ranks (GPU)."""
    precise_bn_batches: NonNegative = 0
    """Batches over which the running statistics are taken anew before each look at `data.val`; 0: as they ran."""
    frozen_stages: NonNegative = 0
    """0: all learn. k: the stem and the first k - 1 stages do not (fine-tuning)."""
    early_stop: NonNegative = 0
    """Stop after this many looks at `data.val` without a gain; 0: never."""
    eval_every: Positive = 1
    """Epochs between two looks at `data.val`."""
    checkpoint_every: NonNegative = 0
    """Steps between two mid-epoch checkpoints; 0: only at the end of each epoch."""
    checkpoint_minutes: PositiveFloat | None = None
    """Minutes between two mid-epoch checkpoints; None: only as `checkpoint_every` says."""
    keep: Positive = 2
    """How many of the last checkpoints stay: the one before is taken where the last is broken."""
    log_every: Positive = 10
    """Steps between two log lines."""
