"""Weights on disk: a checkpoint or a state dict, of any origin, read without running code and unwrapped."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_WRAPPERS = ("state_dict", "model_state", "model")  # the authors and timm; PySlowFast and pytorchvideo; ours
_PREFIXES = ("module.", "_orig_mod.")  # DataParallel; torch.compile


class WeightsError(ValueError):
    """Weights cannot be had, read or used; the message says why and the way out."""


@dataclass(frozen=True)
class WeightFile:
    """What a file or a mapping holds."""

    tensors: dict[str, Tensor]
    """The state dict, keys without the prefixes of wrappers."""
    wrapper: str | None
    """The key it stood under; None: bare."""
    parallel: bool
    """Saved from inside `DataParallel`: every key began with "module."."""
    settings: Mapping[str, Any]
    """`model` section of the config in files of ours; empty elsewhere."""
    class_names: tuple[str, ...] | None
    """Classes of the classifier's rows, in files of ours."""
    cfg: str | None
    """The config as YAML text, in files of PySlowFast."""


def read_weights(path: str | Path) -> WeightFile:
    """Read a file, GPU tensors onto the CPU, without unpickling code; `.safetensors` needs that package.

    Raises WeightsError where the file is missing, truncated, holds code or no state dict.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"weights {path} do not exist")
    content = _safetensors(path) if path.suffix == ".safetensors" else _torch(path)
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path} holds a {type(content).__name__}, not a state dict")
    try:
        return unwrap(content)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None


def unwrap(content: Mapping[str, Any]) -> WeightFile:
    """The state dict in a mapping, be it one or a checkpoint around one. Raises WeightsError where there is none."""
    wrapper = next((key for key in _WRAPPERS if isinstance(content.get(key), Mapping)), None)
    inner = content[wrapper] if wrapper else content
    tensors = {key: value for key, value in inner.items() if isinstance(key, str) and isinstance(value, Tensor)}
    if not tensors:
        raise WeightsError(f"no state dict found; the keys are {', '.join(map(str, list(inner)[:8])) or 'none at all'}")
    parallel = all(key.startswith("module.") for key in tensors)
    for prefix in _PREFIXES:
        tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    config, names, cfg = (content.get(key) if wrapper else None for key in ("config", "class_names", "cfg"))
    settings = config.get("model") if isinstance(config, Mapping) else None
    return WeightFile(
        tensors=tensors,
        wrapper=wrapper,
        parallel=parallel,
        settings=settings if isinstance(settings, Mapping) else {},
        class_names=tuple(map(str, names)) if isinstance(names, list | tuple) else None,
        cfg=cfg if isinstance(cfg, str) else None,
    )


def _torch(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        if found:
            raise WeightsError(
                f"{path} holds code ({found[1]}), not tensors alone; none of it was run. "
                "If you trust its origin, save the state_dict() alone where it can be loaded"
            ) from None
        raise _unreadable(path, "it is not a pickle of tensors") from None  # torch's own text advises to run the code
    except (KeyError, IndexError):
        raise _unreadable(path, "it is not a pickle of tensors") from None
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise _unreadable(path, str(error)) from None


def _safetensors(path: Path) -> object:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError:
        raise WeightsError(f"{path} needs safetensors: pip install safetensors") from None
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, str(error)) from None


def _unreadable(path: Path, reason: str) -> WeightsError:
    first = reason.strip().partition("\n")[0].partition(". ")[0] or "it ends too early"
    return WeightsError(f"{path} cannot be read (truncated, or not a file of weights): {first}")
