"""Annotation formats -> list of VideoItem. Every bad line is reported with its number, all at once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from videonet.decode.reader import IMAGE_SUFFIXES

VIDEO_SUFFIXES = frozenset(
    f".{name}" for name in "mp4 m4v mov mkv webm avi mpg mpeg ts flv wmv 3gp ogv gif".split()  # noqa: SIM905
)

_LINE = re.compile(r"(?P<path>.+?)\s*[\s,]\s*(?P<label>-?\d+)")
_MOST_SHOWN = 20


class ListError(ValueError):
    """An annotation list that cannot be used; the message names every bad line."""


@dataclass(frozen=True)
class VideoItem:
    """One video of a data set. `id` is unique and stable: the path as the list or folder names it."""

    id: str
    path: str
    label: int


@dataclass(frozen=True)
class Listing:
    """Videos and the class names in label order."""

    items: list[VideoItem]
    class_names: tuple[str, ...]


def read_class_names(path: str | Path) -> tuple[str, ...]:
    """Names, one a line, in label order. Raises ListError for an empty or repeated name."""
    names = _lines(Path(path))
    while names and not names[-1].strip():
        names.pop()
    problems = [f"line {n}: empty name" for n, name in enumerate(names, 1) if not name.strip()]
    problems += [f"line {n}: {name!r} stands there twice" for n, name in enumerate(names, 1) if name in names[: n - 1]]
    _refuse(Path(path), problems)
    if not names:
        raise ListError(f"{path} holds no class names")
    return tuple(name.strip() for name in names)


def read_list(path: str | Path, root: str | Path | None = None, class_names: Sequence[str] | None = None) -> Listing:
    """Kinetics-style list: `path label` or `path,label` a line, labels 0-based; split from the right, so that
    paths may hold spaces. Relative paths start at `root` (default: the list's folder). `#` starts a comment line.
    """
    path = Path(path)
    start = Path(root) if root is not None else path.parent
    items: list[VideoItem] = []
    first_line: dict[str, int] = {}
    problems: list[str] = []
    for number, line in enumerate(_lines(path), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            problems.append(f"line {number}: {text!r} is not `path label` with a whole-number label")
            continue
        name, label = match["path"], int(match["label"])
        if label < 0 or (class_names is not None and label >= len(class_names)):
            upper = "" if class_names is None else f" and below the {len(class_names)} class names"
            problems.append(f"line {number}: label {label} must be at least 0{upper}")
        if name in first_line:
            problems.append(f"line {number}: {name!r} stands on line {first_line[name]} already")
        first_line.setdefault(name, number)
        items.append(VideoItem(name, str(start / name), label))
    _refuse(path, problems)
    if not items:
        raise ListError(f"{path} lists no videos")
    if class_names is None:
        class_names = [str(label) for label in range(max(item.label for item in items) + 1)]
    return Listing(items, tuple(class_names))


def read_folder(folder: str | Path, class_names: Sequence[str] | None = None) -> Listing:
    """A folder of class folders. A video is a video file, a folder of frames, or one image (a video of one frame)."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ListError(f"{folder} is not a folder; the folder source needs a folder of class folders")
    found = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    names = list(found if class_names is None else class_names)
    unknown = [name for name in found if name not in names]
    if unknown:
        raise ListError(f"{folder}: class folders {unknown} are not among the {len(names)} class names")
    items = [
        VideoItem(path.relative_to(folder).as_posix(), str(path), label)
        for label, name in enumerate(names)
        for path in find_videos(folder / name)
    ]
    if not items:
        raise ListError(f"{folder} holds no videos; expected {folder}/<class name>/<video file>")
    return Listing(items, tuple(names))


def find_videos(folder: Path) -> list[Path]:
    """Video files, images and folders of frames under `folder`, sorted; hidden ones are left out.

    Loose images are one video each when `folder` holds nothing else; inside a subfolder they are its frames.
    """
    if not folder.is_dir():
        return []
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            inside = list(path.iterdir())
            frames = inside and all(p.suffix.lower() in IMAGE_SUFFIXES for p in inside if not p.name.startswith("."))
            found += [path] if frames else find_videos(path)
        elif path.suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES:
            found.append(path)
    return found


def named_videos(names: Sequence[str]) -> list[VideoItem]:
    """Videos named by hand, each once: files; folders, for the videos below them; .txt and .csv lists.

    Labels are of no meaning. Ids are file names, or paths inside the folder; whole paths where those would collide.
    """
    items: list[VideoItem] = []
    for name in names:
        path = Path(name)
        if path.is_dir() and (inside := find_videos(path)):
            items += [VideoItem(video.relative_to(path).as_posix(), str(video), 0) for video in inside]
        elif path.suffix.lower() in (".txt", ".csv"):
            items += read_list(path).items
        else:
            items.append(VideoItem(path.name, name, 0))
    items = list({item.path: item for item in items}.values())
    if len({item.id for item in items}) < len(items):
        items = [VideoItem(item.path.lstrip("/"), item.path, item.label) for item in items]
    return items


def hold_out(listing: Listing, share: float) -> tuple[Listing, Listing]:
    """Split each class in (rest, held out) by a hash of the id: stable when other videos come or go."""
    kept: list[VideoItem] = []
    held: list[VideoItem] = []
    for label in range(len(listing.class_names)):
        items = [item for item in listing.items if item.label == label]
        items.sort(key=lambda item: hashlib.sha256(item.id.encode()).digest())
        count = min(max(1, round(share * len(items))), len(items) - 1) if share > 0 and len(items) > 1 else 0
        held += items[:count]
        kept += items[count:]
    return Listing(kept, listing.class_names), Listing(held, listing.class_names)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ListError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ListError(f"{path} is not a UTF-8 text file: {error}") from None


def _refuse(path: Path, problems: list[str]) -> None:
    if problems:
        more = len(problems) - _MOST_SHOWN
        shown = problems[:_MOST_SHOWN] + ([f"... and {more} more"] if more > 0 else [])
        raise ListError(f"{path} has {len(problems)} bad lines:\n  " + "\n  ".join(shown))
