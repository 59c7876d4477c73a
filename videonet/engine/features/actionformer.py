"""The layout that ActionFormer and code like it read: `features/<id>.npy`, (T, D), and a json with the clock of each.

Row t of a video stands for the `num_frames` frames that begin at frame `t * feat_stride`, so that a time in seconds is
row `(seconds * fps - num_frames / 2) / feat_stride`. This needs the same hop in frames in all videos.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from videonet.data import clips
from videonet.data.lists import VIDEO_SUFFIXES, VideoItem
from videonet.data.sliding import Sliding
from videonet.engine.files import OutputError, write_json

from .formats import NpyFiles, Row, file_stem

DATABASE = "actionformer.json"


class ActionFormerFiles:
    """A writer and reader of features as `FeatureFiles`, of one vector feature."""

    def __init__(self, folder: Path, features: Sequence[str], sliding: Sliding, items: Sequence[VideoItem]) -> None:
        """Raises OutputError for windows, features or ids that this layout cannot hold."""
        if len(features) != 1:
            raise OutputError("the actionformer layout holds one feature; name one with --feature")
        if sliding.hop.ticks is None and sliding.preprocessing.fps is None:
            raise OutputError(
                "the actionformer layout has one stride in frames for all videos; say --hop-frames, or give all videos "
                "one rate (--opts clip.fps=25)"
            )
        names = {actionformer_id(item.id) for item in items}
        if len(names) < len(items):
            raise OutputError(
                "two videos differ in their suffix only, which this layout leaves out; use --layout plain"
            )
        self._sliding, self._folder = sliding, folder
        self._files = NpyFiles(folder, features, lambda video_id: f"features/{actionformer_id(video_id)}")

    def place(self, video_id: str, feature: str) -> Path:
        return self._files.place(video_id, feature)

    def finish(self, video_id: str, seconds: np.ndarray) -> dict[str, str]:
        return self._files.finish(video_id, seconds)

    def close(self, rows: Sequence[Row]) -> None:
        p = self._sliding.preprocessing
        database = {
            actionformer_id(row["id"]): {
                "subset": "test",
                "duration": row["duration_seconds"],
                "fps": p.fps or row["fps"],
                "annotations": [],
            }
            for row in rows
        }
        about = {
            "feat_stride": self._sliding.hop.of(p.fps or 0.0),
            "num_frames": clips.span(p.frames, p.stride),
            "input_dim": rows[0]["shape"][-1] if rows else None,
            "file_ext": ".npy",
        }
        write_json(self._folder / DATABASE, {**about, "database": database})

    def reader(self, rows: Sequence[Row]) -> Callable[[int, str], np.ndarray]:
        return self._files.reader(rows)


def actionformer_id(video_id: str) -> str:
    """The id without the suffix of a video file."""
    path = Path(file_stem(video_id))
    return path.with_suffix("").as_posix() if path.suffix.lower() in VIDEO_SUFFIXES else path.as_posix()
