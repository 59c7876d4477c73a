"""The paper's tables I to VIII as they are printed, each row with the name of our network that it speaks of.

Cells are strings, so that "as printed" means digit for digit. Parameters are millions, GFLOPs the paper's own count
(`complexity.paper_ops` / 1e9), scores what the authors trained to: errors in %, in Table VIII precision and recall.
An empty cell is empty in our copy of the paper.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from videonet.models.complexity import layers
from videonet.models.create import create_model, default_input


class PaperRow(NamedTuple):
    """One network in one table."""

    network: str
    """As the paper calls it."""
    model: str
    """As `create_model` knows it; empty: not there yet."""
    classes: int
    params: str
    gflops: str
    scores: tuple[str, ...] = ()


class PaperTable(NamedTuple):
    """One table; `score_names` are the columns of the rows' `scores`."""

    title: str
    score_names: tuple[str, ...]
    rows: tuple[PaperRow, ...]


def as_printed(value: float, like: str) -> str:
    """`value` with as many decimals as the cell `like`."""
    return f"{value:.{len(like.partition('.')[2])}f}"


MISPRINTS = {f"{family}{depth}" for family in ("preact_resnet", "resstage") for depth in (101, 152, 200)}
"""Networks whose GFLOPs in Table II are the baseline's. Counted: 7.87, 11.61 and 15.14 or 15.15."""


def _rows(classes: int, *lines: str) -> tuple[PaperRow, ...]:
    """Rows from lines "network | model | params GFLOPs scores ..."; "-" is an empty cell."""
    rows = []
    for line in lines:
        network, model, cells = (part.strip() for part in line.split("|"))
        params, gflops, *scores = ("" if cell == "-" else cell for cell in cells.split())
        rows.append(PaperRow(network, model, classes, params, gflops, tuple(scores)))
    return tuple(rows)


_ERRORS = ("top-1", "top-5")

