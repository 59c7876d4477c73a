"""Other people's weights: the authors' checkpoints, torchvision's and timm's ResNets and ResNeXts, our own files.

All of them name their layers as we do, so that loading is unwrapping, a strict look at what fits, and for a video net
inflation. A net of another depth often fits in part without a word: both the share of the net that was filled and the
share of the file that was used must be whole, unless told otherwise.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from videonet.models.backbone import Backbone
from videonet.models.inflate import Mode, inflate

_WRAPPERS = ("state_dict", "model_state", "model")  # the authors and timm; PySlowFast; ours
_PREFIXES = ("module.", "_orig_mod.")  # DataParallel; torch.compile


@dataclass(frozen=True)
class LoadReport:
    """What became of the entries of a file."""

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    """In the net, not in the file."""
    unexpected: tuple[str, ...]
    """In the file, not in the net."""
    mismatched: tuple[str, ...]
    """In both, with different shapes: "key (file's shape) for (net's shape)"."""
    model_share: float
    """Share of the net's numbers that were loaded."""
    file_share: float
    """Share of the file's numbers that were loaded."""


def load_weights(
    model: Backbone,
    weights: str | Path | Mapping[str, Tensor],
    *,
    wiring: str | None = None,
    head: Literal["strict", "reset"] = "strict",
    inflation_mode: Mode | None = None,
    min_share: float = 1.0,
) -> LoadReport:
    """Load a checkpoint file or a state dict into `model`, in place.

    wiring: the one the weights were trained with; "released" for the authors' staged nets.
    head: "reset" leaves the classifier of `model` as it is, for other classes than the file's.
    inflation_mode: how 2D weights come into a 3D net.
    min_share: least share of the net that must be filled, and of the file that must be used.

    Raises ValueError, and leaves `model` untouched, where the file holds no state dict, does not fit, or needs the
    other wiring; OSError where it cannot be read.
    """
    if wiring is not None and model.wiring in ("paper", "released") and wiring != model.wiring:
        raise ValueError(
            f"weights of wiring {wiring!r} do not work in a net of wiring {model.wiring!r}; "
            f"build it with create_model(..., wiring={wiring!r})"
        )
    state = _unwrapped(weights if isinstance(weights, Mapping) else _read(Path(weights)))
    own = model.state_dict()
    if head == "reset":
        state, own = _without_head(state), _without_head(own)
    if inflation_mode is not None:
        state = inflate(state, model, inflation_mode)

    fits = {key: value for key, value in state.items() if key in own and value.shape == own[key].shape}
    report = LoadReport(
        loaded=tuple(fits),
        missing=tuple(key for key in own if key not in state),
        unexpected=tuple(key for key in state if key not in own),
        mismatched=tuple(
            f"{key} {tuple(state[key].shape)} for {tuple(own[key].shape)}"
            for key in state
            if key in own and key not in fits
        ),
        model_share=_size(fits) / _size(own),
        file_share=_size(fits) / max(_size(state), 1),
    )
    if min(report.model_share, report.file_share) < min_share:
        raise ValueError(_misfit(report, min_share, own, state))
    model.load_state_dict(fits, strict=False)
    return report


def _read(path: Path) -> Mapping[str, object]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path} holds more than plain tensors; save its state_dict() alone") from error
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} holds a {type(content).__name__}, not a state dict")
    return content


def _unwrapped(content: Mapping[str, object]) -> dict[str, Tensor]:
    """The tensors of a state dict or of a checkpoint around one, keys without the prefixes of wrappers."""
    for wrapper in _WRAPPERS:
        inner = content.get(wrapper)
        if isinstance(inner, Mapping):
            content = inner
            break
    state = {}
    for key, value in content.items():
        if isinstance(value, Tensor):
            for prefix in _PREFIXES:
                key = key.removeprefix(prefix)
            state[key] = value
    if not state:
        raise ValueError(f"no state dict found; the file's keys are {', '.join(list(content)[:8])}")
    return state


def _without_head(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if not key.startswith("fc.")}


def _size(state: Mapping[str, Tensor]) -> int:
    """Numbers in a state dict; the batch counters, which old files lack, do not count."""
    return sum(value.numel() for key, value in state.items() if not key.endswith("num_batches_tracked"))


def _misfit(report: LoadReport, min_share: float, own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    lines = [
        f"weights fill {report.model_share:.1%} of the net and {report.file_share:.1%} of them are used; "
        f"both must be at least {min_share:.1%}"
    ]
    for what in ("missing", "unexpected", "mismatched"):
        keys = getattr(report, what)
        if keys:
            lines.append(f"{what}: {', '.join(keys[:4])}{f' and {len(keys) - 4} more' if len(keys) > 4 else ''}")
    if any(key in state and tensor.ndim == 5 and state[key].ndim == 4 for key, tensor in own.items()):
        lines.append("these are weights of a 2D net: give inflation_mode 'mean' or 'centre'")
    elif all(entry.startswith("fc.") for entry in report.mismatched) and report.mismatched:
        lines.append("only the classifier differs: build the net with the file's num_classes, or give head='reset'")
    return "\n".join(lines)
