"""Which ways of computing a step go together."""

from __future__ import annotations

from videonet.config import Config, ConfigError
from videonet.engine.dist import Ranks
from videonet.engine.log import logger


def check_ways(config: Config, ranks: Ranks) -> None:
    """Raises ConfigError for ways of computing that do not go together, or not on this device."""
    train, problems = config.train, []
    if train.compile_mode != "default" and not train.compile:
        problems.append(f"train.compile_mode={train.compile_mode} needs train.compile=true")
    if train.sharding == "fsdp":
        if train.precision == "fp16":
            problems.append(
                "train.sharding=fsdp with train.precision=fp16: ranks would scale gradients apart; use bf16"
            )
        if train.compile:
            problems.append("train.sharding=fsdp is not compiled; leave out train.compile, or use sharding=ddp")
        if config.optim.name in ("lars", "lamb"):
            problems.append(f"train.sharding=fsdp: {config.optim.name} needs norms of whole weights; use sgd or adamw")
    if train.cuda_graph:
        cannot = {
            f"device {ranks.device.type}; leave it out, or use a GPU": ranks.device.type != "cuda",
            "train.compile; use train.compile_mode=reduce-overhead instead": train.compile,
            "train.sharding=fsdp; use ddp": train.sharding == "fsdp",
            "train.batch_norm=sync, which waits for other ranks within the pass": train.batch_norm == "sync",
            "train.accumulate, since each piece would overwrite the gradient of the one before": train.accumulate > 1,
            "model.checkpoint_every, which runs blocks anew": config.model.checkpoint_every > 0,
        }
        problems += [f"train.cuda_graph does not go with {what}" for what, is_so in cannot.items() if is_so]
    if problems:
        raise ConfigError(problems)
    if train.precision == "bf16" and ranks.device.type == "cpu":
        logger.warning("train.precision=bf16 on the CPU: PyTorch (2.11) gets the weight gradients of some Conv3d wrong "
                       "there, where clips have few frames or pixels left; on GPUs it does not")  # fmt: skip
