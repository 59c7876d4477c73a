"""The sub-commands about weights: `download` fetches, `inflate` turns those of a 2D net into those of its video net."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from videonet.engine.files import OutputError, atomic
from videonet.models import create_model
from videonet.models import download as catalogue
from videonet.models.inflate import Mode
from videonet.models.pretrained import load_weights
from videonet.models.recognizer import Recognizer
from videonet.models.still_clip import compare_on_still_clip
from videonet.models.weightfile import WeightFile, WeightsError, read_weights


def download(name_or_url: str, sha256: str | None, *, shown: bool) -> None:
    """Print where the file lies and, for a known name, what takes it. Raises WeightsError."""
    path = catalogue.download(name_or_url, sha256, progress=shown)
    print(path)
    if name_or_url in catalogue.KNOWN:
        print(f"for {catalogue.KNOWN[name_or_url].model}: videonet train model.weights={name_or_url} ...")


def inflate(
    weights: str | None,
    name: str,
    to: str | None,
    mode: Mode,
    out: str | None,
    check: bool,
    *,
    wiring: str | None = None,
    source: str | None = None,
    inflation: str | None = None,
) -> int:
    """Write the inflated weights to `out` and, with `check`, print how far the two nets agree; 1 where they do not.

    weights: None: freshly drawn ones. to: None: the video net of the family. Raises WeightsError or OutputError.
    """
    if out is None and not check:
        raise WeightsError("nothing to do: give --out FILE, --check, or both")
    if out is not None and Path(out).exists():
        raise OutputError(f"{out} exists already; choose another file")
    to = to or re.sub(r"(?=\d)", "3d", name, count=1)
    file = read_weights(catalogue.weights_path(weights)) if weights is not None else None
    wiring = wiring or (file.settings.get("wiring") if file is not None else None)
    net_2d, net_3d = _nets(name, to, file, wiring, inflation)
    if (net_2d.dims, net_3d.dims) != (2, 3):
        raise WeightsError(f"{name} and {to} must be a 2D net and a video net, such as iresnet50 and iresnet3d50")
    if file is not None:
        print(load_weights(net_2d, file, source=source, wiring=wiring).summary())
    try:
        load_weights(net_3d, net_2d.state_dict(), wiring=wiring or "paper", inflation_mode=mode)
    except WeightsError as error:
        raise WeightsError(f"{to} is not the video net of {name}: {error}") from None
    if out is not None:
        settings = {"name": to, "wiring": wiring or "paper", "inflation": inflation}
        with atomic(Path(out)) as target:
            torch.save({"state_dict": net_3d.state_dict(), "config": {"model": settings}}, target)
        print(f"{mode}-inflated weights of {to}: {out}")
    if not check:
        return 0
    rows = compare_on_still_clip(net_2d, net_3d, mode)
    print(f"{name} -> {to}, {mode}, a clip of one repeated frame, in float64:")
    print("\n".join(f"  {row}" for row in rows))
    return 0 if all(row.passed for row in rows) else 1


def _nets(
    name: str, to: str, file: WeightFile | None, wiring: str | None, inflation: str | None
) -> tuple[Recognizer, Recognizer]:
    """Both nets, with the classes of the file."""
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