TABLES: dict[str, PaperTable] = {
    "I": PaperTable(
        "ResGroup and ResGroupFix architectures",
        (),
        _rows(
            1000,
            "ResNet-50        | resnet50      | 25.56 4.14",
            "ResGroupFix-50   | resgroupfix50 | 23.37 4.30",
            "ResGroup-50      | resgroup50    | 24.89 5.43",
        ),
    ),
    "II": PaperTable(
        "iResNet on ImageNet, validation error (%)",
        _ERRORS,
        _rows(
            1000,
            "baseline-50 [5]  | resnet50         | 25.56  4.14 23.88 7.06",
            "pre-act.-50 [6]  | preact_resnet50  | 25.56  4.14 23.77 7.04",
            "ResStage-50      | resstage50       | 25.56  4.14 23.25 6.81",
            "iResNet-50       | iresnet50        | 25.56  4.18 22.69 6.46",
            "baseline-101 [5] | resnet101        | 44.55  7.88 22.00 6.10",
            "pre-act.-101 [6] | preact_resnet101 | 44.55  7.88 22.11 6.26",
            "ResStage-101     | resstage101      | 44.55  7.88 21.75 6.01",
            "iResNet-101      | iresnet101       | 44.55  7.92 21.36 5.63",
            "baseline-152 [5] | resnet152        | 60.19 11.62 21.55 5.74",
            "pre-act.-152 [6] | preact_resnet152 | 60.19 11.62 21.41 5.78",
            "ResStage-152     | resstage152      | 60.19 11.62 21.03 5.65",
            "iResNet-152      | iresnet152       | 60.19 11.65 20.66 5.43",
            "baseline-200 [5] | resnet200        | 64.67 15.16 22.45 6.39",
            "pre-act.-200 [6] | preact_resnet200 | 64.67 15.16 21.29 5.67",
            "ResStage-200     | resstage200      | 64.67 15.16 20.88 5.57",
            "iResNet-200      | iresnet200       | 64.67 15.19 20.52 5.36",
        ),
    ),
    "III": PaperTable(
        "iResNet of extreme depth on ImageNet, validation error (%)",
        _ERRORS,
        _rows(
            1000,
            "iResNet-302 | iresnet302 | 96.59 22.67 20.45 5.28",
            "iResNet-404 | iresnet404 | 124.5 30.15 20.30 5.26",
        ),
    ),
    "IV": PaperTable(
        "Projection shortcuts on ImageNet, validation error (%)",
        _ERRORS,
        _rows(
            1000,
            "ResNet [5] | resnet50     | 25.56 4.14 23.88 7.06",
            "ResNet [7] | resnet_avg50 | 25.56 4.14 23.26 6.80",
            "ResMax     | resmax50     | 25.56 4.18 22.85 6.42",
        ),
    ),
    "V": PaperTable(
        "Video: Kinetics-400 and Something-Something-v2, error (%)",
        _ERRORS,
        _rows(
            400,
            "ResNet3D-50 [5], Kinetics-400 | resnet3d50  | - - - -",
            "iResNet3D-50, Kinetics-400    | iresnet3d50 | 47.00 93.93 33.91 13.36",
        )
        + _rows(
            174,
            "ResNet3D-50 [5], Something-Something-v2 | resnet3d50  | - - - -",
            "iResNet3D-50, Something-Something-v2    | iresnet3d50 | 46.54 93.93 45.56 17.73",
        ),
    ),
    "VI": PaperTable(
        "CIFAR-10 and CIFAR-100, error (%)",
        ("top-1",),
        _rows(
            10,
            "baseline-164 [5], CIFAR-10  | resnet164_cifar   |  1.70 0.26 5.23",
            "iResNet-164, CIFAR-10       | iresnet164_cifar  |  1.70 0.26 4.80",
            "baseline-1001 [5], CIFAR-10 | resnet1001_cifar  | 10.33 1.59 7.43",
            "iResNet-1001, CIFAR-10      | iresnet1001_cifar | 10.33 1.59 4.61",
            "baseline-2000 [5], CIFAR-10 | resnet2000_cifar  | 20.62 3.17 fail",
            "iResNet-2000, CIFAR-10      | iresnet2000_cifar | 20.62 3.17 4.40",
            "baseline-3002 [5], CIFAR-10 | resnet3002_cifar  | 30.93 4.75 fail",
            "iResNet-3002, CIFAR-10      | iresnet3002_cifar | 30.93 4.75 4.95",
        )
        + _rows(
            100,
            "baseline-164 [5], CIFAR-100  | resnet164_cifar   |  1.73 0.26 23.86",
            "iResNet-164, CIFAR-100       | iresnet164_cifar  |  1.73 0.26 22.26",
            "baseline-1001 [5], CIFAR-100 | resnet1001_cifar  | 10.35 1.59 26.98",
            "iResNet-1001, CIFAR-100      | iresnet1001_cifar | 10.35 1.59 20.92",
            "baseline-2000 [5], CIFAR-100 | resnet2000_cifar  | 20.65 3.17 fail",
            "iResNet-2000, CIFAR-100      | iresnet2000_cifar | 20.65 3.17 21.12",
            "baseline-3002 [5], CIFAR-100 | resnet3002_cifar  | 30.96 4.75 fail",
            "iResNet-3002, CIFAR-100      | iresnet3002_cifar | 30.96 4.75 21.46",
        ),
    ),
    "VII": PaperTable(
        "ResGroup on ImageNet, validation error (%)",
        _ERRORS,
        _rows(
            1000,
            "baseline ResNet-50 [5]  | resnet50          | 25.56  4.14 23.88 7.06",
            "ResNeXt-50 [32]         | resnext50_32x4d   | 25.03  4.30 22.44 6.25",
            "ResGroupFix-50          | resgroupfix50     | 23.37  4.30 21.96 6.15",
            "ResGroup-50             | resgroup50        | 24.89  5.43 21.73 5.94",
            "iResGroupFix-50         | iresgroupfix50    | 23.37  4.47 21.88 5.99",
            "iResGroup-50            | iresgroup50       | 24.89  5.60 21.55 5.75",
            "baseline ResNet-101 [5] | resnet101         | 44.55  7.88 22.00 6.10",
            "ResNeXt-101 [32]        | resnext101_32x4d  | 44.18  8.07 21.03 5.66",
            "ResGroupFix-101         | resgroupfix101    | 43.79  8.33 20.94 5.56",
            "ResGroup-101            | resgroup101       | 47.81  9.94 20.98 5.46",
            "iResGroupFix-101        | iresgroupfix101   | 43.79  8.49 20.92 5.54",
            "iResGroup-101           | iresgroup101      | 47.81 10.11 20.55 5.45",
            "baseline ResNet-152 [5] | resnet152         | 60.19 11.62 21.55 5.74",
            "ResNeXt-152 [32]        | resnext152_32x4d  | 59.95 11.84 20.98 5.48",
            "ResGroupFix-152         | resgroupfix152    | 60.61 12.35 20.70 5.48",
            "ResGroup-152            | resgroup152       | 66.99 14.70 20.81 5.48",
            "iResGroupFix-152        | iresgroupfix152   | 60.61 12.53 20.75 5.51",
            "iResGroup-152           | iresgroup152      | 66.99 14.87 20.34 5.20",
        ),
    ),
    "VIII": PaperTable(
        "SSD300 detectors on COCO val2017: average precision at IoU, by area; average recall by detections, by area",
        ("AP", "AP50", "AP75", "AP S", "AP M", "AP L", "AR 1", "AR 10", "AR 100", "AR S", "AR M", "AR L"),
        _rows(
            81,
            "ResNet-50 [5]   | | 22.89 20.92 26.20 43.97 26.96  8.12 28.22 42.64 24.50 35.41 37.07 12.61 40.76 57.25",
            "iResNet-50      | | 22.89 20.99 27.74 45.85 28.51  8.52 30.07 44.62 25.29 36.90 38.51 13.28 42.79 58.57",
            "iResGroupFix-50 | | 21.13 18.61 28.90 47.44 29.99  9.70 31.49 45.83 25.97 37.84 39.52 14.63 44.17 59.52",
            "iResGroup-50    | | 22.66 21.62 29.56 48.38 30.87 10.33 32.52 46.62 26.40 38.49 40.24 15.10 44.82 60.20",
            "ResNet-101 [5]  | | 41.89 48.45 29.58 47.69 30.80  9.38 31.96 47.64 26.47 38.00 39.64 14.09 43.54 61.03",
            "iResNet-101     | | 41.89 48.49 30.92 49.50 32.29 10.05 34.27 49.13 27.15 39.34 41.08 15.21 45.93 61.90",
            "iResGroupFix-101| | 41.55 48.25 31.64 50.70 33.28 11.21 34.91 50.20 27.94 40.41 42.22 16.84 46.99 63.64",
            "iResGroup-101   | | 45.58 54.87 32.81 51.78 34.55 11.81 36.56 51.72 28.37 41.43 43.22 17.20 48.54 64.08",
        ),
    ),
}

