"""The network: from its name, with its weights, from a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence

from videonet.config import ConfigError
from videonet.config.schema import ModelConfig
from videonet.data.lists import read_class_names
from videonet.data.preprocessing import Preprocessing
from videonet.engine.checkpoint import Checkpoint, CheckpointError
from videonet.engine.log import logger
from videonet.models import create_model
from videonet.models.create import Network
from videonet.models.download import KNOWN, weights_path
from videonet.models.download import class_names as known_class_names
from videonet.models.pretrained import load_weights
from videonet.models.zoo import ForeignRecognizer


def build_model(model: ModelConfig, num_classes: int) -> Network:
    """A fresh network. Raises ConfigError where the settings do not fit the family."""
    try:
        return create_model(
            model.name,
            num_classes,
            model.wiring,
            width=model.width,
            blocks=model.blocks,
            dropout=model.dropout,
            zero_init_residual=model.zero_init_residual,
            inflation=model.inflation,
            checkpoint_every=model.checkpoint_every,
            drop_path=model.drop_path,
        )
    except ValueError as error:
        raise ConfigError([f"model: {error}"]) from None


def check_clip(network: Network, preprocessing: Preprocessing) -> None:
    """Raises ConfigError for clips that the network cannot take."""
    try:
        network.check_clip(preprocessing.frames, preprocessing.crop, preprocessing.crop)
    except ValueError as error:
        raise ConfigError([f"clip: {error}"]) from None


def start_from_weights(network: Network, model: ModelConfig, class_names: Sequence[str]) -> None:
    """Load `model.weights`, if there are any, and log what became of them.

    Raises WeightsError, ListError, or ConfigError for a network of another package.
    """
    if model.weights is None:
        return
    if isinstance(network, ForeignRecognizer):
        raise ConfigError([f"model.weights goes into videonet's own networks; leave it out for {model.name}"])
    theirs: Sequence[str] | None = None
    if model.weights_classes is not None:
        theirs = read_class_names(model.weights_classes)
    elif model.weights in KNOWN:
        theirs = known_class_names(model.weights)
    report = load_weights(
        network,
        weights_path(model.weights),
        source=model.weights_source,
        wiring=model.weights_wiring,
        head=model.weights_head,
        class_names=class_names,
        source_class_names=theirs,
        inflation_mode=model.weights_inflate,
    )
    logger.info("%s: %s", model.weights, report.summary())
    for line in report.details():
        logger.info("  %s", line)


def restore_model(checkpoint: Checkpoint, model: ModelConfig, preprocessing: Preprocessing) -> Network:
    """The network of a checkpoint, with its weights. Raises CheckpointError where they do not fit."""
    network = build_model(model, len(checkpoint.class_names))
    check_clip(network, preprocessing)
    try:
        network.load_state_dict(checkpoint.weights)
    except RuntimeError as error:
        raise CheckpointError(f"the checkpoint's weights do not fit {model.name}: {error}") from None
    return network
