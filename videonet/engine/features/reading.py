"""A finished folder of features, whatever its format."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from videonet.engine.files import OutputError

from .folder import INDEX, WORKING
from .formats import FORMATS, of_feature


@dataclass(frozen=True)
class FeatureSet:
    """The index, and `read(position in index["videos"], feature)`, which gives (rows, ...)."""

    index: dict[str, Any]
    read: Callable[[int, str], np.ndarray]

    @property
    def features(self) -> list[str]:
        """Their names."""
        names: list[str] = self.index["settings"]["features"]
        return names

    def shape(self, position: int, feature: str) -> list[int]:
        """What the index says."""
        shape: list[int] = of_feature(self.index["videos"][position]["shape"], feature)
        return shape


def open_features(folder: str | Path) -> FeatureSet:
    """Raises OutputError for a folder that is not finished, or none of features."""
    folder = Path(folder)
    path = folder / INDEX
    if not path.is_file():
        unfinished = (folder / WORKING).is_dir()
        way_out = "go on with videonet extract --resume" if unfinished else "make one with videonet extract"
        raise OutputError(f"{folder} is {'not finished' if unfinished else 'no folder of features'}; {way_out}")
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        settings = index["settings"]
        files = FORMATS[settings["format"]](folder, settings["features"])
        rows = index["videos"]
        assert all(key in row for row in rows for key in ("id", "file", "shape", "sha256", "clip_seconds"))
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"{path} is no index of features ({type(error).__name__}: {error})") from None
    try:
        read = files.reader(rows)
    except (OSError, ValueError) as error:
        message = str(error)

        def read(position: int, feature: str) -> np.ndarray:
            raise ValueError(message)

    return FeatureSet(index, read)