ARCHITECTURES: dict[str, tuple[str, ...]] = {
    "resnet50": (
        "112x112: 7x7, 64, stride 2",
        "56x56: 3 x [1x1, 64; 3x3, 64; 1x1, 256]",
        "28x28: 4 x [1x1, 128; 3x3, 128; 1x1, 512]",
        "14x14: 6 x [1x1, 256; 3x3, 256; 1x1, 1024]",
        "7x7: 3 x [1x1, 512; 3x3, 512; 1x1, 2048]",
    ),
    "resgroupfix50": (
        "112x112: 7x7, 64, stride 2",
        "56x56: 3 x [1x1, 256; 3x3, 256, G=64; 1x1, 128]",
        "28x28: 4 x [1x1, 512; 3x3, 512, G=64; 1x1, 256]",
        "14x14: 6 x [1x1, 1024; 3x3, 1024, G=64; 1x1, 512]",
        "7x7: 3 x [1x1, 2048; 3x3, 2048, G=64; 1x1, 1024]",
    ),
    "resgroup50": (
        "112x112: 7x7, 64, stride 2",
        "56x56: 3 x [1x1, 256; 3x3, 256, G=8; 1x1, 128]",
        "28x28: 4 x [1x1, 512; 3x3, 512, G=16; 1x1, 256]",
        "14x14: 6 x [1x1, 1024; 3x3, 1024, G=32; 1x1, 512]",
        "7x7: 3 x [1x1, 2048; 3x3, 2048, G=64; 1x1, 1024]",
    ),
}
"""The body of Table I: output size and convolutions of the first layer and of stages 1 to 4."""


def architecture(name: str) -> tuple[str, ...]:
    """Of one of our 2D bottleneck networks what `ARCHITECTURES` holds of the paper's; errors as `create_model`."""
    with torch.device("meta"):
        model = create_model(name)
    sizes = {row.name: "x".join(map(str, row.output_shape[-2:])) for row in layers(model, default_input(name))}
    lines = [f"{sizes['conv1']}: {_in_words(model.get_submodule('conv1'))}"]
    for stage in range(1, 5):
        blocks = list(model.get_submodule(f"layer{stage}").children())
        convs = "; ".join(_in_words(blocks[-1].get_submodule(f"conv{n}")) for n in (1, 2, 3))
        lines.append(f"{sizes[f'layer{stage}.{len(blocks) - 1}.conv3']}: {len(blocks)} x [{convs}]")
    return tuple(lines)


def _in_words(conv: nn.Module) -> str:
    if not isinstance(conv, nn.Conv2d):
        raise ValueError(f"{type(conv).__name__} is not a 2D convolution; Table I describes 2D bottleneck networks")
    kernel = "x".join(map(str, conv.kernel_size))
    groups = f", G={conv.groups}" if conv.groups > 1 else ""
    stride = f", stride {conv.stride[0]}" if conv.stride[0] > 1 else ""
    return f"{kernel}, {conv.out_channels}{groups}{stride}"
