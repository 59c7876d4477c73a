"""Where the videos are, and how they are read."""

from __future__ import annotations

from typing import Literal

from pydantic.dataclasses import dataclass

from .types import STRICT, NonNegative, Positive, PositiveFloat, Share


@dataclass(frozen=True, config=STRICT)
class DataConfig:
    """Where the videos are and how they are read."""

    source: str = "folder"
    """A row of `videonet.data.sources.SOURCES`: how annotations are read."""
    train: str | None = None
    """Training videos: a folder of class folders, or a list file."""
    val: str | None = None
    """Videos on which training is watched and `best.pt` is chosen; None: not watched."""
    test: str | None = None
    """Videos of the final test; None: those of `val`."""
    root: str | None = None
    """Folder that relative paths in a list start from; None: the list's own folder."""
    classes: str | None = None
    """File of class names, one a line, in label order; None: folder names, or the labels themselves."""
    holdout: Share = 0.2
    """Folder source with neither `val` nor `test`: the share of each class set aside as `val`."""
    manifest: str | None = None
    """What `videonet index` found about the files: broken ones are known before the first step; None: not used."""
    balance: Share = 0.0
    """Rare classes come up more often in training: a class of m videos in proportion to m ** (1 - balance). 0: as they
    are there. 1: all classes alike. An epoch stays as long as it is."""
    backend: str = "pyav"
    """The decoder, a row of `videonet.decode.reader.BACKENDS`; never changed silently."""
    frames_fps: PositiveFloat = 30.0
    """Frames a second of a folder of frames, which itself has no clock."""
    frames_pattern: str = "*"
    """File names of the frames in such a folder, where it holds others too (`img_*`)."""
    max_pixels: Positive = 8192 * 8192
    """Width times height that a header may ask for; a larger video counts as unreadable."""
    max_frames: Positive = 2_000_000
    """Frames that a file may hold; a longer video counts as unreadable."""
    max_decode_seconds: PositiveFloat = 120.0
    """CPU seconds that opening a video, or one read of it, may take."""
    workers: NonNegative = 2
    """Loader workers a rank; 0: read in the training process."""
    worker_kind: Literal["forkserver", "spawn", "fork", "thread"] = "forkserver"
    """Processes started that way, or threads (decoding frees the GIL; a crash of the decoder then ends the run)."""
    prefetch_batches: Positive = 2
    """Batches kept ready; together with one video a worker they bound the loader's memory."""
    worker_timeout_seconds: PositiveFloat = 300.0
    """A worker that is at one video for longer is replaced, and the video counts as unreadable."""
    quarantine: str | None = None
    """File of unreadable videos, shared by workers, ranks and runs; None: `quarantine.jsonl` in `output_dir`."""
    max_failed: Share = 0.1
    """Training stops when more than this share of the training videos proved unreadable."""
