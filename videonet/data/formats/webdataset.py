"""webdataset's shards: tar files in which `<key>.mp4` and `<key>.cls` or `<key>.json` are one sample."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from videonet.decode.reader import IMAGE_SUFFIXES, VideoError
from videonet.decode.tar import MARK, Shard, open_member, read_shard

from .folders import VIDEO_SUFFIXES
from .listing import Listing, Reading
from .text import ListError, content_lines, join, parse_json, start_folder

MOST_SHARDS = 100_000  # that one pattern names
MOST_LABEL_BYTES = 1 << 16  # of one .cls or .json
LABEL_KEYS = ("label", "cls", "class", "class_name")  # of a .json, the first that is there

_BRACES = re.compile(r"(.*)\{(\d+)\.\.(\d+)\}(.*)")


def read_webdataset(path: str | Path, root: str | None = None, class_names: Sequence[str] | None = None) -> Listing:
    """`path` is a tar, `shard-{000..009}.tar`, a folder of tars, or a .txt of such names, relative to `root`.

    The label is the number or class name in `<key>.cls`, or in `<key>.json` under `label`, `cls`, `class` or
    `class_name`. Ids are shard/key. Raises ListError, also for a tar that is damaged or cut off.
    """
    reading = Reading(path, class_names, "entry")
    number = 0
    for shard in _shards(str(path), root):
        name = Path(shard).stem
        try:
            found = read_shard(shard)
            if found.fault:
                raise ListError(f"{shard} {found.fault}; fetch it again")
            for key, video, label in _samples(found):
                number += 1
                text = _label(shard, label) if label else ""
                if video is None:
                    reading.wrong(number, f"{shard}: {key!r} has a label and no video")
                    continue
                reading.add(number, f"{name}/{key}", f"{shard}#{video}", (text,) if text else ())
        except VideoError as error:
            raise ListError(str(error)) from error
    return reading.listing()


def videos_in_tar(shard: str) -> list[tuple[str, str]]:
    """(name inside the tar, source) of each video in it. Raises VideoError."""
    return [(name, f"{shard}#{name}") for name in read_shard(shard).members if _suffix(name) in VIDEO_SUFFIXES]


def _shards(path: str, root: str | None) -> list[str]:
    if path.endswith(".txt"):
        start = start_folder(path, root)
        return [shard for _, text in content_lines(path) for shard in _expanded(join(start, text))]
    if os.path.isdir(path):
        shards = sorted(os.path.join(path, name) for name in os.listdir(path) if name.endswith(MARK[:-1]))
        if not shards:
            raise ListError(f"{path} holds no .tar file")
        return shards
    return _expanded(path)


def _expanded(pattern: str) -> list[str]:
    """The names that a {000..009} stands for."""
    braces = _BRACES.fullmatch(pattern)
    if braces is None:
        return [pattern]
    head, first, last, tail = braces.groups()
    if int(last) - int(first) > MOST_SHARDS:
        raise ListError(f"{pattern} is more than {MOST_SHARDS} shards")
    return [f"{head}{number:0{len(first)}}{tail}" for number in range(int(first), int(last) + 1)]


def _samples(shard: Shard) -> Iterator[tuple[str, str | None, str | None]]:
    """(key, member with the video, member with the label) of each sample."""
    parts: dict[str, dict[str, str]] = {}
    for name in shard.members:
        folder, slash, file = name.rpartition("/")
        key, dot, suffix = file.partition(".")
        parts.setdefault(folder + slash + key, {})[dot + suffix.lower()] = name
    for key, by_suffix in parts.items():
        videos = [name for suffix, name in by_suffix.items() if suffix in VIDEO_SUFFIXES | IMAGE_SUFFIXES]
        label = by_suffix.get(".cls") or by_suffix.get(".json")
        if videos or label:
            yield key, videos[0] if videos else None, label


def _label(shard: str, member: str) -> str:
    """The label in a .cls or .json member, as it is written; "" where a .json has none."""
    with open_member(f"{shard}#{member}") as file:
        data = file.read(MOST_LABEL_BYTES + 1)
    if len(data) > MOST_LABEL_BYTES:
        raise ListError(f"{shard}#{member} is longer than {MOST_LABEL_BYTES} bytes; no label is")
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise ListError(f"{shard}#{member} is not UTF-8 text: {error}") from None
    if not member.lower().endswith(".json"):
        return text
    value = parse_json(text, f"{shard}#{member}")
    found = next((value[key] for key in LABEL_KEYS if key in value), "") if isinstance(value, dict) else value
    if isinstance(found, bool) or not isinstance(found, int | str):
        raise ListError(f"{shard}#{member}: label {found!r} is neither a whole number nor a class name")
    return str(found)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()
