"""How features lie in files: the protocol, THE TABLE, and the formats of a file a video.

A finished array of a video is a .npy somewhere below the folder: at its final place (npy), or among the parts of which
another file is made, once the video is done (safetensors) or all are (`single_file.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from videonet.engine.files import OutputError, atomic

PARTS = Path(".partial") / "parts"
"""Where arrays wait for the file that they will be in."""

Row = Mapping[str, Any]
"""What the index says of a video: "id", "file", "shape" and the rest."""


class FeatureFiles(Protocol):
    """Writes and reads the files of one folder; `features` are its features in order."""

    def place(self, video_id: str, feature: str) -> Path:
        """Where the finished array of a video is to be put, below the folder."""
        ...

    def finish(self, video_id: str, seconds: np.ndarray) -> dict[str, str]:
        """All arrays of a video are in place: feature -> name of its file, below the folder."""
        ...

    def close(self, rows: Sequence[Row]) -> None:
        """All videos are there; `rows` is what the index will say of them."""
        ...

    def reader(self, rows: Sequence[Row]) -> Callable[[int, str], np.ndarray]:
        """(position in `rows`, feature) -> its array, from the finished files.

        The answer raises OSError, ValueError or KeyError where a file is not what it should be.
        """
        ...


class NpyFiles:
    """`<video id>.npy`; with several features `<feature>/<video id>.npy`."""

    def __init__(self, folder: Path, features: Sequence[str], name: Callable[[str], str] | None = None) -> None:
        self._folder, self._features, self._name = folder, features, name or file_stem

    def place(self, video_id: str, feature: str) -> Path:
        name = f"{self._name(video_id)}.npy"
        return Path(name) if len(self._features) == 1 else Path(feature, name)

    def finish(self, video_id: str, seconds: np.ndarray) -> dict[str, str]:
        return {feature: self.place(video_id, feature).as_posix() for feature in self._features}

    def close(self, rows: Sequence[Row]) -> None:
        """Nothing is left to do."""

    def reader(self, rows: Sequence[Row]) -> Callable[[int, str], np.ndarray]:
        def read(position: int, feature: str) -> np.ndarray:
            name = of_feature(rows[position]["file"], feature)
            return np.load(self._folder / name, mmap_mode="r", allow_pickle=False)

        return read


class SafetensorsFiles:
    """`<video id>.safetensors` with a tensor a feature and "seconds", (rows, 2)."""

    def __init__(self, folder: Path, features: Sequence[str]) -> None:
        self._library = needed("safetensors.numpy", "safetensors")
        self._folder, self._features = folder, features

    def place(self, video_id: str, feature: str) -> Path:
        return part(video_id, feature)

    def finish(self, video_id: str, seconds: np.ndarray) -> dict[str, str]:
        parts = {feature: self._folder / part(video_id, feature) for feature in self._features}
        name = f"{file_stem(video_id)}.safetensors"
        tensors = {feature: np.load(path, allow_pickle=False) for feature, path in parts.items()}
        with atomic(self._folder / name) as file:
            file.write(self._library.save({**tensors, "seconds": seconds}))
        for path in parts.values():
            path.unlink()
        return dict.fromkeys(self._features, name)

    def close(self, rows: Sequence[Row]) -> None:
        """Nothing is left to do."""

    def reader(self, rows: Sequence[Row]) -> Callable[[int, str], np.ndarray]:
        open_file = needed("safetensors", "safetensors").safe_open

        def read(position: int, feature: str) -> np.ndarray:
            path = self._folder / of_feature(rows[position]["file"], feature)
            try:
                with open_file(path, framework="numpy") as file:
                    return file.get_tensor(feature)
            except Exception as error:  # its own error type is not public, and derives from Exception alone
                raise ValueError(str(error)) from error

        return read


def _hdf5(folder: Path, features: Sequence[str]) -> FeatureFiles:
    from .single_file import Hdf5File

    return Hdf5File(folder, features)


def _parquet(folder: Path, features: Sequence[str]) -> FeatureFiles:
    from .single_file import ParquetFile

    return ParquetFile(folder, features)


FORMATS: dict[str, Callable[[Path, Sequence[str]], FeatureFiles]] = {
    "npy": NpyFiles,
    "safetensors": SafetensorsFiles,
    "hdf5": _hdf5,
    "parquet": _parquet,
}
# npy with the names and the json that ActionFormer reads: see actionformer.py
ONLY_VECTORS = ("parquet",)


def needed(module: str, package: str) -> Any:
    """A module of the extra `features`. Raises OutputError where it is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        raise OutputError(f"this format needs {package}: pip install 'videonet[features]' ({error})") from None


def part(video_id: str, feature: str) -> Path:
    """Where an array waits; ids may be longer than file names."""
    return PARTS / f"{hashlib.sha256(video_id.encode()).hexdigest()[:32]}.{feature}.npy"


def of_feature(value: Any, feature: str) -> Any:
    """An entry of a row of the index: itself, or one a feature where there are several."""
    return value[feature] if isinstance(value, dict) else value


def file_stem(video_id: str) -> str:
    """The id; one that would leave the folder, or hide in it, is replaced by its hash."""
    parts = Path(video_id).parts
    if Path(video_id).is_absolute() or any(part.startswith(".") for part in parts) or len(video_id) > 200:
        return hashlib.sha256(video_id.encode()).hexdigest()[:16]
    return video_id
