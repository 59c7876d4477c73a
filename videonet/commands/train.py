"""`videonet train`: train, or go on training; leaves checkpoints, log and config in `output_dir`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from videonet.commands.options import add_config

if TYPE_CHECKING:
    from videonet.config import Config

MAY_CHANGE_ON_RESUME = ("output_dir", "device", "data.workers", "data.worker_", "data.prefetch_batches",
                        "data.quarantine", "data.max_failed", "train.log_every", "train.checkpoint_", "train.keep",
                        "train.eval_every", "train.early_stop", "train.timeout_minutes", "train.sharding",
                        "train.compile", "train.cuda_graph", "train.cudnn_benchmark", "optim.fused",
                        "test.", "log.")  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_config(parser)
    parser.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint, if it has one")
    parser.add_argument("--weights", metavar="FILE", help="start from these: a file, or a name that was downloaded")
    head = parser.add_mutually_exclusive_group()
    head.add_argument("--reset-head", dest="weights_head", action="store_const", const="reset",
                      help="draw the classifier anew")  # fmt: skip
    head.add_argument("--match-classes", dest="weights_head", action="store_const", const="match",
                      help="draw the classifier anew, but copy the rows of classes with the same name")  # fmt: skip


def run(a: argparse.Namespace, words: list[str]) -> int:
    """Raises ConfigError, ListError, WeightsError, CheckpointError, OutputError, TrackerError, TrainingError or
    DeviceError.
    """
    from pathlib import Path

    import torch

    from videonet import build
    from videonet.config import from_dict, load_config, to_yaml
    from videonet.engine.checkpoint import LAST, last_checkpoint
    from videonet.engine.dist import ranks
    from videonet.engine.files import OutputError, write_text
    from videonet.engine.log import logger
    from videonet.engine.stop import Stopped

    resolved = load_config(a.cfg, [*a.opts, *words, *_weights(a)], build.KNOWN_NAMES)
    if a.print_config:
        print(to_yaml(resolved), end="")
        return 0
    config = resolved.config
    output_dir = Path(config.output_dir)
    found = last_checkpoint(output_dir / "checkpoints")
    if found is not None and not a.resume:
        raise OutputError(f"{output_dir} holds a run already; --resume continues it, or choose another output_dir")
    with ranks(config.device, config.train.timeout_minutes) as here:
        torch.manual_seed(config.seed)
        trainer = build.build_trainer(config, here, resumes=found is not None)
        parameters = sum(p.numel() for p in trainer.step.model.parameters())
        logger.info(
            "%s: %s parameters, %d classes, %d training videos, %d steps an epoch, on %s x %d",
            config.model.name, f"{parameters:,}", len(trainer.class_names), len(trainer.items), len(trainer.sampler),
            here.device, here.world,
        )  # fmt: skip
        if found is not None:
            checkpoint, path = found
            _refuse_other_settings(from_dict(checkpoint.config, str(path)), config)
            trainer.restore(checkpoint)
            logger.info("resumed %s at epoch %d, step %d", path, checkpoint.epoch + 1, checkpoint.step + 1)
        if here.first:
            write_text(output_dir / "config.yaml", to_yaml(resolved))
        try:
            trainer.fit()
        except Stopped as stopped:
            logger.info("%s; go on with: videonet train ... --resume", stopped)
            return 0
        logger.info("trained %d epochs; checkpoint: %s", trainer.position.epoch, output_dir / "checkpoints" / LAST)
    return 0


def _weights(a: argparse.Namespace) -> list[str]:
    """The flags about weights as settings."""
    words = [f"model.weights={a.weights}"] if a.weights else []
    return [*words, f"model.weights_head={a.weights_head}"] if a.weights_head else words


def _refuse_other_settings(before: Config, now: Config) -> None:
    from videonet.commands.checkpointed import flat
    from videonet.config import ConfigError

    old, new = flat(before), flat(now)
    changed = [
        f"{key} was {old[key]!r} in the run and is {new[key]!r} now; --resume needs the same"
        for key in new
        if old[key] != new[key] and not key.startswith(MAY_CHANGE_ON_RESUME)
    ]
    if changed:
        raise ConfigError(changed)
