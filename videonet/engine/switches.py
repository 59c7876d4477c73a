"""Switches of PyTorch that hold for the whole process: TF32, and the search for the fastest convolutions."""

from __future__ import annotations

import torch


def set_switches(tf32: bool | None = None, cudnn_benchmark: bool = True) -> None:
    """tf32: float32 convolutions and matrix products on tensor cores with 10 bits of mantissa; None: PyTorch's default
    (convolutions yes, matrix products no). cudnn_benchmark: time all algorithms of a convolution once for each shape.

    These two names and not the newer `fp32_precision` of each backend: once one of those is set, PyTorch 2.9 to 2.11
    refuse to compile, since the compiler asks for the older ones.
    """
    torch.backends.cudnn.benchmark = cudnn_benchmark
    if tf32 is not None:
        torch.set_float32_matmul_precision("high" if tf32 else "highest")
        torch.backends.cudnn.allow_tf32 = tf32
