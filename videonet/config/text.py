"""Plain values as YAML text, both ways: the scalars of YAML 1.2, lists and mappings, and nothing else.

PyYAML follows YAML 1.1, where 1e-4 is text, yes is true and 1:30 is ninety. Here a plain scalar is null,
true, false, a decimal number or text. Tags, anchors and aliases are refused: no experiment needs them.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field

import yaml

_LIMIT_DEPTH = 8


class TextError(ValueError):
    """The text is not YAML, or uses what is refused here."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line
        """Counted from 1."""


@dataclass(frozen=True)
class Document:
    """A YAML text as plain values: None, bool, int, float, str, list and dict."""

    tree: object
    lines: dict[str, int] = field(default_factory=dict)
    """Key path ("optim.lr") -> line of its key, counted from 1."""
    repeated: dict[str, list[int]] = field(default_factory=dict)
    """Key path that is given more than once -> its lines; `tree` holds the last value, or all of the mappings' keys."""


def read_document(text: str) -> Document:
    """Raises TextError."""
    loader = None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        raise TextError(", ".join(filter(None, (error.context, error.problem))), line) from error
    except yaml.reader.ReaderError as error:
        raise TextError(error.reason, text.count("\n", 0, error.position) + 1) from error
    finally:
        if loader is not None:
            loader.dispose()
    lines: dict[str, int] = {}
    repeated: dict[str, list[int]] = {}
    return Document(_plain(root, "", lines, repeated) if root is not None else None, lines, repeated)


def read_value(text: str) -> object:
    """A value from the command line: YAML if it begins with a bracket or a quote, else a scalar as typed (*.mp4 too).

    Raises TextError.
    """
    return read_document(text).tree if text.startswith(("[", '"', "'")) else _scalar(text)


def write_value(value: object) -> str:
    """One line that both readers turn back into `value` (a scalar, or a list of such)."""
    if isinstance(value, list):
        return f"[{', '.join(map(write_value, value))}]"
    if not isinstance(value, str):
        return json.dumps(value)
    if re.fullmatch(r"[\w./][\w./-]*", value, re.ASCII) and _scalar(value) == value:
        return value
    return yaml.safe_dump(value, default_style='"', allow_unicode=True, width=2**31).strip()


class _Loader(yaml.SafeLoader):
    """PyYAML's parser, without tags, anchors and aliases and with bounded nesting."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()
        refused = ""
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            refused = "anchors and aliases (& and *) are refused; write the value out, or quote text that begins so"
        elif event.tag is not None:
            refused = "tags (!) are refused; write a plain value, or quote text that begins so"
        elif self.depth == _LIMIT_DEPTH:
            refused = f"nested deeper than {_LIMIT_DEPTH} levels"
        if refused:
            raise yaml.composer.ComposerError(None, None, refused, event.start_mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _plain(node: yaml.Node, path: str, lines: dict[str, int], repeated: dict[str, list[int]]) -> object:
    """A node as plain values; `lines` and `repeated` receive the key paths below it."""
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node.value) if node.style is None else node.value
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, f"{path}[{index}]", lines, repeated) for index, item in enumerate(node.value)]
    tree: dict[str, object] = {}
    for key, item in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or not key.value:
            raise TextError("a key must be a word, not empty, a list or a mapping", line)
        key_path = f"{path}.{key.value}" if path else key.value
        if key_path in lines:
            repeated.setdefault(key_path, [lines[key_path]]).append(line)
        lines[key_path] = line
        value, before = _plain(item, key_path, lines, repeated), tree.get(key.value)
        tree[key.value] = before | value if isinstance(before, dict) and isinstance(value, dict) else value
    return tree


def _scalar(text: str) -> object:
    """A plain scalar; a number that is not finite stays text, and so is refused wherever a number is asked for."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true"
    if re.fullmatch(r"[-+]?[0-9]{1,300}", text):
        return int(text)
    if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", text) and math.isfinite(float(text)):
        return float(text)
    return text
