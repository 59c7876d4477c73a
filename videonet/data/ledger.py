"""Json-lines files of what was found out about each video of a data set, and how a later run goes on from them.

The first line is {"format": "videonet manifest", "version": 1, ...}; each other line is the object of one row; they are
sorted by id. A row knows the size and the modification time of its file, so that only new or changed files are looked
at again. While a run goes on, rows are appended to FILE.part, so that a kill loses none of them.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Generic, Self, TypeVar, get_type_hints

from videonet.decode.errors import BackendMissing, VideoError
from videonet.decode.remote import is_url, open_url
from videonet.decode.tar import member_of, shard_and_member

from .lists import VideoItem

_MOST_SHOWN = 20
_STAT_THREADS = 16


class LedgerError(ValueError):
    """A file of rows that cannot be used; the message names every bad line."""


@dataclass(frozen=True)
class FileRow:
    """What every row says of its video."""

    id: str
    path: str
    size_bytes: int
    """Of the file, or of all files in a folder of frames; 0 where it is missing."""
    mtime_ns: int
    """Last modification; 0 where that is not known."""
    ok: bool
    reason: str
    """Why it is not ok; empty where it is."""


R = TypeVar("R", bound=FileRow)


@dataclass(frozen=True)
class Form(Generic[R]):
    """What a file of rows holds: a name, the version of its layout, its row type, and settings all rows share."""

    name: str
    version: int
    row: type[R]
    settings: Mapping[str, int] = field(default_factory=dict)

    @property
    def header(self) -> dict[str, Any]:
        return {"format": f"videonet {self.name}", "version": self.version, **self.settings}

    def failed(self, item: VideoItem, reason: str) -> R:
        """The row of a video that cannot be read."""
        return self.row(item.id, item.path, *stamp(item.path), ok=False, reason=reason)

    def text(self, rows: Iterable[R]) -> str:
        """The whole file; the same rows in any order give the same text."""
        return "".join(map(_line, [self.header, *map(asdict, sorted(rows, key=lambda row: row.id))]))

    def load(self, path: Path, half_last_line: bool = False) -> list[R]:
        """The rows of a file. Raises LedgerError with the number of every bad line.

        `half_last_line`: a last line without its end is what a kill left, and is left out.
        """
        try:
            lines = path.read_text(encoding="utf-8", errors="replace" if half_last_line else "strict").split("\n")
        except OSError as error:
            raise LedgerError(f"{path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise LedgerError(f"{path} is no videonet {self.name}: it is not a text file") from None
        if half_last_line:
            lines.pop()
            if not lines:
                return []
        self._check_header(path, lines[0] if lines else "")
        rows: dict[str, R] = {}
        problems: list[str] = []
        for number, line in enumerate(lines[1:], 2):
            try:
                row = self._row(json.loads(line)) if line.strip() else None
            except (ValueError, RecursionError) as error:
                problems.append(f"line {number}: {error}")
                continue
            if row is not None and row.id in rows and not half_last_line:
                problems.append(f"line {number}: {row.id!r} has a row already")
            if row is not None:
                rows[row.id] = row
        if problems:
            more = [f"... and {len(problems) - _MOST_SHOWN} more"] if len(problems) > _MOST_SHOWN else []
            shown = "\n  ".join(problems[:_MOST_SHOWN] + more)
            noun = "line" if len(problems) == 1 else "lines"
            raise LedgerError(f"{path} has {len(problems)} bad {noun}:\n  {shown}")
        return list(rows.values())

    def _check_header(self, path: Path, line: str) -> None:
        try:
            header = json.loads(line)
        except (ValueError, RecursionError):
            header = None
        if not isinstance(header, dict) or header.get("format") != self.header["format"]:
            raise LedgerError(f"{path} is no videonet {self.name} (its first line does not say so); name another file")
        for name, value in self.header.items():
            if header.get(name) != value:
                raise LedgerError(f"{path} has {name}={header.get(name)!r}, not {value!r}; delete it or name another")

    @functools.cached_property
    def _kinds(self) -> dict[str, type]:
        return get_type_hints(self.row)

    def _row(self, values: object) -> R:
        """Raises ValueError unless `values` has exactly the fields of a row, of their types."""
        kinds = self._kinds
        if not isinstance(values, dict):
            raise ValueError("not an object")
        if values.keys() != kinds.keys():
            wrong = ", ".join(sorted(map(repr, values.keys() ^ kinds.keys())))
            raise ValueError(f"missing or unknown fields: {wrong}")
        for name, kind in kinds.items():
            known = isinstance(values[name], kind | int if kind is float else kind)
            if not known or (kind is not bool and isinstance(values[name], bool)):
                raise ValueError(f"{name} is {values[name]!r}, not {kind.__name__}")
        return self.row(**values)


class Ledger(Generic[R]):
    """A file of rows being made: rows of earlier runs, and those added now, which are on disk at once.

    Raises LedgerError where the path holds something else.
    """

    def __init__(self, form: Form[R], path: Path) -> None:
        self.path, self._form = path, form
        self._part_path = path.with_name(f"{path.name}.part")
        self._part: IO[str] | None = None
        self.rows: dict[str, R] = {}
        for file, half in ((path, False), (self._part_path, True)):
            if file.exists() and file.stat().st_size:
                self.rows |= {row.id: row for row in form.load(file, half_last_line=half)}

    def new(self, items: Sequence[VideoItem], holds: Callable[[R], bool] = lambda row: True) -> list[VideoItem]:
        """Items without a row, or whose file has changed, or whose row no longer `holds`; other rows get their path."""
        with ThreadPoolExecutor(_STAT_THREADS) as threads:
            stamps = list(threads.map(stamp, [item.path for item in items]))
        found = []
        for item, now in zip(items, stamps, strict=True):
            row = self.rows.get(item.id)
            if row is not None and now[0] > 0 and now == (row.size_bytes, row.mtime_ns) and holds(row):
                self.rows[item.id] = replace(row, path=item.path)
            else:
                found.append(item)
        return found

    def add(self, row: R) -> None:
        """Keep this row; it is on disk when this returns."""
        if self._part is None:
            self._part = self._open_part()
        self.rows[row.id] = row
        self._part.write(_line(asdict(row)))
        self._part.flush()

    def _open_part(self) -> IO[str]:
        """FILE.part, begun again with what is known, so that it ends with a whole line."""
        self._part_path.parent.mkdir(parents=True, exist_ok=True)
        known = self._form.load(self._part_path, half_last_line=True) if self._part_path.exists() else []
        fresh = self._part_path.with_name(f"{self._part_path.name}.tmp")
        fresh.write_text(self._form.text(known), encoding="utf-8")
        fresh.replace(self._part_path)
        return self._part_path.open("a", encoding="utf-8")

    def save(
        self, items: Sequence[VideoItem], write_text: Callable[[Path, str], None], keep_others: bool = False
    ) -> list[R]:
        """Write the rows of these items to the path, with `keep_others` also those of videos not listed today.

        `write_text` does it atomically. Gives the rows of the items, in their order.
        """
        rows = [self.rows[item.id] for item in items]
        write_text(self.path, self._form.text(self.rows.values() if keep_others else rows))
        self.close()
        self._part_path.unlink(missing_ok=True)
        return rows

    def close(self) -> None:
        if self._part is not None:
            self._part.close()
            self._part = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def stamp(path: str) -> tuple[int, int]:
    """(size in bytes, modification time in ns) of a file, a folder of frames, a member of a tar file (with the tar's
    time), or the file around `file#17`.

    (0, 0) where there is none, so that it is looked at in every run.
    """
    if named := shard_and_member(path):
        return _member_stamp(path, named[0])
    if is_url(path):
        return _remote_size(path), 0
    if not os.path.exists(path) and "#" in path:
        path = path.rpartition("#")[0]
    try:
        own = os.stat(path)
        if not os.path.isdir(path):
            return own.st_size, own.st_mtime_ns
        files = [entry.stat() for entry in os.scandir(path)]
    except OSError:
        return 0, 0
    return sum(file.st_size for file in files), max([own.st_mtime_ns, *(file.st_mtime_ns for file in files)])


def _member_stamp(path: str, shard: str) -> tuple[int, int]:
    try:
        return member_of(path).size, 0 if is_url(shard) else os.stat(shard).st_mtime_ns
    except (OSError, VideoError, BackendMissing):
        return 0, 0


def _remote_size(url: str) -> int:
    """Bytes behind a URL; 0 where it cannot be reached."""
    try:
        with open_url(url) as file:
            return file.seek(0, os.SEEK_END)
    except (VideoError, BackendMissing):
        return 0


def _line(values: Mapping[str, Any]) -> str:
    return json.dumps(values) + "\n"  # all ASCII: file names may hold bytes that are no UTF-8
