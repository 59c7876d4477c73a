"""Reading the text of annotation files, and saying all that is wrong with one at once."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

MOST_SHOWN = 20

_PLURALS = {"line": "lines", "entry": "entries"}


class ListError(ValueError):
    """An annotation list that cannot be used; the message names every bad line."""


def refuse(path: str | Path, problems: Sequence[tuple[int, str]], unit: str = "line") -> None:
    """Raise ListError where there are problems, given as (number of the line or entry, what is wrong)."""
    if problems:
        shown = shorten([f"{unit} {number}: {text}" for number, text in sorted(problems)])
        noun = unit if len(problems) == 1 else _PLURALS[unit]
        raise ListError(f"{path} has {len(problems)} bad {noun}:\n  " + "\n  ".join(shown))


def shorten(texts: Sequence[str]) -> list[str]:
    """The first `MOST_SHOWN`, and how many more there are."""
    more = len(texts) - MOST_SHOWN
    return [*texts[:MOST_SHOWN], *([f"... and {more} more"] if more > 0 else [])]


def read_lines(path: str | Path) -> list[str]:
    """Lines of a UTF-8 text file. Raises ListError where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise ListError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ListError(f"{path} is not a UTF-8 text file: {error}") from None


def content_lines(path: str | Path) -> list[tuple[int, str]]:
    """(number, line) of a text file without blank lines, `#` comments, and white space at both ends."""
    numbered = enumerate((line.strip() for line in read_lines(path)), 1)
    return [(number, text) for number, text in numbered if text and not text.startswith("#")]


def csv_rows(path: str | Path, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """(line, cells without white space around them) of a csv file, as it is read. Raises ListError."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter=delimiter)
            for cells in rows:
                if cells and not cells[0].startswith("#"):
                    yield rows.line_num, [cell.strip() for cell in cells]
    except OSError as error:
        raise ListError(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ListError(f"{path} is not a UTF-8 csv file: {error}") from None


def read_json(path: str | Path) -> Any:
    """The value of a JSON file. Raises ListError where it cannot be read."""
    return parse_json("\n".join(read_lines(path)), path)


def parse_json(text: str, path: str | Path) -> Any:
    """The value of JSON text that came from `path`. Raises ListError."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ListError(f"{path} is not JSON: {error}") from None


def join(root: str | os.PathLike[str], name: str) -> str:
    """`name` below `root`, which may be a URL; an absolute path or a URL stays as it is."""
    return name if "://" in name else os.path.join(root, name)


def start_folder(path: str | Path, root: str | os.PathLike[str] | None) -> str:
    """Where relative paths of the list `path` start: `root`, or else the list's own folder."""
    return str(Path(path).parent) if root is None else os.fspath(root)
