"""Exported networks: ONNX and .pt2 files that carry what is needed to use them, and how they are read.

Such a file maps clips (N, 3, T, S, S), N free, to logits (N, K), and holds a card: JSON in ONNX's metadata under
"videonet", in a .pt2 as the extra file "videonet.json". The card's keys: format, input (name, dtype, shape, values),
output, model (name, wiring, folded), class_names, preprocessing, checkpoint_sha256, config, and versions.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from videonet.data.preprocessing import Preprocessing

Kind = Literal["pt2", "onnx"]
Input = Literal["uint8", "float32"]

FORMAT = 1
KEY = "videonet"
EXTRA_FILE = "videonet.json"
INPUT_NAME, OUTPUT_NAME = "clips", "logits"

_VALUES = {
    "uint8": "RGB as decoded, 0 to 255; the normalisation is inside",
    "float32": "RGB normalised as `preprocessing` says",
}


class ExportError(ValueError):
    """A network cannot be exported, or an exported one cannot be used, as asked; the message says the way out."""


@dataclass(frozen=True)
class Card:
    """What an exported file says of itself."""

    input: Input
    """uint8: clips as they leave the decoder. float32: normalised clips."""
    preprocessing: Preprocessing
    class_names: tuple[str, ...]
    settings: dict[str, Any]
    """The checkpoint's config without its `clip` section, which is the preprocessing, and without paths."""
    checkpoint_sha256: str
    folded: bool
    """Whether normalisations were folded into convolutions."""
    versions: dict[str, str]

    def to_json(self) -> str:
        """For the file."""
        p, model = self.preprocessing, self.settings["model"]
        shape = ["batch", 3, p.frames, p.crop, p.crop]
        return json.dumps(
            {
                "format": FORMAT,
                "input": {"name": INPUT_NAME, "dtype": self.input, "shape": shape, "values": _VALUES[self.input]},
                "output": {"name": OUTPUT_NAME, "shape": ["batch", len(self.class_names)]},
                "model": {"name": model["name"], "wiring": model["wiring"], "folded": self.folded},
                "class_names": self.class_names,
                "preprocessing": p.to_dict(),
                "checkpoint_sha256": self.checkpoint_sha256,
                "config": self.settings,
                "versions": self.versions,
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str, path: Path) -> Card:
        """The inverse of `to_json`. Raises ExportError."""
        try:
            values = json.loads(text)
            if values["format"] != FORMAT or values["input"]["dtype"] not in get_args(Input):
                raise ExportError(f"{path} is of a format that this version cannot read; export it again")
            return cls(
                input=values["input"]["dtype"],
                preprocessing=Preprocessing.from_dict(values["preprocessing"]),
                class_names=tuple(values["class_names"]),
                settings=values["config"],
                checkpoint_sha256=values["checkpoint_sha256"],
                folded=values["model"]["folded"],
                versions=values["versions"],
            )
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ExportError(f"{path} holds no sound description of its network ({error!r})") from None

    @property
    def config(self) -> dict[str, Any]:
        """As a checkpoint's."""
        return {**self.settings, "clip": asdict(self.preprocessing)}

    @property
    def feeding(self) -> Preprocessing:
        """The preprocessing whose `normalise` gives what the file's graph takes."""
        return replace(self.preprocessing, input="raw") if self.input == "uint8" else self.preprocessing


class ExportedNetwork(nn.Module):
    """The graph of a file as a network: clips (N, 3, T, S, S) as `card.input` says -> logits (N, K)."""

    def __init__(self, run: Callable[[Tensor], Tensor], card: Card) -> None:
        super().__init__()
        self.card = card
        self._run = run

    def forward(self, clips: Tensor) -> Tensor:
        """Raises ValueError for clips of another size or type than the file's."""
        p = self.card.preprocessing
        size, dtype = (3, p.frames, p.crop, p.crop), getattr(torch, self.card.input)
        if clips.shape[1:] != size or clips.dtype != dtype:
            raise ValueError(f"the network takes {dtype} (N, {size}), got {clips.dtype} {tuple(clips.shape)}")
        return self._run(clips)


def kind_of(path: Path) -> Kind | None:
    """By the suffix; None where it is that of no exported file."""
    return {".onnx": "onnx", ".pt2": "pt2"}.get(path.suffix.lower())  # type: ignore[return-value]  # of str values


@dataclass(frozen=True)
class ExportedFile:
    """A file whose card was read."""

    card: Card
    network: Callable[[torch.device], ExportedNetwork]
    """Loads its graph. Raises ExportError where it is broken."""


def open_exported(path: Path, kind: Kind, trusted: bool = False) -> ExportedFile:
    """Read a file's card. A .pt2 must be `trusted`: PyTorch unpickles it, which can run code of its author.

    Raises ExportError where it is missing or broken, holds no card, is not trusted, or its runtime is not installed.
    """
    if not path.is_file():
        raise ExportError(f"{path} does not exist")
    if kind == "onnx":
        return _open_onnx(path)
    if not trusted:
        raise ExportError(
            f"{path}: PyTorch reads .pt2 files by unpickling, which can run code of whoever made the file; if you "
            "trust its origin, say --trust-pt2. An .onnx file holds no code"
        )
    text = _extra_file(path)
    if text is None:
        raise _without_card(path)
    card = Card.from_json(text, path)
    return ExportedFile(card, lambda device: _load_pt2(path, card, device))


def _open_onnx(path: Path) -> ExportedFile:
    try:
        import onnxruntime
    except ImportError:
        raise ExportError(f"{path} needs onnxruntime: pip install 'videonet[export]'") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()

    def session(*providers: str) -> Any:
        try:
            return onnxruntime.InferenceSession(path, options, providers=[*providers, "CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001  # its errors share no base class; raised again as one kind
            raise _broken(path, error) from None

    on_cpu = session()
    text = on_cpu.get_modelmeta().custom_metadata_map.get(KEY)
    if text is None:
        raise _without_card(path)
    card = Card.from_json(text, path)

    def network(device: torch.device) -> ExportedNetwork:
        on_gpu = device.type == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers()
        runtime = session("CUDAExecutionProvider") if on_gpu else on_cpu
        return ExportedNetwork(
            lambda clips: torch.from_numpy(runtime.run([OUTPUT_NAME], {INPUT_NAME: clips.cpu().numpy()})[0]), card
        )

    return ExportedFile(card, network)


def _load_pt2(path: Path, card: Card, device: torch.device) -> ExportedNetwork:
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it maps its own buffer
            program = torch.export.load(file)
        if device.type != "cpu":
            from torch.export.passes import move_to_device_pass

            program = move_to_device_pass(program, device)
        graph = program.module()
    except Exception as error:  # noqa: BLE001  # many kinds; raised again as one
        raise _broken(path, error) from None
    return ExportedNetwork(lambda clips: graph(clips), card)


def _extra_file(path: Path) -> str | None:
    """The card of a .pt2, which is a zip file, before any of the rest is read."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = [name for name in archive.namelist() if name.endswith(f"/extra/{EXTRA_FILE}")]
            return archive.read(found[0]).decode() if found else None
    except (zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise _broken(path, error) from None


def _broken(path: Path, error: Exception) -> ExportError:
    first = str(error).strip().partition("\n")[0] or type(error).__name__
    return ExportError(f"{path} cannot be read (truncated, or not an exported network): {first}")


def _without_card(path: Path) -> ExportError:
    return ExportError(f"{path} was not written by videonet export: it says neither its classes nor its preprocessing")
