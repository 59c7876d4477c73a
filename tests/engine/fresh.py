"""A checkpoint of a small network with drawn weights and statistics: what a run leaves, without training."""

from pathlib import Path

import torch

from tests.models.fill import fill_
from videonet import build
from videonet.config import load_config, to_dict
from videonet.data.synthetic import CLASSES
from videonet.engine.checkpoint import Checkpoint, save_checkpoint

SMALL = ("model.width=8", "model.blocks=[1,1,1,1]", "clip.frames=4", "clip.crop=32", "clip.short_side=32",
         "data.workers=0", "test.clips=2", "test.crops=3", "device=cpu")  # fmt: skip


def write_checkpoint(path: Path, *opts: str, class_names: tuple[str, ...] = CLASSES) -> Path:
    """Of the default network, made small; `opts` are KEY=VALUE words laid over that."""
    config = load_config(None, [*SMALL, *opts], build.KNOWN_NAMES).config
    torch.manual_seed(0)
    network = fill_(build.build_model(config.model, len(class_names)))
    save_checkpoint(
        path,
        Checkpoint(
            network.state_dict(), {}, {}, 0, 0, to_dict(config), build.build_preprocessing(config).to_dict(),
            list(class_names), None, [],
        ),
    )  # fmt: skip
    return path
