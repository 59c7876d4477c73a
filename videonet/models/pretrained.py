"""Other people's weights in our nets: read, rename (`keymaps.SOURCES`), bring to shape, check, load, report.

A net of another depth often fits in part without a word: both the share of the net that was filled and the share of
the file that was used must be whole, unless told otherwise. What shapes cannot show (wiring, pool over time) is taken
from the file or its source, or has to be said; it is never guessed. A load that fails leaves the net untouched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from videonet.models.backbone import Backbone
from videonet.models.families import INFLATIONS
from videonet.models.inflate import Mode, deflate, inflate
from videonet.models.keymaps import SOURCES, Source, recognise, renamed
from videonet.models.weightfile import WeightFile, WeightsError, read_weights, unwrap

Head = Literal["strict", "reset", "match"]

_TWO_WIRINGS = ("paper", "released")  # of the staged families: same keys, same shapes

__all__ = ["SOURCES", "LoadReport", "WeightsError", "load_weights"]


@dataclass(frozen=True)
class LoadReport:
    """What became of the entries of a file, under our keys."""

    source: str
    """The row of `SOURCES` that the keys were read by."""
    loaded: tuple[str, ...]
    reshaped: tuple[str, ...]
    """Those of `loaded` that gained or lost the axis of time."""
    missing: tuple[str, ...]
    """In the net, not in the file."""
    unexpected: tuple[str, ...]
    """In the file, not in the net."""
    mismatched: tuple[str, ...]
    """In both, with different shapes: "key (file's shape) for (net's shape)"."""
    model_share: float
    """Share of the net's numbers that were loaded; a head that was reset or matched does not count."""
    file_share: float
    """Share of the file's numbers that were loaded; likewise."""
    head: str = "loaded"
    """What became of the classifier."""
    matched_classes: tuple[str, ...] = field(default=(), repr=False)
    """Classes of the net whose row in the classifier came from the file, with head "match"."""

    def summary(self) -> str:
        """One line."""
        reshaped = f" ({len(self.reshaped)} reshaped)" if self.reshaped else ""
        return (
            f"{len(self.loaded)} entries loaded{reshaped} from {self.source}: {self.model_share:.1%} of the net, "
            f"{self.file_share:.1%} of the file; head {self.head}"
        )

    def details(self) -> list[str]:
        """A line for each kind of entry that did not simply go in."""
        lines = []
        for what in ("reshaped", "missing", "unexpected", "mismatched"):
            keys: tuple[str, ...] = getattr(self, what)
            if keys:
                lines.append(f"{what}: {', '.join(keys[:4])}{f' and {len(keys) - 4} more' if len(keys) > 4 else ''}")
        return lines


