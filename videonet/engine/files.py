"""Files that are whole or absent: written beside their place, synced, then renamed; older results are kept."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class OutputError(ValueError):
    """The output folder cannot be used as asked; the message says the way out."""


def no_room(path: Path, error: OSError) -> OutputError:
    """Of a disk, or a quota, that is full."""
    return OutputError(f"no room to write {path} ({error.strerror}); what stood there before is intact, make room")


@contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that appears under `path` only when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with no_room_as_output_error(path):
            with temporary.open("wb") as file:
                yield file
            put_in_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def no_room_as_output_error(path: Path) -> Iterator[None]:
    """A disk that is full while `path` is written is an OutputError."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise no_room(path, error) from error
        raise


def put_in_place(written: Path, path: Path) -> None:
    """A file that was written elsewhere on the same disk, synced and then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written.open("rb") as file:
        os.fsync(file.fileno())
    written.replace(path)
    _sync_folder(path.parent)


def sweep(folder: Path) -> None:
    """Remove what killed writers left half-written in `folder`; what a living process writes stays."""
    for left in folder.glob(".*.*.tmp"):
        pid = left.name.split(".")[-2]
        if pid.isdecimal() and not _lives(int(pid)):
            left.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        return True
    return True


def _sync_folder(folder: Path) -> None:
    """A rename is only sure once its folder is on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, value: Any) -> None:
    """Indented UTF-8 JSON, atomically."""
    with atomic(path) as file:
        file.write((json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def write_text(path: Path, text: str) -> None:
    """UTF-8 text, atomically."""
    with atomic(path) as file:
        file.write(text.encode())


def keep_old(paths: list[Path], log: Callable[[str], None]) -> None:
    """Results of an earlier run move out of the way, together under one number: results.json -> results.1.json."""
    present = [path for path in paths if path.exists()]
    if not present:
        return
    number = 1
    while any(_numbered(path, number).exists() for path in paths):
        number += 1
    for path in present:
        path.rename(_numbered(path, number))
        log(f"{path.name} of an earlier run is kept as {_numbered(path, number).name}")


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}.{number}{path.suffix}")


def file_sha256(path: Path) -> str:
    """64 hex digits of the file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
