"""What commands on a checkpoint share: its run folder, and its config with a file and options laid over it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from videonet import build
from videonet.config import Config, ConfigError, Resolved, from_dict, load_config, to_dict
from videonet.engine.checkpoint import Checkpoint


def run_dir(checkpoint_path: str) -> Path:
    """The run that a checkpoint belongs to: the folder above `checkpoints/`."""
    folder = Path(checkpoint_path).resolve().parent
    return folder.parent if folder.name == "checkpoints" else folder


def config_of(checkpoint: Checkpoint, path: str, cfg: str | None, opts: Sequence[str]) -> Resolved:
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
