"""What a network costs: parameters, multiply-adds, activations, and the paper's own operation count.

Everything follows from shapes, on the "meta" device: no weight is touched, 3002 layers take seconds. Counts of "FLOPs"
differ by what they include, so several stand side by side:

    macs         multiply-adds of convolutions and linear layers (torch's own counter; it reports two FLOPs for one)
    activations  numbers in the outputs of convolutions and linear layers
    paper_ops    the paper's "GFLOPs" (Tables I-VIII): see `_paper_ops`
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from videonet.models.create import create_model, default_input

ReluCalls = Literal["last", "every"]


@dataclass(frozen=True)
class Complexity:
    """Cost of one forward pass."""

    params: int
    macs: int
    activations: int
    paper_ops: int


@dataclass(frozen=True)
class LayerCost:
    """Cost of one layer in one forward pass, over all its calls."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    """Of the last call. Inside a 2D net the frames are on the batch axis."""
    params: int
    macs: int
    activations: int
    paper_ops: int


def count(model: nn.Module, input_shape: Sequence[int], *, relu_calls: ReluCalls = "last") -> Complexity:
    """Cost of `model` on one input of `input_shape`, for our nets (N, C, T, H, W).

    relu_calls: of a ReLU module that a block uses in several places the paper counts the last call, in its CIFAR nets
    (Table VI) every call.
    """
    with FlopCounterMode(display=False) as counter:
        rows = layers(model, input_shape, relu_calls=relu_calls)
    return Complexity(
        params=sum(p.numel() for p in model.parameters()),
        macs=counter.get_total_flops() // 2,
        activations=sum(row.activations for row in rows),
        paper_ops=sum(row.paper_ops for row in rows),
    )


def count_model(name: str, num_classes: int | None = None, input_shape: Sequence[int] | None = None) -> Complexity:
    """Cost of a network by its name, at the paper's input if not told another. Raises ValueError as `create_model`."""
    return count(_on_meta(name, num_classes), input_shape or default_input(name), relu_calls=_relu_calls(name))


def count_layers(
    name: str, num_classes: int | None = None, input_shape: Sequence[int] | None = None
) -> list[LayerCost]:
    """Cost of every layer of a network by its name; arguments and errors as in `count_model`."""
    return layers(_on_meta(name, num_classes), input_shape or default_input(name), relu_calls=_relu_calls(name))


def layers(model: nn.Module, input_shape: Sequence[int], *, relu_calls: ReluCalls = "last") -> list[LayerCost]:
    """Cost of every layer of `model` that runs, in the order of the first calls; arguments as in `count`."""
    names = {module: name for name, module in model.named_modules() if not list(module.children())}
    calls: dict[nn.Module, list[tuple[int, tuple[int, ...]]]] = defaultdict(list)  # (numbers read, shape written)

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(output, Tensor):  # another package's identity may pass a list of pathways on
            calls[module].append((inputs[0].numel(), tuple(output.shape)))

    hooks = [module.register_forward_hook(note) for module in names]
    try:
        _run_on_meta(model, input_shape)
    finally:
        for hook in hooks:
            hook.remove()

    rows = []
    for module, seen in calls.items():
        counted = seen[-1:] if isinstance(module, nn.ReLU) and relu_calls == "last" else seen
        fan_in = module.weight[0].numel() if isinstance(module, nn.Conv2d | nn.Conv3d | nn.Linear) else 0
        activations = sum(math.prod(shape) for _, shape in seen) if fan_in else 0
        rows.append(
            LayerCost(
                name=names[module],
                kind=type(module).__name__,
                output_shape=seen[-1][1],
                params=sum(p.numel() for p in module.parameters()),
                macs=activations * fan_in,
                activations=activations,
                paper_ops=sum(_paper_ops(module, read, math.prod(shape)) for read, shape in counted),
            )
        )
    return rows


def _on_meta(name: str, num_classes: int | None) -> nn.Module:
    with torch.device("meta"):
        return create_model(name, num_classes)


def _relu_calls(name: str) -> ReluCalls:
    return "every" if name.endswith("_cifar") else "last"


class _NormsAreShapes(TorchFunctionMode):
    """Batch normalisation keeps the shape: on meta its decomposition would take most of the time of a deep net."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is nn.functional.batch_norm:
            return torch.empty_like(args[0])
        return func(*args, **(kwargs or {}))


def _run_on_meta(model: nn.Module, input_shape: Sequence[int]) -> None:
    """One forward pass in which every tensor is a shape only; the model's own tensors and modes stay as they are."""
    tensors = chain(model.named_parameters(), model.named_buffers())
    state = {name: tensor.to("meta") for name, tensor in tensors if not tensor.is_meta}
    x = torch.empty(tuple(input_shape), device="meta", dtype=next(model.parameters()).dtype)
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with torch.no_grad(), _NormsAreShapes():
            functional_call(model, state, (x,))
    finally:
        for module in training:
            module.training = True


def _paper_ops(module: nn.Module, read: int, wrote: int) -> int:
    """Operations of one call by the paper's rule (thop 0.0.22): one a multiply-add, sums of branches free.

    Kept as it is, with its slips: a pool's window given as one number (3) counts 3, as a tuple (1, 3, 3) counts 9, and
    a linear layer counts multiplications and additions both.
    """
    match module:
        case nn.Conv2d() | nn.Conv3d():
            window = math.prod(module.kernel_size) + (module.bias is not None)
            return wrote * (module.in_channels // module.groups) * window
        case nn.BatchNorm2d() | nn.BatchNorm3d():
            return 4 * read
        case nn.ReLU():
            return read
        case nn.MaxPool2d() | nn.MaxPool3d():
            return wrote * _window(module.kernel_size)
        case nn.AvgPool2d() | nn.AvgPool3d():
            return wrote * (_window(module.kernel_size) + 1)
        case nn.AdaptiveAvgPool3d():
            return read + wrote
        case nn.Linear():
            return wrote * (2 * module.in_features - 1)
    return 0


def _window(size: int | tuple[int, ...]) -> int:
    return size if isinstance(size, int) else math.prod(size)
