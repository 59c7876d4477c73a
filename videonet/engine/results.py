"""What a test left in a folder, read back: results.json and views.npz."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


class ResultsError(ValueError):
    """A folder holds no results that can be used as asked; the message says why and the way out."""


@dataclass(frozen=True)
class Results:
    """labels int64 (n,), probabilities float32 (n, K) of the n videos that could be read, in the list's order.

    Of a test with several labels a video, `labels` is empty.
    """

    folder: Path
    summary: dict[str, Any]
    """The content of results.json."""
    ids: tuple[str, ...]
    paths: tuple[str, ...]
    labels: np.ndarray
    probabilities: np.ndarray

    @property
    def several(self) -> bool:
        """Whether videos have several labels."""
        return "map" in self.summary

    @property
    def class_names(self) -> tuple[str, ...]:
        """In label order."""
        return tuple(row["name"] for row in self.summary["per_class"])

    @classmethod
    def load(cls, folder: str | Path) -> Results:
        """Raises ResultsError."""
        folder = Path(folder)
        try:
            summary = json.loads((folder / "results.json").read_text(encoding="utf-8"))
            with np.load(folder / "views.npz", allow_pickle=False) as stored:
                ids, paths, probabilities = stored["ids"], stored["paths"], stored["probabilities"]
                labels = np.zeros(0, np.int64) if "targets" in stored else stored["labels"]
        except FileNotFoundError as error:
            raise ResultsError(f"{error.filename} does not exist; videonet test leaves it") from None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ResultsError(f"{folder} holds no readable results ({error}); test again") from error
        if not isinstance(summary, dict) or not {"per_class", "fingerprint"} <= summary.keys():
            raise ResultsError(f"{folder / 'results.json'} is of an older videonet; test again")
        return cls(folder, summary, tuple(map(str, ids)), tuple(map(str, paths)), labels, probabilities)
