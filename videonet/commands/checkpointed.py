"""What commands on a checkpoint share: its run folder, its config with options laid over it, and its network.

Commands that only need logits also take an exported file (.onnx, .pt2) for a checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from videonet import build
from videonet.config import Config, ConfigError, Resolved, from_dict, load_config, to_dict
from videonet.data.preprocessing import Preprocessing
from videonet.engine.checkpoint import load_checkpoint
from videonet.engine.exported import kind_of, open_exported


class Configured(Protocol):
    """A checkpoint, or what else holds its config."""

    @property
    def config(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Stored:
    """A trained network in a file, and what it takes to feed it and to read its logits."""

    config: Config
    """With the options laid over it."""
    in_file: Mapping[str, Any]
    """The config as it stands in the file."""
    preprocessing: Preprocessing
    class_names: Sequence[str]
    precision: str
    network: Callable[[torch.device], nn.Module]
    """Loads it. Raises CheckpointError or ExportError."""


def open_stored(path: str, opts: Sequence[str], trust_pt2: bool = False) -> Stored:
    """A checkpoint, or an exported file, told by its suffix.

    Raises CheckpointError, ExportError, or ConfigError for options that do not fit it.
    """
    kind = kind_of(Path(path))
    if kind is None:
        checkpoint = load_checkpoint(path)
        config = config_of(checkpoint, path, None, opts).config
        preprocessing = build.build_preprocessing(config)

        def restored(device: torch.device) -> nn.Module:
            return build.restore_model(checkpoint, config.model, preprocessing).to(device)

        precision = config.train.precision
        return Stored(config, checkpoint.config, preprocessing, checkpoint.class_names, precision, restored)
    exported = open_exported(Path(path), kind, trust_pt2)
    card = exported.card
    resolved = config_of(card, path, None, opts)
    if changed := [key for key in _BUILT_IN if resolved.origins[key] == "--opts"]:
        raise ConfigError([f"{key} is built into {path} and cannot be changed; export it again" for key in changed])
    sees = replace(build.build_preprocessing(resolved.config), input=card.feeding.input)
    return Stored(resolved.config, card.config, sees, card.class_names, "fp32", exported.network)


_BUILT_IN = ("clip.frames", "clip.crop", "clip.input", "clip.mean", "clip.std")
"""Settings that the graph of an exported file was traced with."""


def run_dir(checkpoint_path: str) -> Path:
    """The run that a checkpoint belongs to: the folder above `checkpoints/`."""
    folder = Path(checkpoint_path).resolve().parent
    return folder.parent if folder.name == "checkpoints" else folder


def config_of(checkpoint: Configured, path: str, cfg: str | None, opts: Sequence[str]) -> Resolved:
    """The checkpoint's own config, with the file and the options laid over it.

    The network must stay what it is, and what it sees may change only by an option: no file does it by accident.
    """
    resolved = load_config(cfg, opts, build.KNOWN_NAMES, stored=checkpoint.config)
    stored, now = flat(from_dict(checkpoint.config, path)), flat(resolved.config)
    problems = []
    for key, value in now.items():
        origin = resolved.origins[key]
        if value != stored[key] and (key.startswith("model.") or (key.startswith("clip.") and origin != "--opts")):
            way_out = "train anew" if key.startswith("model.") else f"say --opts {key}={value} to test it that way"
            problems.append(f"{key} is {stored[key]!r} in the checkpoint but {value!r} in {origin}; {way_out}")
    if problems:
        raise ConfigError(problems)
    return resolved


def flat(config: Config) -> dict[str, object]:
    """Every setting by its dotted key."""
    tree = to_dict(config)
    flat = {key: value for key, value in tree.items() if not isinstance(value, dict)}
    for section, values in tree.items():
        if isinstance(values, dict):
            flat |= {f"{section}.{key}": value for key, value in values.items()}
    return flat
