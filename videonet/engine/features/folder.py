"""A folder of features while it is made: what is done is journalled, what is half done is thrown away by a resume.

out/.partial/settings.json        what the rows depend on: a resume with other settings is refused
out/.partial/journal.<rank>.jsonl  a line a video that is whole and in place
out/.partial/growing/              arrays that still grow
out/index.json                     written last; then .partial goes
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from videonet.data.lists import VideoItem
from videonet.engine.dist import Ranks
from videonet.engine.files import OutputError, no_room_as_output_error, write_json

from .events import Again, Event, Failed, Rows
from .formats import PARTS, FeatureFiles, part
from .growing import GrowingArray

INDEX = "index.json"
WORKING = PARTS.parent
_MOST_NAMED = 5


class FeatureFolder:
    """The folder, as one rank of those that fill it sees it."""

    def __init__(
        self,
        folder: Path,
        settings: dict[str, Any],
        items: Sequence[VideoItem],
        files: FeatureFiles,
        ranks: Ranks,
        resume: bool = False,
    ) -> None:
        """Called by all ranks at once. Raises OutputError where the folder cannot be used as asked.

        settings: all that the rows depend on, as plain values; "features" and "dtype" among them.
        """
        self.folder, self._items, self._files, self._ranks = folder, items, files, ranks
        self._settings = json.loads(json.dumps(settings))  # as they come back
        self._features: list[str] = self._settings["features"]
        self._growing: dict[int, dict[str, GrowingArray]] = {}
        self._seconds: dict[int, list[np.ndarray]] = {}
        self._refused: set[int] = set()
        self._wait = ranks.patient_wait()
        self.done = 0
        """Items that were done before."""
        self.index: dict[str, Any] | None = None
        """Of a folder that is complete already."""
        if (folder / INDEX).exists():
            self.index = self._complete(resume)
            self.mine: list[int] = []
            self.done = len(self.index["videos"])
            return
        self._check(resume)
        self._wait()
        if ranks.first:
            self._prepare()
        self._wait()
        done = {row["id"] for row in self._read_journals()[0]}
        left = [place for place, item in enumerate(items) if item.id not in done]
        self.mine = left[ranks.rank :: ranks.world]
        """Places of the items that this rank is to extract."""
        self.done = len(items) - len(left)
        self._journal = (folder / WORKING / f"journal.{ranks.rank}.jsonl").open("ab")

    def _complete(self, resume: bool) -> dict[str, Any]:
        path = self.folder / INDEX
        if not resume:
            raise OutputError(f"{path} exists; choose another --out, or delete it")
        index: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        self._refuse_other(index.get("settings", {}), path)
        if {row["id"] for row in index["videos"] + index["failures"]} != {item.id for item in self._items}:
            raise OutputError(f"{self.folder} is complete, with other videos; choose another --out")
        if self._ranks.first:  # a run that was killed with its last breath
            shutil.rmtree(self.folder / WORKING, ignore_errors=True)
        return index

    def _check(self, resume: bool) -> None:
        settings = self.folder / WORKING / "settings.json"
        if settings.exists():
            if not resume:
                raise OutputError(f"{self.folder} is not finished; go on with --resume, or choose another --out")
            self._refuse_other(json.loads(settings.read_text(encoding="utf-8")), settings)
            others = {row["id"] for row in self._read_journals()[0]} - {item.id for item in self._items}
            if others:
                raise OutputError(
                    f"{self.folder} holds {len(others)} videos that are not asked for now, such as {min(others)}; "
                    "choose another --out"
                )
        elif self.folder.exists() and {path.name for path in self.folder.iterdir()} - {WORKING.name}:
            raise OutputError(f"{self.folder} holds other files; choose another --out")

    def _refuse_other(self, stored: dict[str, Any], path: Path) -> None:
        differ = [key for key in {**stored, **self._settings} if stored.get(key) != self._settings.get(key)]
        if differ:
            said = "; ".join(
                f"{key} was {stored.get(key)!r} and is {self._settings.get(key)!r}" for key in differ[:_MOST_NAMED]
            )
            raise OutputError(f"{path.parent} was begun with other settings ({said}); choose another --out")

    def _prepare(self) -> None:
        """Throw away what is half written; put the journals of all ranks together."""
        working = self.folder / WORKING
        working.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(working / "growing", ignore_errors=True)
        for left in self.folder.rglob(".*.tmp"):
            left.unlink()
        rows, _ = self._read_journals()
        write_json(working / "done.json", rows)
        for journal in working.glob("journal.*.jsonl"):
            journal.unlink()
        if not (working / "settings.json").exists():
            write_json(working / "settings.json", self._settings)

    def _read_journals(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """(videos that are done, failures), each id once; a line that was being written is no line."""
        working = self.folder / WORKING
        done: dict[str, dict[str, Any]] = {}
        failed: dict[str, dict[str, Any]] = {}
        if (working / "done.json").exists():
            done = {row["id"]: row for row in json.loads((working / "done.json").read_text(encoding="utf-8"))}
        for journal in sorted(working.glob("journal.*.jsonl")):
            for line in journal.read_bytes().splitlines(keepends=True):
                if line.endswith(b"\n"):
                    row = json.loads(line)
                    (failed if "reason" in row else done)[row["id"]] = row
        return list(done.values()), list(failed.values())

    def record(self, events: Iterable[Event]) -> Iterator[int]:
        """Write the events down; the places of items as they are done or failed."""
        for event in events:
            if isinstance(event, Rows):
                self._rows(event)
            elif isinstance(event, Again):
                self._drop(event.index)
            elif isinstance(event, Failed):
                self._drop(event.index)
                self._fail(event.index, event.reason)
                yield event.index
            elif event.index not in self._refused:
                self._end(event.index, event.facts)
                yield event.index
            else:
                yield event.index

    def _rows(self, rows: Rows) -> None:
        if rows.index in self._refused:
            return
        for feature, values in rows.values.items():
            if not np.isfinite(values).all():
                hint = "; store fp32" if values.dtype == np.float16 else ""
                self._drop(rows.index)
                self._fail(rows.index, f"its {feature} is not finite in {values.dtype}{hint}")
                self._refused.add(rows.index)
                return
            arrays = self._growing.setdefault(rows.index, {})
            if feature not in arrays:
                name = part(self._items[rows.index].id, feature).name
                arrays[feature] = GrowingArray(self.folder / WORKING / "growing" / name, values)
            arrays[feature].append(values)
        self._seconds.setdefault(rows.index, []).append(rows.seconds)

    def _end(self, index: int, facts: dict[str, Any]) -> None:
        item, arrays = self._items[index], self._growing.pop(index)
        seconds = np.round(np.concatenate(self._seconds.pop(index)), 6)
        for feature, array in arrays.items():
            array.finish(self.folder / self._files.place(item.id, feature))
        of: dict[str, dict[str, Any]] = {
            "file": self._files.finish(item.id, seconds),
            "shape": {feature: list(array.shape) for feature, array in arrays.items()},
            "sha256": {feature: array.sha256 for feature, array in arrays.items()},
        }
        single = self._features[0] if len(self._features) == 1 else None
        row = {"id": item.id, "path": item.path, **facts}
        row |= {key: values[single] if single else values for key, values in of.items()}
        self._write({**row, "clip_seconds": seconds.tolist()})

    def _fail(self, index: int, reason: str) -> None:
        item = self._items[index]
        self._write({"id": item.id, "path": item.path, "reason": reason})

    def _write(self, row: dict[str, Any]) -> None:
        with no_room_as_output_error(self.folder / WORKING):
            self._journal.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            self._journal.flush()
            os.fsync(self._journal.fileno())

    def _drop(self, index: int) -> None:
        for array in self._growing.pop(index, {}).values():
            array.drop()
        self._seconds.pop(index, None)

    def finish(self, about: dict[str, Any]) -> dict[str, Any]:
        """Called by all ranks once each is through; the index, which begins with `about`."""
        self._journal.close()
        self._wait()
        if self._ranks.first:
            done, failed = self._read_journals()
            done_ids = {row["id"] for row in done}
            rows = sorted(done, key=lambda row: row["id"])
            failures = sorted((row for row in failed if row["id"] not in done_ids), key=lambda row: row["id"])
            missing = [item.id for item in self._items if item.id not in done_ids | {row["id"] for row in failures}]
            if missing:
                named = ", ".join(missing[:_MOST_NAMED])
                raise RuntimeError(f"{len(missing)} videos were neither extracted nor failed: {named}")
            self._files.close(rows)
            counts = {"n_listed": len(self._items), "n_extracted": len(rows), "n_failed": len(failures)}
            index = {**about, "settings": self._settings, **counts, "videos": rows, "failures": failures}
            write_json(self.folder / INDEX, index)
            shutil.rmtree(self.folder / WORKING)
        self._wait()
        return json.loads((self.folder / INDEX).read_text(encoding="utf-8"))
