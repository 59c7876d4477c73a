"""Config -> objects: the only room that turns names into things."""

from __future__ import annotations

from videonet.data.sources import SOURCES
from videonet.decode.reader import BACKENDS
from videonet.engine.trackers import TRACKERS
from videonet.models import list_models
from videonet.models.families import INFLATIONS
from videonet.models.keymaps import SOURCES as WEIGHT_SOURCES

from .data import (
    Splits,
    build_loader,
    build_opener,
    build_preprocessing,
    build_quarantine,
    build_splits,
    build_test_listing,
    build_test_loader,
    build_test_views,
    known_bad,
    read_listing,
)
from .features import FeatureOrder, build_extractor, build_feature_files, feature_settings
from .network import build_model, check_clip, restore_model, start_from_weights
from .training import (
    build_loss,
    build_rate,
    build_schedule,
    build_step,
    build_train_sampler,
    build_train_views,
    build_trainer,
)

KNOWN_NAMES = {
    "model.name": [*list_models(), "timm/*"],
    "model.inflation": list(INFLATIONS),
    "model.weights_source": list(WEIGHT_SOURCES),
    "data.source": list(SOURCES),
    "data.backend": list(BACKENDS),
    "log.trackers": list(TRACKERS),
}

__all__ = [
    "KNOWN_NAMES",
    "FeatureOrder",
    "Splits",
    "build_extractor",
    "build_feature_files",
    "build_loader",
    "build_loss",
    "build_model",
    "build_opener",
    "build_preprocessing",
    "build_quarantine",
    "build_rate",
    "build_schedule",
    "build_splits",
    "build_step",
    "build_test_listing",
    "build_test_loader",
    "build_test_views",
    "build_train_sampler",
    "build_train_views",
    "build_trainer",
    "check_clip",
    "feature_settings",
    "known_bad",
    "read_listing",
    "restore_model",
    "start_from_weights",
]
