"""Class names and mirrored videos: which label a horizontal flip turns into which."""

from __future__ import annotations

import re
from collections.abc import Sequence

_OTHER_SIDE = {"left": "right", "right": "left", "clockwise": "counterclockwise", "counterclockwise": "clockwise"}
_SIDE = re.compile(r"(?<![a-z])(left|right|clockwise|counterclockwise)(?![a-z])")
_ADVERB = re.compile(r"(?<![a-z])right (?=(?:out|away|after|before|now)(?![a-z]))")  # "pulling it right out"


def mirrored_labels(class_names: Sequence[str]) -> dict[int, int] | None:
    """{label: label of the mirrored video} for the classes whose names tell sides; empty where none does.

    The mirror of a name swaps left and right, clockwise and counterclockwise. None: the mirror of some class is not
    among the names, so that videos must not be flipped at all.
    """
    keys = [_key(name) for name in class_names]
    labels = {key: label for label, key in enumerate(keys)}
    mirrored: dict[int, int] = {}
    for label, key in enumerate(keys):
        other = labels.get(_SIDE.sub(lambda match: _OTHER_SIDE[match[0]], key))
        if other is None and _SIDE.search(_ADVERB.sub("", key)):
            return None
        if other is not None and other != label:
            mirrored[label] = other
    return mirrored


def _key(name: str) -> str:
    """Lower-case words with one space between: of `move_left`, `Move Left` and `MoveLeft` alike."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|[\s_]+", " ", name).casefold()
    return re.sub(r"(?:counter|anti)[- ]?clockwise", "counterclockwise", words)