def load_weights(
    model: Backbone,
    weights: str | Path | WeightFile | Mapping[str, Any],
    *,
    source: str | None = None,
    wiring: str | None = None,
    head: Head = "strict",
    class_names: Sequence[str] | None = None,
    source_class_names: Sequence[str] | None = None,
    inflation_mode: Mode | None = None,
    min_share: float = 1.0,
) -> LoadReport:
    """Load a checkpoint file, a checkpoint or a state dict into `model`, in place.

    source: a row of `keymaps.SOURCES`; None: the one that the keys or the checkpoint show.
    wiring: the one the weights were trained with. Needed for the staged families where neither the source nor the file
        says it; a net built with the wiring "released" takes such weights without a word, since nobody gets it unasked.
    head: "strict" loads the classifier. "reset" draws a fresh one, for other classes than the file's. "match" draws a
        fresh one and copies the rows of the classes that both sides name, whatever the case and with "_" for " ".
    class_names: the net's classes, for "match".
    source_class_names: the file's, for "match"; None: those in a checkpoint of ours.
    inflation_mode: how 2D weights come into a 3D net, or the reverse; not needed where every temporal kernel is 1.
    min_share: least share of the net that must be filled, and of the file that must be used.

    Raises WeightsError, a ValueError, where the file cannot be read (`weightfile`), does not fit, or was trained with
    another wiring or pool over time than the net has.
    """
    if not isinstance(model, Backbone):
        raise WeightsError(f"a {type(model).__name__} takes the weights of its own package, with load_state_dict")
    if isinstance(weights, WeightFile):
        file = weights
    else:
        file = unwrap(weights) if isinstance(weights, Mapping) else read_weights(weights)
    if source is not None and source not in SOURCES:
        raise WeightsError(f"source {source!r} of weights is not known. Known: {', '.join(SOURCES)}")
    if wiring not in (None, *_TWO_WIRINGS):
        raise WeightsError(f"wiring {wiring!r} is not known. Known: {', '.join(_TWO_WIRINGS)}")
    name = source or recognise(file, staged=model.wiring in _TWO_WIRINGS)
    row = SOURCES[name or "ours"]
    state: Mapping[str, Tensor] = renamed(file.tensors, row)
    own: Mapping[str, Tensor] = model.state_dict()
    rows_of: dict[str, tuple[int, int]] = {}
    if head == "match":
        rows_of = _common_classes(model, state, class_names, source_class_names or file.class_names)
    classifier = {key: tensor for key, tensor in state.items() if _of_head(key)}
    if head != "strict":
        state, own = _without_head(state), _without_head(own)
    state, reshaped = _to_shape(state, own, model, inflation_mode)

    fits = {key: value for key, value in state.items() if key in own and value.shape == own[key].shape}
    report = LoadReport(
        source=name or "a state dict with our keys",
        loaded=tuple(fits),
        reshaped=tuple(key for key in reshaped if key in fits),
        missing=tuple(key for key in own if key not in state),
        unexpected=tuple(key for key in state if key not in own),
        mismatched=tuple(
            f"{key} {tuple(state[key].shape)} for {tuple(own[key].shape)}"
            for key in state
            if key in own and key not in fits
        ),
        model_share=_size(fits) / _size(own),
        file_share=_size(fits) / max(_size(state), 1),
        head=_fate_of_head(head, fits, len(rows_of)),
        matched_classes=tuple(rows_of),
    )
    if min(report.model_share, report.file_share) < min_share:
        raise WeightsError(_misfit(report, min_share, own, state))
    _check_unseen(model, file, row, wiring)
    model.load_state_dict(fits, strict=False)
    if head != "strict":
        _fresh_head(model, classifier, rows_of.values())
    return report


def _check_unseen(model: Backbone, file: WeightFile, row: Source, wiring: str | None) -> None:
    """The wiring and the pool over time, which leave no trace in keys and shapes."""
    staged = model.wiring in _TWO_WIRINGS
    stored = file.settings.get("wiring")
    if staged and wiring is not None and stored not in (None, wiring):
        raise WeightsError(f"the file says that it was trained with wiring {stored!r}, not {wiring!r}")
    needed = wiring or row.wiring or stored
    if needed == "original" != model.wiring:
        raise WeightsError(f"weights of ResNet's own wiring do not work in a net of wiring {model.wiring!r}")
    if staged and needed is None and model.wiring == "paper":
        raise WeightsError(
            "nothing says which wiring these weights were trained with, and logits depend on it: the authors' need "
            "'released' (create_model(..., wiring='released')); if they are this net's, say wiring='paper' "
            "(in a config model.weights_wiring=paper)"
        )
    if staged and needed not in (None, model.wiring):
        raise WeightsError(
            f"weights of wiring {needed!r} do not work in a net of wiring {model.wiring!r}; "
            f"build it with create_model(..., wiring={needed!r}), in a config model.wiring={needed}"
        )
    recipe = INFLATIONS.get(file.settings.get("inflation") or "")
    pool = recipe.time_pool if recipe else row.time_pool
    if model.dims == 3 and pool not in (None, model.time_pool):
        have = {1: "no pool over time"}
        raise WeightsError(
            f"weights of a net with {have.get(pool or 1, 'a pool over time')} after stage 1 do not work in one with "
            f"{have.get(model.time_pool, 'such a pool')}; build it with inflation 'i3d' or 'c2d' to have the pool, "
            "'slow' or '2d' not to have it"
        )


