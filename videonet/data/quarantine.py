"""Videos that could not be read, one JSON line each: {"id", "path", "reason", "when"}.

The file is only ever added to, each line in one write, so that workers, ranks and runs may share it.
"""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

from .dataset import Failure


class Quarantine:
    """Each path stands in it once, as far as its writers can see; two at the same instant may both write a line."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._lock = threading.Lock()
        self._reasons: dict[str, str] = {}
        self._read_bytes = 0

    def add(self, failure: Failure) -> None:
        """Write the failure down unless its path stands there already. Raises OSError where the file cannot grow."""
        with self._lock:
            unfinished = self._read_on()
            if failure.path in self._reasons:
                return
            now = datetime.now(UTC).isoformat(timespec="seconds")
            row = {"id": failure.id, "path": failure.path, "reason": failure.reason, "when": now}
            line = ("\n" if unfinished else "") + json.dumps(row) + "\n"
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(file, line.encode())
            finally:
                os.close(file)
            self._reasons[failure.path] = failure.reason

    def reasons(self) -> dict[str, str]:
        """path -> reason of every video in the file, also of those that others wrote since."""
        with self._lock:
            self._read_on()
            return dict(self._reasons)

    def _read_on(self) -> bool:
        """Take in what was added; True where the file ends in half a line."""
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            size = 0
        if not size or size < self._read_bytes:  # deleted, or begun anew
            self._reasons, self._read_bytes = {}, 0
        if size == self._read_bytes:
            return False
        with self._path.open("rb") as file:
            file.seek(self._read_bytes)
            whole, newline, rest = file.read().rpartition(b"\n")
        self._read_bytes += len(whole) + len(newline)
        for line in whole.splitlines():
            try:
                row = json.loads(line)
                self._reasons.setdefault(str(row["path"]), str(row["reason"]))
            except (ValueError, TypeError, KeyError):
                continue  # half a line of a writer that was killed, or nothing of ours
        return bool(rest)
