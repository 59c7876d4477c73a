"""How the videos are listed and read: splits, what is known to be broken, openers, loaders."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from videonet.config import Config, ConfigError, to_dict
from videonet.config.schema import DataConfig, TestConfig
from videonet.data.audit import find_missing, unlabelled
from videonet.data.dataset import VideoDataset
from videonet.data.lists import Listing, VideoItem, hold_out, read_class_names
from videonet.data.loader import Loader, Sampler, TestSampler, make_loader
from videonet.data.manifest import Manifest
from videonet.data.preprocessing import Preprocessing
from videonet.data.quarantine import Quarantine
from videonet.data.sources import SOURCES
from videonet.data.views import TestViews
from videonet.decode.reader import Limits, Opener
from videonet.engine.dist import Ranks
from videonet.engine.log import logger
from videonet.engine.loss import activation


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


def build_test_listing(data: DataConfig, class_names: Sequence[str], loss: str) -> Listing:
    """The test videos, labelled in the order of the class names that the model was trained on.

    Raises ConfigError where some have no label, or several that the model's loss cannot tell apart.
    """
    where = data.test or data.val
    if where is not None:
        listing = read_listing(data, where, class_names)
        if problems := unlabelled(listing):
            raise ConfigError([f"{problem}; videonet predict needs none" for problem in problems])
        check_labels(listing, loss)
        return listing
    if data.train is None:
        raise ConfigError(["data.test is not set; name a folder of class folders or a list of videos"])
    splits = build_splits(data)
    if splits.val is None:
        raise ConfigError(["neither data.test nor data.val is set, and data.holdout sets nothing aside"])
    if splits.val.class_names != tuple(class_names):
        raise ConfigError([f"the class folders of {data.train} are not the classes that the model was trained on"])
    return splits.val


def check_labels(listing: Listing, loss: str) -> bool:
    """Whether the list has several labels a video. Raises ConfigError where the loss then chooses one of them."""
    several = any(item.labels for item in listing.items)
    if several and activation(loss) == "softmax":
        raise ConfigError(
            [f"the list gives several labels a video, and optim.loss={loss} chooses one of them; "
             f"train with optim.loss=binary, or list one label a video (data.source=list)"]
        )  # fmt: skip
    return several


def read_listing(data: DataConfig, path: str, class_names: Sequence[str] | None) -> Listing:
    """One list or folder, by the row of `data.source`."""
    return SOURCES[data.source].read(Path(path), data.root, class_names)


def build_preprocessing(config: Config) -> Preprocessing:
    """What the network sees; stored in the checkpoint."""
    return Preprocessing.from_dict(to_dict(config)["clip"])


def build_opener(config: Config) -> Opener:
    """How videos are opened. Raises ConfigError where the backend asked for is not installed."""
    data = config.data
    limits = Limits(max_pixels=data.max_pixels, max_frames=data.max_frames, max_decode_seconds=data.max_decode_seconds)
    return Opener(data.backend, limits, data.frames_fps, data.frames_pattern, config.clip.pixels)


def build_quarantine(config: Config) -> Quarantine:
    """The file of unreadable videos."""
    return Quarantine(config.data.quarantine or Path(config.output_dir) / "quarantine.jsonl")


def known_bad(
    items: Sequence[VideoItem], data: DataConfig, quarantine: Quarantine | None, where: str
) -> dict[str, str]:
    """Path -> reason of videos that need not be opened: not there, broken in the manifest, quarantined before.

    Raises ListError where more than `data.max_failed` of the files are not there.
    """
    missing = find_missing(items)
    missing.refuse(where, data.max_failed)
    if missing.items:
        logger.warning("%s", missing.report())
    bad = dict(quarantine.reasons()) if quarantine else {}
    if data.manifest:
        bad |= Manifest.load(data.manifest).broken(items)
    return bad | missing.reasons()


def build_loader(
    config: Config, dataset: VideoDataset, sampler: Sampler, ranks: Ranks, quarantine: Quarantine | None
) -> Loader:
    """The loader, as `data` says."""
    data = config.data
    return make_loader(
        dataset,
        sampler,
        data.workers,
        pin_memory=ranks.device.type == "cuda",
        kind=data.worker_kind,
        prefetch_batches=data.prefetch_batches,
        timeout_seconds=data.worker_timeout_seconds,
        quarantine=quarantine,
    )


def build_test_views(preprocessing: Preprocessing, test: TestConfig, curve: bool = False) -> TestViews:
    """clips x crops views; with `curve` also the clips of the tests of `test.curve`.

    Clips and crops are cut on the device where that is less to send: three crops are more than the frame they show.
    """
    letterbox = preprocessing.fit == "letterbox"
    crops = 1 if letterbox else test.crops  # a letterbox shows the whole frame at once
    return TestViews(
        preprocessing,
        test.clips,
        crops,
        test.frame_order,
        test.curve if curve else (),
        cut_later=crops > 1 or (letterbox and test.clips > 1),
    )


def build_test_loader(
    items: Sequence[VideoItem],
    preprocessing: Preprocessing,
    test: TestConfig,
    config: Config,
    ranks: Ranks,
    views: TestViews | None = None,
    done: Collection[int] = frozenset(),
) -> Loader:
    """Views of every video, each rank its share: `views`, or clips x crops. What was quarantined before is tried again.

    Videos of `done` (indices) are left out.
    """
    sampler = TestSampler(len(items), test.batch_size, ranks.rank, ranks.world, done)
    views = views or build_test_views(preprocessing, test)
    dataset = VideoDataset(items, views, config.seed, open_video=build_opener(config))
    return build_loader(config, dataset, sampler, ranks, None)
