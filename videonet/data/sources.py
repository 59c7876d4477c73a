"""THE TABLE of data sources: how a row of `data.source` reads its annotations."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .lists import Listing, read_folder, read_list


@dataclass(frozen=True)
class Source:
    """`read(path, root, class_names)` -> Listing."""

    summary: str
    read: Callable[[Path, str | None, Sequence[str] | None], Listing]


SOURCES: dict[str, Source] = {
    "folder": Source("a folder of class folders", lambda path, root, names: read_folder(path, names)),
    "list": Source("`path label` or `path,label` a line", read_list),
}

_SIDES = re.compile(r"(?<![a-z])(left|right|clockwise|anticlockwise|counterclockwise)(?![a-z])", re.IGNORECASE)


def may_flip(class_names: Sequence[str]) -> bool:
    """Whether a mirrored video keeps its class, as far as the class names tell."""
    return not any(_SIDES.search(name.replace("_", " ")) for name in class_names)
