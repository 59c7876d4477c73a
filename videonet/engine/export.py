"""A network and its preprocessing as one file for other runtimes: .pt2 by torch.export, .onnx by torch.onnx."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import IO, Any

import torch
from torch import Tensor, nn

from videonet.data.batch import Batch
from videonet.data.preprocessing import Preprocessing

from .exported import EXTRA_FILE, INPUT_NAME, KEY, OUTPUT_NAME, Card, ExportedNetwork, ExportError, Kind
from .forward import run_views

_ONNX_BYTES = 2_000_000_000  # one file, a protocol buffer, holds 2 GiB
PATH_SETTINGS = (
    "output_dir", "data.train", "data.val", "data.test", "data.root", "data.classes", "data.manifest",
    "data.quarantine", "model.weights", "model.weights_classes",
)  # fmt: skip
"""Settings that name files of the machine trained on, which an exported file does not tell."""


class FromPixels(nn.Module):
    """A classifier that normalises its clips itself: uint8 (N, 3, T, S, S) -> logits (N, K)."""

    def __init__(self, network: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network = network
        self.preprocessing = preprocessing

    def forward(self, clips: Tensor) -> Tensor:
        """uint8 (N, 3, T, S, S) -> (N, K)."""
        return self.network(self.preprocessing.normalise(clips))


@dataclass(frozen=True)
class Agreement:
    """An exported network beside the one it was made of, on the same clips."""

    clips: int
    failed: int
    """Videos that could not be read."""
    largest_difference: float
    """Of any logit."""
    largest_logit: float
    """Its size, to see the difference against."""
    same_top: int
    """Clips with the same most probable class."""

    def __str__(self) -> str:
        unread = f", {self.failed} could not be read" if self.failed else ""
        return (
            f"{self.clips} clips{unread}: largest difference of logits {self.largest_difference:.2e} "
            f"(logits up to {self.largest_logit:.3g}), the same top class on {self.same_top} of {self.clips}"
        )


def export(file: IO[bytes], kind: Kind, network: nn.Module, card: Card) -> None:
    """Write `network`, in eval mode on the CPU, with its card. Raises ExportError where the exporter cannot take it."""
    p = card.preprocessing
    module = (FromPixels(network, p) if card.input == "uint8" else network).eval()
    example = torch.zeros((2, 3, p.frames, p.crop, p.crop), dtype=getattr(torch, card.input))
    WRITERS[kind](file, module, example, card)


def _write_pt2(file: IO[bytes], module: nn.Module, example: Tensor, card: Card) -> None:
    batch = torch.export.Dim("batch", min=1)
    try:
        program = torch.export.export(module, (example,), dynamic_shapes=({0: batch},))
        torch.export.save(program, file, extra_files={EXTRA_FILE: card.to_json()})
    except Exception as error:  # many kinds; raised again as one
        raise _refused("torch.export", card, error) from error


def _write_onnx(file: IO[bytes], module: nn.Module, example: Tensor, card: Card) -> None:
    size = sum(tensor.nbytes for tensor in module.state_dict().values())
    if size > _ONNX_BYTES:
        raise ExportError(f"{size / 1e9:.1f} GB of weights do not fit an ONNX file, which holds 2 GB; use --format pt2")
    try:
        import onnxscript  # noqa: F401  # what the exporter works with
    except ImportError:
        raise ExportError("ONNX files need onnx and onnxscript: pip install 'videonet[export]'") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter's own insides
            program = torch.onnx.export(
                module, (example,), dynamo=True, verbose=False, dynamic_shapes=({0: "batch"},),
                input_names=[INPUT_NAME], output_names=[OUTPUT_NAME],
            )  # fmt: skip
    except Exception as error:  # many kinds; raised again as one
        raise _refused("torch.onnx.export", card, error) from error
    assert program is not None
    model = program.model_proto
    model.metadata_props.add(key=KEY, value=card.to_json())
    file.write(model.SerializeToString())


WRITERS: dict[Kind, Callable[[IO[bytes], nn.Module, Tensor, Card], None]] = {"pt2": _write_pt2, "onnx": _write_onnx}


def _refused(exporter: str, card: Card, error: Exception) -> ExportError:
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return ExportError(f"{exporter} cannot take {card.config['model']['name']} with batches of any size: {reason}")


def compare(
    network: nn.Module, exported: ExportedNetwork, batches: Iterable[Batch], device: torch.device, max_views: int
) -> Agreement:
    """Logits of both on every view of the batches, in float32.

    Raises ExportError where not one video could be read.
    """
    network.eval()
    card = exported.card
    clips = failed = same = 0
    difference = largest = 0.0
    for batch in batches:
        failed += len(batch.failures)
        if not len(batch):
            continue
        views = batch.on(device)
        wanted = run_views(network, views, card.preprocessing, device, "fp32", max_views).flatten(0, 1)
        found = run_views(exported, views, card.feeding, device, "fp32", max_views).flatten(0, 1)
        clips += len(wanted)
        same += int((wanted.argmax(1) == found.argmax(1)).sum())
        difference = max(difference, _largest(wanted - found))
        largest = max(largest, _largest(wanted))
    if not clips:
        raise ExportError(f"not one of the {failed} videos to check with could be read; nothing was compared")
    return Agreement(clips, failed, difference, largest, same)


def _largest(values: Tensor) -> float:
    """Largest size; infinite where any is not a number, which no limit allows."""
    return float(values.abs().nan_to_num(nan=torch.inf).max())


def without_paths(config: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint's config as a card holds it: without `clip`, which is the preprocessing, and without paths."""
    tree = {key: dict(value) if isinstance(value, dict) else value for key, value in config.items() if key != "clip"}
    for setting in PATH_SETTINGS:
        section, _, name = setting.rpartition(".")
        (tree.get(section, {}) if section else tree).pop(name, None)
    return tree
