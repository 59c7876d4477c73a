"""A training run: views, sampler, step, schedule."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from videonet.config import Config, ConfigError, to_dict
from videonet.config.schema import OptimConfig, TestConfig
from videonet.data.audit import empty_classes, leaks, unlabelled
from videonet.data.dataset import VideoDataset
from videonet.data.lists import Listing
from videonet.data.loader import TrainSampler
from videonet.data.manifest import fingerprint_of
from videonet.data.photometric import Photometric
from videonet.data.preprocessing import Preprocessing
from videonet.data.sources import may_flip
from videonet.data.views import TrainViews
from videonet.engine.dist import Ranks
from videonet.engine.freeze import freeze
from videonet.engine.log import logger
from videonet.engine.loss import Loss, inverse_frequency, make_loss
from videonet.engine.mix import Mix
from videonet.engine.optim import make_optimizer, parameter_groups
from videonet.engine.schedule import Schedule, cosine, linear, multistep, warm_up
from videonet.engine.step import Recipe, Step
from videonet.engine.train import Plan, Trainer

from .data import (
    Splits,
    build_loader,
    build_opener,
    build_preprocessing,
    build_quarantine,
    build_splits,
    build_test_loader,
    known_bad,
    refuse_several_labels,
)
from .network import build_model, check_clip, start_from_weights


def build_trainer(config: Config, ranks: Ranks, resumes: bool = False) -> Trainer:
    """Everything that a training run is made of. Raises ConfigError, ListError, LedgerError or WeightsError.

    resumes: a checkpoint will replace the weights, so that `model.weights` is not read.
    """
    splits = build_splits(config.data)
    names, items = splits.train.class_names, splits.train.items
    _check_splits(splits)
    preprocessing = build_preprocessing(config)
    quarantine = build_quarantine(config)
    dataset = VideoDataset(
        items,
        build_train_views(config, preprocessing, names),
        config.seed,
        substitute=True,
        open_video=build_opener(config),
        flip_labels=splits.train.flip_labels,
        known_bad=known_bad(items, config.data, quarantine, config.data.train or ""),
    )
    sampler = build_train_sampler(config, len(items), ranks)
    val_loader = None
    if splits.val is not None:
        one_view = TestConfig(clips=1, crops=1, batch_size=config.test.batch_size)
        val_loader = build_test_loader(splits.val.items, preprocessing, one_view, config, ranks)
    train = config.train
    return Trainer(
        step=build_step(config, preprocessing, splits.train, ranks, resumes),
        class_names=names,
        items=items,
        loader=build_loader(config, dataset, sampler, ranks, quarantine),
        sampler=sampler,
        val_loader=val_loader,
        schedule=build_schedule(config.optim, train.epochs),
        plan=Plan(
            seed=config.seed,
            epochs=train.epochs,
            lr=build_rate(config),
            eval_every=train.eval_every,
            checkpoint_every=train.checkpoint_every,
            checkpoint_minutes=train.checkpoint_minutes,
            keep=train.keep,
            log_every=train.log_every,
            precise_bn_batches=train.precise_bn_batches,
            early_stop=train.early_stop,
            max_failed=config.data.max_failed,
            clips_per_video=train.clips_per_video,
            workers=config.data.workers,
        ),
        output_dir=Path(config.output_dir),
        config=to_dict(config),
        fingerprint=fingerprint_of(items),
    )


def _check_splits(splits: Splits) -> None:
    """Raises ConfigError for training or validation videos that cannot be trained or measured on."""
    train, val = splits.train, splits.val
    problems = unlabelled(train) + (unlabelled(val) if val else [])
    if problems:
        raise ConfigError(problems)
    refuse_several_labels(train)
    for warning in empty_classes(train) + (leaks(train.items, val.items, "val") if val else []):
        logger.warning("%s", warning)


def build_train_views(config: Config, preprocessing: Preprocessing, class_names: Sequence[str]) -> TrainViews:
    """Random clips and geometry."""
    augment = config.augment
    flip = augment.flip
    if flip is None:
        flip = 0.5 if may_flip(class_names) else 0.0
        logger.info("augment.flip is not set: %g%s", flip, "" if flip else ", since class names tell left from right")
    photometric = Photometric(
        augment.brightness, augment.contrast, augment.saturation, augment.hue, augment.randaugment, augment.magnitude,
        augment.erase,
    )  # fmt: skip
    if preprocessing.pixels == "yuv" and not photometric.idle:
        raise ConfigError(["clip.pixels=yuv finishes clips on the device: no colour jitter, randaugment, erase"])
    geometry = augment.crop, augment.area, augment.aspect, augment.short_side
    return TrainViews(preprocessing, *geometry, flip, config.train.clips_per_video, augment.pad, photometric)


def build_train_sampler(config: Config, videos: int, ranks: Ranks) -> TrainSampler:
    """Raises ConfigError where batch size, clips a video, ranks and videos do not go together."""
    train = config.train
    if train.batch_size % train.clips_per_video:
        raise ConfigError(
            [f"train.batch_size {train.batch_size} does not divide by train.clips_per_video {train.clips_per_video}"]
        )
    try:
        return TrainSampler(videos, train.batch_size // train.clips_per_video, config.seed, ranks.rank, ranks.world)
    except ValueError as error:
        raise ConfigError([str(error)]) from None


def build_step(config: Config, preprocessing: Preprocessing, listing: Listing, ranks: Ranks, resumes: bool) -> Step:
    """The network on its device, with all that one update needs."""
    optim, train, augment = config.optim, config.train, config.augment
    names = listing.class_names
    model = build_model(config.model, len(names))
    check_clip(model, preprocessing)
    if not resumes:
        start_from_weights(model, config.model, names)
    if train.batch_norm == "sync":
        if ranks.device.type != "cuda":
            raise ConfigError(["train.batch_norm=sync needs GPUs; on the CPU use frozen, or train with one rank"])
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    model.to(ranks.device)
    try:
        still = freeze(model, train.frozen_stages, train.batch_norm)
        groups = parameter_groups(model, optim.decay_norm_and_bias, optim.layer_decay)
        optimizer = make_optimizer(optim.name, groups, optim.lr, optim.momentum, optim.weight_decay, optim.nesterov)
    except ValueError as error:
        raise ConfigError([str(error)]) from None
    return Step(
        model=model,
        preprocessing=preprocessing,
        optimizer=optimizer,
        loss=build_loss(optim, listing, ranks.device),
        ranks=ranks,
        classes=len(names),
        recipe=Recipe(
            precision=train.precision,
            clip_grad_norm=optim.clip_grad_norm,
            accumulate=train.accumulate,
            ema_decay=train.ema_decay,
            channels_last=train.channels_last,
            compile=train.compile,
        ),
        mix=Mix(augment.mixup_alpha, augment.cutmix_alpha, augment.mix_share),
        still=still,
    )


def build_loss(optim: OptimConfig, listing: Listing, device: torch.device) -> Loss:
    """The loss, with the class weights of the training videos."""
    weights = None
    if optim.class_weights == "inverse":
        weights = inverse_frequency([item.label for item in listing.items], len(listing.class_names)).to(device)
    return make_loss(optim.loss, optim.label_smoothing, optim.focal_gamma, weights)


def build_rate(config: Config) -> float:
    """The peak learning rate for this batch size."""
    lr, meant_for, batch = config.optim.lr, config.optim.lr_batch, config.train.batch_size
    if meant_for is None or meant_for == batch:
        return lr
    logger.info("lr %g for %d clips a step, %d here: %g x %d / %d = %g", lr, meant_for, batch, lr, batch, meant_for,
                lr * batch / meant_for)  # fmt: skip
    return lr * batch / meant_for


def build_schedule(optim: OptimConfig, epochs: int) -> Schedule:
    """The learning rate's course over the run."""
    if optim.schedule == "cosine":
        course = cosine(epochs, optim.final_factor)
    elif optim.schedule == "linear":
        course = linear(epochs, optim.final_factor)
    else:
        course = multistep(optim.milestones, optim.gamma)
    return warm_up(course, optim.warmup_epochs, optim.warmup_factor)
