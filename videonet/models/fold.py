"""Normalisations folded into the convolutions before them: the same function in fewer layers, for inference.

A normalisation of a trained net is a scale and a shift of each channel. Where it reads a convolution's output directly,
that convolution can do both; where it reads a sum, or comes before the convolution (bn, relu, conv), it stays.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import pairwise

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from videonet.models.block import ResidualBlock
from videonet.models.recognizer import Recognizer


def folded(model: Recognizer) -> Recognizer:
    """A copy in eval mode that gives the logits of `model` in eval mode; its convolutions have biases.

    Folded normalisations become identities, so that names stay. A copy is for inference: training it is another thing.
    """
    model = copy.deepcopy(model).eval()
    for owner, names in _chains(model):
        for first, second in pairwise(names):
            convolution, normalisation = owner.get_submodule(first), owner.get_submodule(second)
            if isinstance(convolution, nn.Conv2d | nn.Conv3d) and isinstance(normalisation, _BatchNorm):
                owner.set_submodule(first, fuse_conv_bn_eval(convolution, normalisation))
                owner.set_submodule(second, nn.Identity())
    return model


def _chains(model: Recognizer) -> Iterator[tuple[nn.Module, list[str]]]:
    """(owner, names of its layers): each of these layers reads what the one before it gives, and nobody else does."""
    yield model, model.stem_layers.split()
    for module in model.modules():
        if isinstance(module, ResidualBlock):
            yield from ((module, order.split()) for order in (module.pre, module.branch, module.post))
        elif isinstance(module, nn.Sequential):  # a projection shortcut
            yield module, [name for name, _ in module.named_children()]
