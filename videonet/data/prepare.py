"""Training copies of a data set in a folder of its own: which ones to make, what was made, and what it gains."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from videonet.decode.reader import IMAGE_SUFFIXES, NoVideoStream, Undecodable, VideoError

from .copying import CopyError, Recipe, copy_video, is_copy, part_of
from .ledger import FileRow, Form, stamp
from .lists import VIDEO_SUFFIXES, Listing, VideoItem
from .manifest import Open
from .mapping import Death, map_jobs

_MOST_SHOWN = 5
_SAMPLE_VIDEOS, _SAMPLE_CLIPS = 20, 3  # what the gain is measured on
_CLIP_FRAMES, _CLIP_STRIDE = 16, 4
_LIST_MARK = "# copies made by videonet prepare"


@dataclass(frozen=True)
class Prepared(FileRow):
    """One video and its copy; the numbers are 0 where there is none."""

    copy: str = ""
    """Path of the copy inside the folder of copies."""
    copy_bytes: int = 0
    frames: int = 0
    damaged: int = 0
    """Frames that the source's decoder flagged as corrupt; they are in the copy as they came out."""
    substituted: int = 0
    """Frames that could not be decoded; the copy has a neighbour in their place."""


def form(recipe: Recipe) -> Form[Prepared]:
    """Of the record of a folder of copies; all in it are of one recipe."""
    return Form("prepared", 1, Prepared, asdict(recipe))


def copy_names(items: Sequence[VideoItem]) -> dict[str, str]:
    """id -> path of the copy inside its folder: the id with the suffix .mp4; ids that differ only there keep theirs.

    Raises CopyError where two copies would have one path.
    """
    stems = {item.id: _inside(item.id) for item in items}
    short = {name: _mp4(stem) for name, stem in stems.items()}
    taken: dict[str, int] = {}
    for path in short.values():
        taken[path] = taken.get(path, 0) + 1
    names = {name: path if taken[path] == 1 else f"{stems[name]}.mp4" for name, path in short.items()}
    owners: dict[str, str] = {}
    for name, path in names.items():
        if owners.setdefault(path, name) != name:
            raise CopyError(
                f"the copies of {owners[path]!r} and {name!r} would both be {path}; copy them one at a time"
            )
    return names


def _inside(name: str) -> str:
    """An id as a path that stays inside a folder."""
    parts = [part for part in PurePosixPath(name.replace("://", "/")).parts if part not in ("/", ".", "..")]
    return "/".join(parts) or "video"


def _mp4(path: str) -> str:
    suffix = PurePosixPath(path).suffix
    return (path.removesuffix(suffix) if suffix.lower() in VIDEO_SUFFIXES else path) + ".mp4"


def _refuse_foreign(folder: Path, names: Sequence[str]) -> None:
    """Raise CopyError where a copy would overwrite a file that is none."""
    foreign = [name for name in names if (folder / name).exists() and not is_copy(folder / name)]
    if foreign:
        shown = ", ".join(foreign[:_MOST_SHOWN])
        raise CopyError(f"{folder} holds {len(foreign)} other files where copies go ({shown}); name another folder")


def prepare(
    items: Sequence[VideoItem], names: Mapping[str, str], folder: Path, recipe: Recipe, opener: Open, workers: int,
    timeout_seconds: float,
) -> Iterator[Prepared]:  # fmt: skip
    """Make the copies of these videos, each at `folder / names[id]`; rows as they get done.

    Raises CopyError where the folder cannot be written to, or, before any work, where a copy would overwrite a file
    that is none.
    """
    _refuse_foreign(folder, [names[item.id] for item in items])
    work = functools.partial(prepare_one, folder=folder, recipe=recipe, opener=opener)
    jobs = [(item, names[item.id]) for item in items]
    for index, row in map_jobs(work, jobs, workers, timeout_seconds):
        item, name = jobs[index]
        if isinstance(row, CopyError):
            raise row
        if isinstance(row, Death):
            part_of(folder / name).unlink(missing_ok=True)
            row = form(recipe).failed(item, row.reason)
        yield row


