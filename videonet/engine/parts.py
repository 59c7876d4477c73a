"""An interrupted test goes on: finished batches lie in `views.parts/` until it is done, each file whole or absent.

`views.parts/bound.json` says what the parts belong to: checkpoint, videos and settings. A part may hold batches of any
rank; its name is the first video in it. Whole batches are kept, so that what is computed together stays the same.
"""

from __future__ import annotations

import json
import shutil
import time
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from videonet.data.dataset import Failure

from .dist import Ranks
from .files import OutputError, atomic, write_json

Row = tuple[int, Any, np.ndarray]  # (index of the video, its label, float32 (V, K))


@dataclass
class Finished:
    """What became of some videos."""

    asked: list[int] = field(default_factory=list)
    """Indices of all of them, readable or not."""
    rows: list[Row] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def add(self, asked: Iterable[int], rows: Iterable[Row], failures: Iterable[Failure]) -> None:
        """More of them."""
        self.asked += asked
        self.rows += rows
        self.failures += failures

    def save(self, path: Path) -> None:
        """Arrays only, no pickled object."""
        with atomic(path) as file:
            np.savez(
                file,
                asked=np.array(self.asked, dtype=np.int64),
                indices=np.array([index for index, _, _ in self.rows], dtype=np.int64),
                labels=np.array([label for _, label, _ in self.rows]),
                view_logits=np.array([logits for _, _, logits in self.rows], dtype=np.float32),
                failures=np.array([(f.id, f.path, f.reason) for f in self.failures], dtype=np.str_).reshape(-1, 3),
            )

    def load(self, path: Path) -> None:
        """Add what `save` wrote. Raises OutputError for a damaged file."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                part = {name: stored[name] for name in ("asked", "indices", "labels", "view_logits", "failures")}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise OutputError(f"{path} is damaged ({error}); delete it, and its videos are run again") from error
        rows = zip(part["indices"].tolist(), part["labels"].tolist(), part["view_logits"], strict=True)
        self.add(part["asked"].tolist(), rows, (Failure(*map(str, row)) for row in part["failures"]))


class Parts:
    """The parts of one test. Every rank has one; rank 0 alone reads what an earlier run left."""

    def __init__(self, folder: Path, bound: Mapping[str, Any], seconds: float = 30.0) -> None:
        self.found = Finished()
        """What an earlier run left: on rank 0 all of it, on others only which videos are done."""
        self._folder, self._bound, self._seconds = folder, dict(bound), seconds
        self._pending = Finished()
        self._saved_at = time.monotonic()

    def begin(self, ranks: Ranks, resume: bool) -> None:
        """Take up what is there, on all ranks alike.

        Raises OutputError where parts are there and not asked for, belong to another test, or are damaged.
        """
        refusals = []
        if ranks.first:
            try:
                self._take_up(resume)
            except OutputError as error:
                refusals.append(str(error))
        for refusal in ranks.gather(refusals):
            raise OutputError(refusal)
        done = ranks.gather(self.found.asked)
        self.found.asked = done
        self._saved_at = time.monotonic()

    def _take_up(self, resume: bool) -> None:
        paths = sorted(self._folder.glob("[0-9]*.npz"))
        if paths and not resume:
            raise OutputError(
                f"{self._folder} holds an interrupted test; --resume goes on with it, or delete that folder"
            )
        path = self._folder / "bound.json"
        bound = json.loads(json.dumps(self._bound))  # tuples are lists there
        if paths:
            try:
                before = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise OutputError(f"{path} cannot be read ({error}); delete the folder and test anew") from error
            if changed := _changes(before, bound):
                raise OutputError(
                    f"{self._folder} belongs to another test: {'; '.join(changed)}. --resume needs the same; delete "
                    f"the folder to test anew"
                )
            for part in paths:
                self.found.load(part)
        else:
            write_json(path, bound)

    def add(self, asked: Sequence[int], rows: Iterable[Row], failures: Iterable[Failure]) -> None:
        """A finished batch; written with others when it is time."""
        self._pending.add(asked, rows, failures)
        if time.monotonic() - self._saved_at >= self._seconds:
            self.flush()

    def flush(self) -> None:
        """Write what is not yet written."""
        if self._pending.asked:
            self._pending.save(self._folder / f"{self._pending.asked[0]:09d}.npz")
        self._pending, self._saved_at = Finished(), time.monotonic()

    def remove(self) -> None:
        """The test is done and its results are written."""
        shutil.rmtree(self._folder)


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [
        f"{key} was {before.get(key)!r} and is {now.get(key)!r} now"
        for key in sorted({*before, *now})
        if before.get(key) != now.get(key)
    ]
