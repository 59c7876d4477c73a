"""Config -> objects: the only file that turns names into things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch.utils.data import DataLoader

from videonet.config import Config, ConfigError, to_dict
from videonet.config.schema import DataConfig, ModelConfig, OptimConfig, TestConfig
from videonet.data.dataset import VideoDataset
from videonet.data.lists import Listing, VideoItem, hold_out, read_class_names
from videonet.data.loader import Batch, TestSampler, TrainSampler, make_loader
from videonet.data.preprocessing import Preprocessing
from videonet.data.sources import SOURCES, may_flip
from videonet.data.views import TestViews, TrainViews
from videonet.engine.checkpoint import Checkpoint, CheckpointError
from videonet.engine.dist import Ranks
from videonet.engine.log import logger
from videonet.engine.optim import make_optimizer
from videonet.engine.schedule import Schedule, cosine, multistep, warm_up
from videonet.engine.train import Plan, Trainer
from videonet.models import create_model, list_models
from videonet.models.create import Network
from videonet.models.download import KNOWN, weights_path
from videonet.models.download import class_names as known_class_names
from videonet.models.families import INFLATIONS
from videonet.models.keymaps import SOURCES as WEIGHT_SOURCES
from videonet.models.pretrained import load_weights
from videonet.models.zoo import ForeignRecognizer

KNOWN_NAMES = {
    "model.name": [*list_models(), "timm/*"],
    "model.inflation": list(INFLATIONS),
    "model.weights_source": list(WEIGHT_SOURCES),
    "data.source": list(SOURCES),
}


@dataclass(frozen=True)
class Splits:
    """The videos of an experiment; all three share the class names of `train`."""

    train: Listing
    val: Listing | None
    test: Listing | None


def build_splits(data: DataConfig) -> Splits:
    """Read the annotations. Raises ConfigError or ListError."""
    if data.train is None:
        raise ConfigError(["data.train is not set; name a folder of class folders or a list of videos"])
    names = read_class_names(data.classes) if data.classes else None
    train = read_listing(data, data.train, names)
    names = train.class_names
    val = read_listing(data, data.val, names) if data.val else None
    test = read_listing(data, data.test, names) if data.test else None
    if val is None and test is None and data.source == "folder" and data.holdout > 0:
        train, val = hold_out(train, data.holdout)
        logger.info("data.val is not set: %d of %d videos are held out", len(val.items), len(val.items + train.items))
    return Splits(train, val, test)


def build_test_listing(data: DataConfig, class_names: Sequence[str]) -> Listing:
    """The test videos, labelled in the order of the class names that the model was trained on."""
    where = data.test or data.val
    if where is not None:
        return read_listing(data, where, class_names)
    if data.train is None:
        raise ConfigError(["data.test is not set; name a folder of class folders or a list of videos"])
    splits = build_splits(data)
    if splits.val is None:
        raise ConfigError(["neither data.test nor data.val is set, and data.holdout sets nothing aside"])
    if splits.val.class_names != tuple(class_names):
        raise ConfigError([f"the class folders of {data.train} are not the classes that the model was trained on"])
    return splits.val


def read_listing(data: DataConfig, path: str, class_names: Sequence[str] | None) -> Listing:
    """One list or folder, by the row of `data.source`."""
    return SOURCES[data.source].read(Path(path), data.root, class_names)


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


def build_preprocessing(config: Config) -> Preprocessing:
    """What the network sees; stored in the checkpoint."""
    return Preprocessing.from_dict(to_dict(config)["clip"])


def build_test_loader(
    items: Sequence[VideoItem], preprocessing: Preprocessing, test: TestConfig, config: Config, ranks: Ranks
) -> DataLoader[Batch]:
    """clips x crops views of every video, each rank its share."""
    crops = 1 if preprocessing.fit == "letterbox" else test.crops  # a letterbox shows the whole frame at once
    views = TestViews(preprocessing, test.clips, crops, test.frame_order)
    sampler = TestSampler(len(items), test.batch_size, ranks.rank, ranks.world)
    pinned = ranks.device.type == "cuda"
    return make_loader(VideoDataset(items, views, config.seed), sampler, config.data.workers, pinned)


def build_trainer(config: Config, ranks: Ranks, resumes: bool = False) -> Trainer:
    """Everything that a training run is made of. Raises ConfigError, ListError or WeightsError.

    resumes: a checkpoint will replace the weights, so that `model.weights` is not read.
    """
    splits = build_splits(config.data)
    names = splits.train.class_names
    preprocessing = build_preprocessing(config)
    flip = config.augment.flip
    if flip is None:
        flip = 0.5 if may_flip(names) else 0.0
        logger.info("augment.flip is not set: %g%s", flip, "" if flip else ", since class names tell left from right")
    augment = config.augment
    views = TrainViews(preprocessing, augment.crop, augment.area, augment.aspect, augment.short_side, flip)
    items = splits.train.items
    try:
        sampler = TrainSampler(len(items), config.train.batch_size, config.seed, ranks.rank, ranks.world)
    except ValueError as error:
        raise ConfigError([str(error)]) from None
    pinned = ranks.device.type == "cuda"
    dataset = VideoDataset(items, views, config.seed, substitute=True)
    val_loader = None
    if splits.val is not None:
        one_view = TestConfig(clips=1, crops=1, batch_size=config.test.batch_size)
        val_loader = build_test_loader(splits.val.items, preprocessing, one_view, config, ranks)
    model = build_model(config.model, len(names))
    check_clip(model, preprocessing)
    if not resumes:
        start_from_weights(model, config.model, names)
    model.to(ranks.device)
    optim = config.optim
    return Trainer(
        model=model,
        preprocessing=preprocessing,
        class_names=names,
        loader=make_loader(dataset, sampler, config.data.workers, pinned),
        sampler=sampler,
        val_loader=val_loader,
        optimizer=make_optimizer(
            optim.name, model.parameters(), optim.lr, optim.momentum, optim.weight_decay, optim.nesterov
        ),
        schedule=build_schedule(optim, config.train.epochs),
        plan=Plan(
            seed=config.seed,
            epochs=config.train.epochs,
            lr=optim.lr,
            precision=config.train.precision,
            clip_grad_norm=optim.clip_grad_norm,
            label_smoothing=optim.label_smoothing,
            eval_every=config.train.eval_every,
            checkpoint_every=config.train.checkpoint_every,
            log_every=config.train.log_every,
            max_failed=config.data.max_failed,
        ),
        ranks=ranks,
        output_dir=Path(config.output_dir),
        config=to_dict(config),
        videos=len(items),
    )


def build_schedule(optim: OptimConfig, epochs: int) -> Schedule:
    """The learning rate's course over the run."""
    if optim.schedule == "cosine":
        course = cosine(epochs, optim.final_factor)
    else:
        course = multistep(optim.milestones, optim.gamma)
    return warm_up(course, optim.warmup_epochs, optim.warmup_factor)


def restore_model(checkpoint: Checkpoint, model: ModelConfig, preprocessing: Preprocessing) -> Network:
    """The network of a checkpoint, with its weights. Raises CheckpointError where they do not fit."""
    network = build_model(model, len(checkpoint.class_names))
    check_clip(network, preprocessing)
    try:
        network.load_state_dict(checkpoint.model)
    except RuntimeError as error:
        raise CheckpointError(f"the checkpoint's weights do not fit {model.name}: {error}") from None
    return network