def prepare_one(job: tuple[VideoItem, str], folder: Path, recipe: Recipe, opener: Open) -> Prepared | CopyError:
    """Make one copy; a source that is broken, by the rule that training has, gets none."""
    item, name = job
    size_bytes, mtime_ns = stamp(item.path)
    try:
        if Path(item.path).suffix.lower() in IMAGE_SUFFIXES:
            raise NoVideoStream(item.path, "an image; copies are made of videos and folders of frames")
        with opener(item.path) as source:
            missing, frames = source.info.missing, source.info.frames
            if missing > 0.1 * (frames + missing):
                raise Undecodable(item.path, f"cut short: {missing} of {frames + missing} frames are gone")
            copied = copy_video(source, folder / name, recipe, opener)
    except VideoError as error:
        return form(recipe).failed(item, error.reason)
    except CopyError as error:
        return error
    return Prepared(
        item.id, item.path, size_bytes, mtime_ns, ok=True, reason="", copy=name,
        copy_bytes=(folder / name).stat().st_size, frames=frames, damaged=copied.damaged,
        substituted=copied.substituted,
    )  # fmt: skip


def list_paths(names: Sequence[str], folder: Path) -> dict[str, Path]:
    """Where the lists of copies go that stand for these lists. Raises CopyError where another file lies there."""
    paths: dict[str, Path] = {}
    for name in names:
        path = folder / f"{Path(name).stem.replace('#', '_')}.txt"
        if path in paths.values():
            path = folder / f"{Path(name).resolve().parent.name}_{path.name}"
        if path in paths.values() or (path.exists() and not path.read_bytes().startswith(_LIST_MARK.encode())):
            raise CopyError(f"the list of the copies of {name} would overwrite {path}; name another folder")
        paths[name] = path
    return paths


def list_text(listing: Listing, rows: Mapping[str, Prepared]) -> str:
    """The list of the copies, `path label ...` a line; class names, and videos without a copy, are comments."""
    lines = [_LIST_MARK]
    if not all(name.isdecimal() for name in listing.class_names):
        lines += [f"# class {label}: {name}" for label, name in enumerate(listing.class_names)]
    for item in listing.items:
        row = rows[item.id]
        labels = "".join(f" {label}" for label in item.labels or (item.label,) if label >= 0)
        lines.append(f"{row.copy}{labels}" if row.ok else f"# no copy: {item.id}{labels}: {row.reason}")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Gain:
    """What the copies gain, measured on random clips of 16 frames, 4 apart."""

    videos: int
    source_ms: float
    """CPU time to open a source and decode a clip of it."""
    copy_ms: float


def measure_gain(rows: Sequence[Prepared], folder: Path, opener: Open) -> Gain | None:
    """Decode the same random clips of sources and copies, of up to 20 videos; None where there are no copies."""
    good = [row for row in rows if row.ok]
    if not good:
        return None
    rng = np.random.default_rng(0)
    chosen = [good[i] for i in rng.permutation(len(good))[:_SAMPLE_VIDEOS]]
    rounds = []
    for row in [chosen[0], *chosen]:  # the first is for warming up
        for start in rng.integers(max(1, row.frames - _CLIP_FRAMES * _CLIP_STRIDE), size=_SAMPLE_CLIPS).tolist():
            indices = range(start, start + _CLIP_FRAMES * _CLIP_STRIDE, _CLIP_STRIDE)
            rounds.append([_clip_seconds(path, indices, opener) for path in (row.path, str(folder / row.copy))])
    source_ms, copy_ms = (1000 * np.median(rounds[_SAMPLE_CLIPS:], axis=0)).tolist()
    return Gain(len(chosen), source_ms, copy_ms)


def _clip_seconds(path: str, indices: Sequence[int], opener: Open) -> float:
    """CPU seconds to open a video and decode these frames."""
    begun = time.thread_time()
    with opener(path) as reader:
        reader.at_index(indices)
    return time.thread_time() - begun
