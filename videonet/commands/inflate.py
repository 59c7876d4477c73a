"""`videonet inflate`: turn the weights of a 2D net into those of its video net, and check that both agree."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from videonet.models.recognizer import Recognizer
    from videonet.models.weightfile import WeightFile


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument("weights", nargs="?", help="2D weights: a file, or a downloaded name (default: random ones)")
    parser.add_argument("--model", required=True, help="the 2D net, such as iresnet50")
    parser.add_argument("--to", metavar="MODEL", help="the video net (default: that of the family, iresnet3d50)")
    parser.add_argument("--mode", choices=("mean", "centre"), default="mean", help="see videonet/models/inflate.py")
    parser.add_argument("--inflation", metavar="ROW", help="temporal kernels: paper (default), i3d, c2d, slow, 2d")
    parser.add_argument("--wiring", choices=("paper", "released"), help="of the net and of the weights")
    parser.add_argument("--source", help="whose weights, where the file does not show it: authors, torchvision ...")
    parser.add_argument("--out", metavar="FILE", help="where the inflated weights go")
    parser.add_argument("--check", action="store_true", help="compare both nets on a clip of one repeated frame")


def run(a: argparse.Namespace, words: list[str]) -> int:
    """1 where --check finds that the nets do not agree. Raises WeightsError or OutputError."""
    import torch

    from videonet.engine.files import OutputError, atomic
    from videonet.models.download import weights_path
    from videonet.models.pretrained import load_weights
    from videonet.models.still_clip import compare_on_still_clip
    from videonet.models.weightfile import WeightsError, read_weights

    if a.out is None and not a.check:
        raise WeightsError("nothing to do: give --out FILE, --check, or both")
    if a.out is not None and Path(a.out).exists():
        raise OutputError(f"{a.out} exists already; choose another file")
    to = a.to or re.sub(r"(?=\d)", "3d", a.model, count=1)
    file = read_weights(weights_path(a.weights)) if a.weights is not None else None
    wiring = a.wiring or (file.settings.get("wiring") if file is not None else None)
    net_2d, net_3d = _nets(a.model, to, file, wiring, a.inflation)
    if (net_2d.dims, net_3d.dims) != (2, 3):
        raise WeightsError(f"{a.model} and {to} must be a 2D net and a video net, such as iresnet50 and iresnet3d50")
    if file is not None:
        print(load_weights(net_2d, file, source=a.source, wiring=wiring).summary())
    try:
        load_weights(net_3d, net_2d.state_dict(), wiring=wiring or "paper", inflation_mode=a.mode)
    except WeightsError as error:
        raise WeightsError(f"{to} is not the video net of {a.model}: {error}") from None
    if a.out is not None:
        settings = {"name": to, "wiring": wiring or "paper", "inflation": a.inflation}
        with atomic(Path(a.out)) as target:
            torch.save({"state_dict": net_3d.state_dict(), "config": {"model": settings}}, target)
        print(f"{a.mode}-inflated weights of {to}: {a.out}")
    if not a.check:
        return 0
    rows = compare_on_still_clip(net_2d, net_3d, a.mode)
    print(f"{a.model} -> {to}, {a.mode}, a clip of one repeated frame, in float64:")
    print("\n".join(f"  {row}" for row in rows))
    return 0 if all(row.passed for row in rows) else 1


def _nets(
    name: str, to: str, file: WeightFile | None, wiring: str | None, inflation: str | None
) -> tuple[Recognizer, Recognizer]:
    """Both nets, with the classes of the file."""
    from videonet.models import create_model
    from videonet.models.recognizer import Recognizer
    from videonet.models.weightfile import WeightsError

    classifier = file.tensors.get("fc.weight") if file is not None else None
    classes = 1000 if classifier is None else len(classifier)
    try:
        net_2d = create_model(name, classes, wiring or "paper")
        net_3d = create_model(to, classes, wiring or "paper", inflation=inflation)
    except ValueError as error:
        raise WeightsError(str(error)) from None
    if not isinstance(net_2d, Recognizer) or not isinstance(net_3d, Recognizer):
        raise WeightsError(f"{name} and {to} must both be networks of the paper; other packages' are not inflated")
    return net_2d, net_3d
