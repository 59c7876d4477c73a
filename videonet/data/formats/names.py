"""Class names: files of them, and the look-up of a name in a list of them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .text import ListError, read_json, read_lines, refuse

_WHOLE = re.compile(r"\d{1,9}")
_NUMBERED = re.compile(r"(\d{1,9})\s+(\S.*)")


class ClassIndex:
    """Labels by class name; spaces, underscores, quotes and capitals may differ where no two names then agree."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._exact = {name: label for label, name in enumerate(self.names)}
        self._loose: dict[str, int | None] = {}
        for label, name in enumerate(self.names):
            key = _loose(name)
            self._loose[key] = None if key in self._loose else label

    def label(self, text: str, by_name: bool = True) -> int | None:
        """Label of a class name, or, unless `by_name`, of a label written as a number; None: there is no such class."""
        if not by_name and _WHOLE.fullmatch(text):
            return int(text) if int(text) < len(self.names) else None
        found = self._exact.get(text)
        return self._loose.get(_loose(text)) if found is None else found

    def unknown(self, text: str, hint: bool = True) -> str:
        """What to say of a name that is not there; `hint`: with the nearest one, which takes a search."""
        near = difflib.get_close_matches(text, self.names, 1) if hint else []
        return f"no class is called {text!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def read_class_names(path: str | Path) -> tuple[str, ...]:
    """Names in label order, from a text file or JSON.

    Text: one a line, or UCF101's classInd.txt, whose lines start with the numbers 1, 2, ... JSON: a list, {name: label}
    or {label: name}. Quotes around a name and the [] of Something-Something templates are taken off.
    Raises ListError for a file that is none of these, or an empty or repeated name.
    """
    path = Path(path)
    unit = "line"
    if path.suffix.lower() == ".json":
        unit = "entry"
        names = _from_json(path, read_json(path))
    else:
        names = [name.strip() for name in read_lines(path)]
        while names and not names[-1]:
            names.pop()
        numbered = [_NUMBERED.fullmatch(name) for name in names]
        if all(match and int(match[1]) == number for number, match in enumerate(numbered, 1)):
            names = [match[2] for match in numbered if match]
    names = [plain(name) for name in names]
    first: dict[str, int] = {}
    problems = []
    for number, name in enumerate(names, 1):
        if not name:
            problems.append((number, "empty name"))
        elif first.setdefault(name, number) != number:
            problems.append((number, f"{name!r} stands there twice"))
    refuse(path, problems, unit)
    if not names:
        raise ListError(f"{path} holds no class names")
    return tuple(names)


def plain(name: str) -> str:
    """A class name without quotes around it and without the [] of Something-Something templates."""
    name = name.strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = name[1:-1]
    return name.replace("[", "").replace("]", "").strip()


def _from_json(path: Path, value: Any) -> list[str]:
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return value
    if isinstance(value, dict):
        for labels, names in ((value.values(), value.keys()), (value.keys(), value.values())):
            if all(isinstance(name, str) for name in names) and all(map(_is_label, labels)):
                by_label = {int(label): name for label, name in zip(labels, names, strict=True)}
                if len(by_label) < len(value) or set(by_label) != set(range(len(value))):
                    raise ListError(f"{path}: its {len(value)} labels must be the numbers 0 to {len(value) - 1}")
                return [by_label[label] for label in range(len(value))]
    raise ListError(f"{path} holds no class names; it must be a list of names, {{name: label}} or {{label: name}}")


def _is_label(value: Any) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, str) and _WHOLE.fullmatch(value) is not None
    )


def _loose(name: str) -> str:
    return " ".join(name.replace("_", " ").replace('"', " ").casefold().split())
