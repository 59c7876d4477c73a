"""Folders of videos: class folders, and the look-up of a video whose suffix or folder is not known."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from videonet.decode.reader import IMAGE_SUFFIXES

from .listing import Listing, VideoItem
from .text import ListError

VIDEO_SUFFIXES = frozenset(
    f".{name}"
    for name in "mp4 m4v mov mkv webm avi mpg mpeg ts flv wmv 3gp ogv gif".split()  # noqa: SIM905
)


def read_folder(folder: str | Path, class_names: Sequence[str] | None = None) -> Listing:
    """A folder of class folders. Labels follow the class names, or the sorted folders.

    A video is a video file, a folder of frames, or one image (a video of one frame), at any depth.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ListError(f"{folder} is not a folder; the folder source needs a folder of class folders")
    found = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    names = list(found if class_names is None else class_names)
    unknown = [name for name in found if name not in names]
    if unknown:
        raise ListError(f"{folder}: class folders {unknown} are not among the {len(names)} class names")
    start = len(os.path.join(folder, ""))
    items = [
        VideoItem(Path(video[start:]).as_posix(), video, label)
        for label, name in enumerate(names)
        for video in _walk(os.path.join(folder, name))
    ]
    if not items:
        raise ListError(f"{folder} holds no videos; expected {folder}/<class name>/<video file>")
    return Listing(items, tuple(names))


def find_videos(folder: Path) -> list[Path]:
    """Video files, images and folders of frames under `folder`, sorted; hidden ones are left out.

    Loose images are one video each when they lie in `folder` itself; in a subfolder that holds neither videos nor
    folders they are its frames.
    """
    return [Path(video) for video in _walk(os.fspath(folder))]


def _walk(folder: str) -> list[str]:
    return _videos(folder, _entries(folder))


def _videos(folder: str, entries: Sequence[tuple[str, bool]]) -> list[str]:
    found = []
    for name, is_folder in entries:
        path = os.path.join(folder, name)
        if is_folder:
            inside = _entries(path)
            found += [path] if _is_frames(inside) else _videos(path, inside)
        elif _suffix(name) in VIDEO_SUFFIXES or _suffix(name) in IMAGE_SUFFIXES:
            found.append(path)
    return found


def _is_frames(entries: Sequence[tuple[str, bool]]) -> bool:
    suffixes = {_suffix(name) for name, _ in entries}
    return not suffixes.isdisjoint(IMAGE_SUFFIXES) and not (
        suffixes & VIDEO_SUFFIXES or any(is_folder for _, is_folder in entries)
    )


def _entries(folder: str) -> list[tuple[str, bool]]:
    """(name, is it a folder) of what is not hidden, sorted; nothing where there is no such folder."""
    try:
        with os.scandir(folder) as found:
            return sorted((entry.name, entry.is_dir()) for entry in found if not entry.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


class VideoFinder:
    """Finds videos by their names without suffix; each folder is listed once."""

    def __init__(self) -> None:
        self._stems: dict[str, dict[str, str]] = {}

    def find(self, folders: Iterable[str], stem: str) -> str | None:
        """Path of the video file, or of the folder of frames, called `stem` in the first of the folders that has it."""
        for folder in folders:
            name = self._listed(folder).get(stem)
            if name is not None:
                return os.path.join(folder, name)
        return None

    def present(self, folders: Iterable[str]) -> tuple[str, ...]:
        """Those of the folders that hold videos."""
        return tuple(folder for folder in folders if self._listed(folder))

    def _listed(self, folder: str) -> dict[str, str]:
        if folder not in self._stems:
            stems: dict[str, str] = {}
            for name, is_folder in _entries(folder):
                if not is_folder and _suffix(name) in VIDEO_SUFFIXES:
                    stems[os.path.splitext(name)[0]] = name
                elif is_folder:
                    stems.setdefault(name, name)
            self._stems[folder] = stems
        return self._stems[folder]
