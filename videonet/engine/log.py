"""What a run says while it works: plain lines or a progress bar, JSON lines, a table, and what trackers are told."""

from __future__ import annotations

import csv
import functools
import io
import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .files import write_text

if TYPE_CHECKING:
    from rich.console import Console

    from .trackers import Tracker

T = TypeVar("T")

logger = logging.getLogger("videonet")

_SECONDS_BETWEEN_LINES = 15.0


def setup_logging(quiet: bool = False) -> None:
    """Messages go to stderr (stdout is for results): through rich on a terminal, as plain lines elsewhere."""
    handler: logging.Handler
    if sys.stderr.isatty():
        from rich.logging import RichHandler

        handler = RichHandler(
            console=_terminal(), show_path=False, show_level=False, highlighter=None, log_time_format="%H:%M:%S"
        )
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(logging.WARNING if quiet else logging.INFO)


@functools.cache
def _terminal() -> Console:
    """One console for messages and bars, so that they do not overwrite each other."""
    from rich.console import Console

    return Console(stderr=True)


def track(items: Iterable[T], total: int, what: str, unit: str, shown: bool = True) -> Iterator[T]:
    """Yield the items and show progress with rate and ETA; `total` items of `unit` are expected."""
    if not shown or not logger.isEnabledFor(logging.INFO):
        yield from items
    elif sys.stderr.isatty():
        yield from _bar(items, total, what, unit)
    else:
        yield from _lines(items, total, what, unit)


def _bar(items: Iterable[T], total: int, what: str, unit: str) -> Iterator[T]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    with Progress(*columns, TimeRemainingColumn(), console=_terminal(), transient=True) as progress:
        task = progress.add_task(what, total=total, rate="")
        for item in items:
            yield item
            progress.advance(task)
            speed = progress.tasks[task].speed
            progress.update(task, rate=f"{speed:.1f} {unit}/s" if speed else "")


def _lines(items: Iterable[T], total: int, what: str, unit: str) -> Iterator[T]:
    start = last = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last >= _SECONDS_BETWEEN_LINES:
            last = now
            rate = done / (now - start)
            left = (total - done) / rate
            logger.info("%s: %d/%d %s, %.1f %s/s, %.0f s left", what, done, total, unit, rate, unit, left)


class RunLog:
    """`train.jsonl` (one JSON object a line), `train.csv` (the same as a table) and trackers; silent where not enabled.

    A tracker that fails on the way is named and left out: a server that goes away must not end a run of days.
    """

    def __init__(
        self, folder: Path, trackers: Sequence[Tracker], config: dict[str, Any], start: int = 0, enabled: bool = True
    ) -> None:
        """start: the step at which this run begins or goes on. Raises TrackerError where a tracker cannot start."""
        self._path, self._enabled = folder / "train.jsonl", enabled
        self._trackers = list(trackers) if enabled else []
        if enabled:
            folder.mkdir(parents=True, exist_ok=True)
            self._table = _Table(folder / "train.csv", read_rows(self._path, before_step=start))
            for tracker in self._trackers:
                tracker.start(config)

    def row(self, kind: str, epoch: int, step: int, values: dict[str, float]) -> None:
        """`step` counts from the start of the run; values are plain numbers."""
        if not self._enabled:
            return
        row = {"kind": kind, "epoch": epoch, "step": step, **values}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self._table.add(row)
        self._tell(lambda tracker: tracker.row(kind, step, {"epoch": epoch, **values}))

    def close(self) -> None:
        """Let the trackers finish."""
        self._tell(lambda tracker: tracker.close())

    def _tell(self, message: Callable[[Tracker], None]) -> None:
        for tracker in list(self._trackers):
            try:
                message(tracker)
            except Exception as error:  # noqa: BLE001  # whatever its network, server or disk comes up with
                self._trackers.remove(tracker)
                name = type(tracker).__name__
                logger.warning("%s failed and is told no more (train.jsonl has every row): %r", name, error)


class _Table:
    """A csv file of rows that need not have the same values: columns never move, new ones are added at the end."""

    def __init__(self, path: Path, rows: Sequence[dict[str, Any]]) -> None:
        self._path = path
        self._columns = list(
            dict.fromkeys(name for row in ({"kind": "", "epoch": 0, "step": 0}, *rows) for name in row)
        )
        self._write(rows)

    def add(self, row: dict[str, Any]) -> None:
        """One more row; where it has a new column the file is written anew."""
        new = [name for name in row if name not in self._columns]
        if new:
            with self._path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            self._columns += new
            self._write([*rows, row])
        else:
            with self._path.open("a", encoding="utf-8", newline="") as file:
                csv.DictWriter(file, self._columns).writerow(row)

    def _write(self, rows: Sequence[dict[str, Any]]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns)
        writer.writeheader()
        writer.writerows(rows)
        write_text(self._path, text.getvalue())


def read_rows(path: Path, before_step: int | None = None) -> list[dict[str, Any]]:
    """Rows of a `train.jsonl`, a half-written last line left out; a later row of the same kind and step wins."""
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue  # the process was killed while it wrote this line
            if before_step is None or row["step"] < before_step:
                rows[row["kind"], row["step"]] = row
    return list(rows.values())
