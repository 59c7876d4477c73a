"""Feature extraction: what is taken from which views, and the files it goes into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from videonet.config import Config, ConfigError
from videonet.data.clips import Tail
from videonet.data.dataset import Job, SampleReader
from videonet.data.lists import VideoItem
from videonet.data.preprocessing import Preprocessing
from videonet.data.sliding import Hop, Sliding, SlidingReader
from videonet.data.streams import Streams
from videonet.data.views import TestViews
from videonet.engine.features.actionformer import ActionFormerFiles
from videonet.engine.features.embed import Wanted
from videonet.engine.features.events import Extractor
from videonet.engine.features.formats import FORMATS, ONLY_VECTORS, FeatureFiles
from videonet.engine.files import file_sha256
from videonet.models.create import Network

from .data import build_opener

_CPU_BATCH = 4  # a CPU gains nothing from more views at once, and needs memory for each


@dataclass(frozen=True)
class FeatureOrder:
    """What `videonet extract` is asked for. `clips` views spread evenly, or else windows `hop` apart."""

    wanted: Wanted
    clips: int | None
    hop: Hop | None
    tail: Tail
    format: str
    layout: str

    def sliding(self, preprocessing: Preprocessing) -> Sliding | None:
        """The windows, if it is windows."""
        return None if self.hop is None else Sliding(preprocessing, self.hop, self.tail)


def build_extractor(
    order: FeatureOrder, model: Network, items: Sequence[VideoItem], preprocessing: Preprocessing, config: Config,
    device: torch.device,
) -> Extractor:  # fmt: skip
    """To be put `on` its device, for which it is made. Raises ConfigError for features that the network has not."""
    try:
        order.wanted.check(model)
    except ValueError as error:
        raise ConfigError([f"--feature: {error}"]) from None
    data, sliding = config.data, order.sliding(preprocessing)
    job: Job
    if sliding is None:
        views = TestViews(preprocessing, order.clips or 1, 1, config.test.frame_order)
        job = SampleReader(views, build_opener(config), config.seed)
    elif config.test.frame_order != "normal":
        raise ConfigError([f"test.frame_order={config.test.frame_order} is for clips, not for sliding windows"])
    else:
        job = SlidingReader(sliding, open_video=build_opener(config))
    streams = Streams(
        items, job, data.workers, data.worker_kind, data.worker_timeout_seconds, pin_memory=device.type == "cuda"
    )
    return Extractor(
        model.eval(), order.wanted, preprocessing, streams, config.train.precision, _batch_size(config, device)
    )


def build_feature_files(
    order: FeatureOrder, folder: Path, items: Sequence[VideoItem], preprocessing: Preprocessing
) -> FeatureFiles:
    """Raises ConfigError or OutputError for a format or layout that cannot hold what is asked for."""
    sliding = order.sliding(preprocessing)
    if order.layout == "actionformer":
        if sliding is None or order.format != "npy" or not order.wanted.only_vectors:
            raise ConfigError(["--layout actionformer is for pooled features of sliding windows (--hop-frames) in npy"])
        return ActionFormerFiles(folder, order.wanted.features, sliding, items)
    if order.format in ONLY_VECTORS and not order.wanted.only_vectors:
        raise ConfigError([f"--format {order.format} holds vectors; use --pool all, or another format"])
    return FORMATS[order.format](folder, order.wanted.features)


def feature_settings(
    order: FeatureOrder, config: Config, preprocessing: Preprocessing, checkpoint: Path, device: torch.device
) -> dict[str, Any]:
    """All that the rows depend on but the videos: what a resume must find unchanged."""
    hop = order.hop or Hop(ticks=1)
    return {
        "checkpoint_sha256": file_sha256(checkpoint),
        "model": config.model.name,
        "features": list(order.wanted.features),
        "pool": order.wanted.pool,
        "dtype": order.wanted.dtype,
        "format": order.format,
        "layout": order.layout,
        "clips": order.clips,
        "hop_ticks": hop.ticks if order.hop else None,
        "hop_seconds": hop.seconds if order.hop else None,
        "tail": order.tail if order.hop else None,
        "frame_order": config.test.frame_order,
        "seed": config.seed,
        "preprocessing": preprocessing.to_dict(),
        "backend": config.data.backend,
        "precision": config.train.precision,
        "device": device.type,
        "batch_size": _batch_size(config, device),
    }


def _batch_size(config: Config, device: torch.device) -> int:
    """Views a forward."""
    most = config.test.max_views_per_forward
    return min(most, _CPU_BATCH) if device.type == "cpu" else most
