"""A .npy that grows as rows come: memory for a few rows, and a name only once it is whole."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from videonet.engine.files import no_room_as_output_error, put_in_place


class GrowingArray:
    """Rows of one shape and dtype, appended to a file of which `finish` makes an ordinary .npy."""

    def __init__(self, working: Path, like: np.ndarray) -> None:
        """working: where it grows, on the disk where it will stay; like: (n, ...), any rows of it."""
        working.parent.mkdir(parents=True, exist_ok=True)
        self._working, self._dtype, self._row = working, like.dtype.newbyteorder("<"), like.shape[1:]
        self._rows, self._hash = 0, hashlib.sha256()
        self._file = working.open("wb")
        self._write_header()

    def _write_header(self) -> None:
        # numpy leaves room in a header for the first axis to grow: it keeps its length
        values = {"descr": self._dtype.str, "fortran_order": False, "shape": (self._rows, *self._row)}
        np.lib.format.write_array_header_1_0(self._file, values)

    def append(self, rows: np.ndarray) -> None:
        """(n, ...) more. Raises OutputError where the disk is full."""
        assert rows.shape[1:] == self._row
        data = np.ascontiguousarray(rows, self._dtype).data
        with no_room_as_output_error(self._working):
            self._file.write(data)
        self._hash.update(data)
        self._rows += len(rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """So far."""
        return (self._rows, *self._row)

    @property
    def sha256(self) -> str:
        """Of the bytes of the rows so far, without a header."""
        return self._hash.hexdigest()

    def finish(self, path: Path) -> None:
        """The whole array, synced, now under `path`."""
        with no_room_as_output_error(path):
            self._file.seek(0)
            self._write_header()
            self._file.close()
            put_in_place(self._working, path)

    def drop(self) -> None:
        """It is not wanted any more."""
        self._file.close()
        self._working.unlink(missing_ok=True)
