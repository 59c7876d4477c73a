"""What a run says while it works: plain lines or a progress bar, JSON lines, TensorBoard."""

from __future__ import annotations

import functools
import json
import logging
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from rich.console import Console

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
    """`train.jsonl` (one JSON object a line) and TensorBoard, both under `folder`; silent on ranks other than 0."""

    def __init__(self, folder: Path, enabled: bool = True) -> None:
        self._path = folder / "train.jsonl"
        self._writer: Any = None
        if enabled:
            from torch.utils.tensorboard import SummaryWriter

            folder.mkdir(parents=True, exist_ok=True)
            self._writer = SummaryWriter(str(folder / "tensorboard"))

    def row(self, kind: str, epoch: int, step: int, values: dict[str, float]) -> None:
        """`step` counts from the start of the run; values are plain numbers."""
        if self._writer is None:
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, "epoch": epoch, "step": step, **values}) + "\n")
        for name, value in values.items():
            self._writer.add_scalar(f"{kind}/{name}", value, step)

    def close(self) -> None:
        """Flush TensorBoard."""
        if self._writer is not None:
            self._writer.close()


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