def _to_shape(
    state: Mapping[str, Tensor], own: Mapping[str, Tensor], model: nn.Module, mode: Mode | None
) -> tuple[Mapping[str, Tensor], list[str]]:
    """`state` with the axis of time that the net has, and the keys that it was changed for."""
    changed = [key for key, value in state.items() if key in own and {value.ndim, own[key].ndim} == {4, 5}]
    longest = max((max(_time(state[key]), _time(own[key])) for key in changed), default=1)
    if not changed or (mode is None and longest > 1):
        return state, []
    mode = mode or "centre"  # the same for kernels of 1
    return (inflate(state, model, mode) if state[changed[0]].ndim == 4 else deflate(state, mode)), changed


def _time(weight: Tensor) -> int:
    return weight.shape[2] if weight.ndim == 5 else 1


def _common_classes(
    model: Backbone, state: Mapping[str, Tensor], ours: Sequence[str] | None, theirs: Sequence[str] | None
) -> dict[str, tuple[int, int]]:
    """Class -> (row of the net, row of the file) for the names that stand once on either side."""
    if ours is None or theirs is None:
        side = "class_names" if ours is None else "source_class_names"
        raise WeightsError(f"head='match' needs {side}, which are not given and not in the file")
    for side, names, rows in (("class_names", ours, model.state_dict()), ("source_class_names", theirs, state)):
        if "fc.weight" not in rows or len(names) != len(rows["fc.weight"]):
            have = len(rows["fc.weight"]) if "fc.weight" in rows else "no"
            raise WeightsError(f"{side} are {len(names)} names for a classifier of {have} rows")
    if state["fc.weight"].shape[1] != model.state_dict()["fc.weight"].shape[1]:
        raise WeightsError("head='match' needs classifiers that read as many features")
    own, other = _folded(ours), _folded(theirs)
    common = {ours[row]: (row, other[name]) for name, row in own.items() if name in other}
    if not common:
        raise WeightsError(
            f"no class of the net ({', '.join(ours[:3])}, ...) is one of the file's ({', '.join(theirs[:3])}, ...); "
            "use head='reset'"
        )
    return common


def _folded(names: Sequence[str]) -> dict[str, int]:
    """Name without case and underscores -> its row; names that stand twice, as "crane" in ImageNet, are left out."""
    folded = [" ".join(name.replace("_", " ").casefold().split()) for name in names]
    times = Counter(folded)
    return {name: row for row, name in enumerate(folded) if times[name] == 1}


@torch.no_grad()
def _fresh_head(model: Backbone, classifier: Mapping[str, Tensor], rows: Iterable[tuple[int, int]]) -> None:
    """A newly drawn classifier with `rows` (to, from) copied."""
    for name, layer in model.named_children():
        if isinstance(layer, nn.Linear):
            layer.reset_parameters()
            for to, origin in rows:
                layer.weight[to] = classifier[f"{name}.weight"][origin]
                layer.bias[to] = classifier[f"{name}.bias"][origin]


def _fate_of_head(head: Head, fits: Mapping[str, Tensor], matched: int) -> str:
    if head == "match":
        return f"matched in {matched} classes, the others reset"
    return "reset" if head == "reset" else "loaded" if any(map(_of_head, fits)) else "as it was"


def _of_head(key: str) -> bool:
    return key.startswith("fc.")


def _without_head(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if not _of_head(key)}


def _size(state: Mapping[str, Tensor]) -> int:
    """Numbers in a state dict; the batch counters, which old files lack, do not count."""
    return sum(value.numel() for key, value in state.items() if not key.endswith("num_batches_tracked"))


def _misfit(report: LoadReport, min_share: float, own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    lines = [
        f"weights fill {report.model_share:.1%} of the net and {report.file_share:.1%} of them are used; "
        f"both must be at least {min_share:.1%}",
        *report.details(),
    ]
    axes = {(state[key].ndim, tensor.ndim) for key, tensor in own.items() if key in state}
    if (4, 5) in axes or (5, 4) in axes:
        lines.append(
            f"these are weights of a {'2D' if (4, 5) in axes else '3D'} net: give inflation_mode 'mean' or 'centre' "
            "(in a config model.weights_inflate)"
        )
    elif all(_of_head(entry) for entry in report.mismatched) and report.mismatched:
        lines.append(
            "only the classifier differs: build the net with the file's num_classes, or give head='reset' "
            "(in a config model.weights_head)"
        )
    return "\n".join(lines)
