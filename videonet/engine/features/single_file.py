"""All features in one file: HDF5 and parquet. Made at the end, from the arrays of all videos, by one process.

Videos stand in it in the order of the index. It is written beside its place and then renamed, and only then are the
arrays that it was made of deleted, with the folder that they are in.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from videonet.engine.files import no_room_as_output_error, put_in_place

from .formats import PARTS, Row, needed, part

_BLOCK_BYTES = 32 << 20


class _SingleFile:
    """What both have in common: an array a feature and video until `close` puts them together."""

    name: str

    def __init__(self, folder: Path, features: Sequence[str]) -> None:
        self._folder, self._features = folder, features

    def place(self, video_id: str, feature: str) -> Path:
        return part(video_id, feature)

    def finish(self, video_id: str, seconds: np.ndarray) -> dict[str, str]:
        return dict.fromkeys(self._features, self.name)


class Hdf5File(_SingleFile):
    """`features.h5`: a group a video (an id with slashes: groups in groups) with a data set a feature and "seconds"."""

    name = "features.h5"

    def __init__(self, folder: Path, features: Sequence[str]) -> None:
        super().__init__(folder, features)
        self._library = needed("h5py", "h5py")

    def close(self, rows: Sequence[Row]) -> None:
        working = self._folder / PARTS.parent / self.name
        with no_room_as_output_error(working):
            with self._library.File(working, "w", track_order=False) as file:
                for row in rows:
                    group = file.create_group(row["id"])
                    group.create_dataset("seconds", data=np.array(row["clip_seconds"]), track_times=False)
                    for feature in self._features:
                        self._copy(np.load(self._folder / part(row["id"], feature), mmap_mode="r"), group, feature)
            put_in_place(working, self._folder / self.name)

    @staticmethod
    def _copy(array: np.ndarray, group: Any, feature: str) -> None:
        made = group.create_dataset(feature, array.shape, array.dtype, track_times=False)
        for start, block in blocks(array):
            made[start : start + len(block)] = block

    def reader(self, rows: Sequence[Row]) -> Callable[[int, str], np.ndarray]:
        file = self._library.File(self._folder / self.name, "r")
        return lambda position, feature: file[rows[position]["id"]][feature][()]


class ParquetFile(_SingleFile):
    """`features.parquet`: a row a window: "id", "start_seconds", "stop_seconds" and a list of D numbers a feature."""

    name = "features.parquet"

    def __init__(self, folder: Path, features: Sequence[str]) -> None:
        super().__init__(folder, features)
        self._arrow = needed("pyarrow", "pyarrow")
        self._parquet = needed("pyarrow.parquet", "pyarrow")

    def close(self, rows: Sequence[Row]) -> None:
        working = self._folder / PARTS.parent / self.name
        writer = None
        with no_room_as_output_error(working):
            for tables in self._groups(rows):
                table = self._arrow.concat_tables(tables).combine_chunks()
                if writer is None:
                    writer = self._parquet.ParquetWriter(working, table.schema)
                writer.write_table(table, row_group_size=len(table))
            if writer is None:  # no video could be read
                writer = self._parquet.ParquetWriter(working, self._arrow.schema([("id", self._arrow.string())]))
            writer.close()
            put_in_place(working, self._folder / self.name)

    def _groups(self, rows: Sequence[Row]) -> Iterator[list[Any]]:
        """Tables that together make a row group: short videos share one, a long one has several."""
        tables, size = [], 0
        for row in rows:
            for table in self._tables(row):
                tables.append(table)
                size += table.nbytes
                if size >= _BLOCK_BYTES:
                    yield tables
                    tables, size = [], 0
        if tables:
            yield tables

    def _tables(self, row: Row) -> Iterator[Any]:
        arrow = self._arrow
        seconds = np.array(row["clip_seconds"])
        arrays = {name: np.load(self._folder / part(row["id"], name), mmap_mode="r") for name in self._features}
        first = self._features[0]
        for start, block in blocks(arrays[first]):
            stop = start + len(block)
            columns = {
                "id": arrow.array([row["id"]] * len(block), arrow.string()),
                "start_seconds": arrow.array(seconds[start:stop, 0]),
                "stop_seconds": arrow.array(seconds[start:stop, 1]),
            }
            for name, array in arrays.items():
                flat = arrow.array(np.ascontiguousarray(array[start:stop]).reshape(-1))
                columns[name] = arrow.FixedSizeListArray.from_arrays(flat, array.shape[1])
            yield arrow.table(columns)

    def reader(self, rows: Sequence[Row]) -> Callable[[int, str], np.ndarray]:
        """It holds one row group of each feature in memory."""
        file = self._parquet.ParquetFile(self._folder / self.name)
        meta = file.metadata
        groups = [0, *accumulate(meta.row_group(number).num_rows for number in range(meta.num_row_groups))]
        videos = [0, *accumulate(len(row["clip_seconds"]) for row in rows)]
        held: dict[str, tuple[int, np.ndarray]] = {}

        def group(feature: str, number: int) -> np.ndarray:
            if feature not in held or held[feature][0] != number:
                column = file.read_row_group(number, [feature])[feature].combine_chunks()
                flat = column.flatten().to_numpy(zero_copy_only=False)
                held[feature] = number, flat.reshape(-1, column.type.list_size)
            return held[feature][1]

        def read(position: int, feature: str) -> np.ndarray:
            start, stop = videos[position], videos[position + 1]
            if stop > groups[-1]:
                raise ValueError(f"{self.name} has {groups[-1]} rows; those of this video end at {stop}")
            first, last = bisect_right(groups, start) - 1, bisect_right(groups, stop - 1) - 1
            return np.concatenate(
                [
                    group(feature, number)[max(0, start - groups[number]) : stop - groups[number]]
                    for number in range(first, last + 1)
                ]
            )

        return read


def blocks(array: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, some rows): the array in pieces that fit in memory."""
    rows = max(1, _BLOCK_BYTES // max(1, array[:1].nbytes))
    for start in range(0, len(array), rows):
        yield start, array[start : start + rows]
