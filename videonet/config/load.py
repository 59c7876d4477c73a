"""YAML and `--opts` -> `Config`, with the origin of every value and every problem reported at once.

Three steps: read each source into plain values (`text`), lay them over the defaults setting by setting,
validate the result as strict JSON against the schema. What one step refuses, the next still checks around.
"""

from __future__ import annotations

import difflib
import fnmatch
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from videonet.config.schema import Config
from videonet.config.text import TextError, read_document, read_value, write_value

_LIMIT_BYTES = 1_000_000
_LIMIT_NAMES = 12

_SCHEMA = TypeAdapter(Config)


class ConfigError(ValueError):
    """The configuration is wrong; `problems` holds one line for each fault, the message all of them."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(" ".join(problem.split()) for problem in problems)
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        super().__init__("\n  ".join([f"{count} in the configuration:", *self.problems]))


@dataclass(frozen=True)
class Resolved:
    """A configuration and where each of its values came from."""

    config: Config
    origins: dict[str, str]
    """Key path -> "configs/x.yaml:12", "--opts", "checkpoint" or "default"; one entry a setting."""


def load_config(
    path: str | Path | None,
    opts: Sequence[str] = (),
    known: Mapping[str, Iterable[str]] = {},
    stored: Mapping[str, Any] | None = None,
) -> Resolved:
    """Defaults, then `stored`, then the YAML file (None: no file), then `opts`; a later value wins.

    opts: `KEY VALUE` pairs and `KEY=VALUE` words, mixed at will. A value is text as typed, a number,
    true, false or null; one that begins with a bracket or a quote is read as YAML.
    known: key path -> the names allowed there, also as patterns such as `timm/*`.
    stored: the config inside a checkpoint (`to_dict`); the origin of its values is "checkpoint".
    Raises ConfigError, which lists every problem of the file, the options and the values.
    """
    draft = _Draft()
    if stored is not None:
        draft.add_stored(stored, "checkpoint")
    if path is not None:
        draft.add_file(Path(path))
    draft.add_opts(opts)
    return draft.resolve(known)


def to_dict(config: Config) -> dict[str, Any]:
    """Every setting as plain JSON types (tuples become lists)."""
    tree: dict[str, Any] = _SCHEMA.dump_python(config, mode="json")
    return tree


def from_dict(tree: Mapping[str, Any], origin: str) -> Config:
    """The inverse of `to_dict`; settings that `tree` lacks take their defaults. `origin` names the source in errors.

    Raises ConfigError.
    """
    draft = _Draft()
    draft.add_stored(tree, origin)
    return draft.resolve({}).config


def to_yaml(resolved: Resolved) -> str:
    """Every setting with its value, and its origin as a trailing comment; `load_config` reads it back unchanged."""

    def line(indent: str, path: str, value: object) -> str:
        origin = "".join(char if char.isprintable() else "?" for char in resolved.origins[path])
        return f"{indent}{path.rpartition('.')[2]}: {write_value(value)}  # {origin}"

    lines = []
    for name, value in to_dict(resolved.config).items():
        if isinstance(value, dict):
            lines += [f"{name}:", *(line("  ", f"{name}.{key}", item) for key, item in value.items())]
        else:
            lines.append(line("", name, value))
    return "\n".join(lines) + "\n"


def read_settings(text: str) -> dict[str, tuple[object, str]]:
    """Key path -> value and origin, of what `to_yaml` of any version wrote: nothing is checked against the schema.

    Raises ConfigError where the text is no YAML mapping.
    """
    try:
        document = read_document(text)
    except TextError as error:
        raise ConfigError([f"line {error.line} cannot be read as YAML: {error}"]) from error
    if not isinstance(document.tree, dict):
        raise ConfigError(["it holds no settings"])
    lines = text.splitlines()
    settings: dict[str, tuple[object, str]] = {}
    for key, value in document.tree.items():
        inside = {f"{key}.{name}": item for name, item in value.items()} if isinstance(value, dict) else {key: value}
        for path, item in inside.items():
            settings[path] = item, lines[document.lines[path] - 1].rpartition("  # ")[2]
    return settings


_DEFAULTS: dict[str, Any] = {}
"""Key path of every setting -> its default."""
_KEYS: dict[str, list[str]] = {"": []}
"""Section -> the names in it; "": the top level."""
for _name, _value in to_dict(Config()).items():
    _KEYS[""].append(_name)
    if isinstance(_value, dict):
        _KEYS[_name] = list(_value)
        _DEFAULTS |= {f"{_name}.{_key}": _value[_key] for _key in _value}
    else:
        _DEFAULTS[_name] = _value


class _Draft:
    """The settings given so far, their origins, and the problems met on the way."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}
        self.origins = dict.fromkeys(_DEFAULTS, "default")
        self.problems: list[str] = []

    def add_stored(self, tree: Mapping[str, Any], origin: str) -> None:
        """Raises ConfigError at once where `tree` is not plain."""
        try:
            plain = json.loads(json.dumps(tree, allow_nan=False))
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigError([f"{origin} does not hold plain JSON values: {error}"]) from error
        self._add_tree(plain, origin, lambda _: origin)

    def add_file(self, path: Path) -> None:
        """Raises ConfigError at once where the file as a whole cannot be read."""
        try:
            with path.open("rb") as file:
                data = file.read(_LIMIT_BYTES + 1)
        except OSError as error:
            raise ConfigError([f"cannot read {path}: {error.strerror}"]) from error
        if len(data) > _LIMIT_BYTES:
            raise ConfigError([f"{path} is larger than {_LIMIT_BYTES} bytes: not a configuration"])
        try:
            document = read_document(data.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise ConfigError([f"{path} is not UTF-8 text ({path}:{line})"]) from error
        except TextError as error:
            raise ConfigError([f"{path} cannot be read as YAML: {error} ({path}:{error.line})"]) from error
        for key, lines in document.repeated.items():
            self.problems.append(f"{key} is given {len(lines)} times ({', '.join(f'{path}:{at}' for at in lines)})")
        self._add_tree(document.tree, str(path), lambda key: f"{path}:{document.lines[key]}")

    def add_opts(self, opts: Sequence[str]) -> None:
        words = iter(opts)
        for word in words:
            key, separator, text = word.partition("=")
            value = text if separator else next(words, None)
            if not key.strip():
                self.problems.append(f"{word!r} has no key (--opts); write KEY=VALUE or KEY VALUE")
            elif value is None:
                self.problems.append(f"{key} has no value (--opts); write {key}=VALUE or {key} VALUE")
            else:
                try:
                    self._set(key.strip(), read_value(value.strip()), lambda _: "--opts")
                except TextError as error:
                    self.problems.append(f"{key} cannot be read from {_show(value)}: {error} (--opts)")

    def resolve(self, known: Mapping[str, Iterable[str]]) -> Resolved:
        """Raises ConfigError."""
        tree: dict[str, Any] = {}
        for path, value in self.given.items():
            section, _, name = path.rpartition(".")
            (tree.setdefault(section, {}) if section else tree)[name] = value
        config = Config()
        try:
            config = _SCHEMA.validate_json(json.dumps(tree), strict=True)
        except ValidationError as error:
            faults = [self._in_words(fault) for fault in error.errors(include_url=False)]
            self.problems += dict.fromkeys(faults)  # a list too short is a fault for each missing value
        for path, names in known.items():
            self._check_name(path, list(names))
        if self.problems:
            raise ConfigError(self.problems)
        return Resolved(config, self.origins)

    def _add_tree(self, tree: object, source: str, where: Callable[[str], str]) -> None:
        """Give every setting of a nested mapping (None: an empty one); `where` tells the origin of a key path."""
        if not isinstance(tree, dict | None):
            self.problems.append(f"{source} must hold a mapping of settings, got {_show(tree)}")
            return
        for key, value in (tree or {}).items():
            if value is not None or key not in _KEYS:  # a section whose lines are all commented out gives nothing
                self._set(key, value, where)

    def _set(self, path: str, value: object, where: Callable[[str], str]) -> None:
        if path in _DEFAULTS:
            self.given[path] = value
            self.origins[path] = where(path)
        elif path not in _KEYS:
            self.problems.append(f"{path} is not a setting ({where(path)}); {_way_out(path)}")
        elif isinstance(value, dict):
            for key, item in value.items():
                self._set(f"{path}.{key}", item, where)
        else:
            keys = ", ".join(_KEYS[path])
            self.problems.append(f"{path} is a section and takes no value ({where(path)}); its settings: {keys}")

    def _in_words(self, fault: Mapping[str, Any]) -> str:
        """One error of pydantic as: setting, rule, value, origin."""
        kind, context = fault["type"], fault.get("ctx", {})
        path = ".".join(part for part in fault["loc"] if isinstance(part, str)) or "the configuration"
        if kind == "value_error":  # raised by a section's __post_init__, which names the fields it compares
            said = str(context["error"])
            fields = [f"{path}.{field}" for field in _KEYS[path] if re.search(rf"\b{field}\b", said)]
            origins = dict.fromkeys(self.origins[field] for field in fields if field in self.given)
            return f"{path}: {said} ({', '.join(origins) or 'default'})"
        if kind in ("missing", "too_long"):  # only lists of fixed length have too few or too many values
            shown, rule = path, f"must have {len(_DEFAULTS[path])} values"
        else:
            shown = path + "".join(f"[{part}]" for part in fault["loc"] if isinstance(part, int))
            rule = _RULES[kind].format(**context) if kind in _RULES else f"is refused: {fault['msg']}"
        origin = f" ({self.origins[path]})" if path in self.origins else ""
        return f"{shown} {rule}, got {_show(fault['input'])}{origin}"

    def _check_name(self, path: str, names: list[str]) -> None:
        value = self.given.get(path, _DEFAULTS[path])
        for name in value if isinstance(value, list) else [value]:
            if not isinstance(name, str) or any(fnmatch.fnmatchcase(name, known) for known in names):
                continue
            near = difflib.get_close_matches(name, names, n=1)
            guess = f"did you mean '{near[0]}'? " if near else ""
            listed = ", ".join(names[:_LIMIT_NAMES])
            more = f", and {len(names) - _LIMIT_NAMES} more" if len(names) > _LIMIT_NAMES else ""
            self.problems.append(f"{path} '{name}' is not known ({self.origins[path]}); {guess}Known: {listed}{more}")


_RULES = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "literal_error": "must be {expected}",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
}
"""Kinds of pydantic error in plain words."""


def _way_out(path: str) -> str:
    """For an unknown key: the setting that was probably meant, or else those there are."""
    path = path.lower()
    section, _, name = path.rpartition(".")
    prefix = f"{section}." if section else ""
    keys = _KEYS.get(section, [])
    initials = "".join(word[:1] for word in name.split("_"))
    guesses = (
        [key for key in _DEFAULTS if key == path or key.rpartition(".")[2] == name]  # only the section is wrong
        or [prefix + key for key in keys if key == initials]  # learning_rate: lr
        or [prefix + key for key in difflib.get_close_matches(name, keys, n=1)]
        or difflib.get_close_matches(path, _DEFAULTS, n=1, cutoff=0.75)
    )
    if guesses:
        return "did you mean " + " or ".join(f"'{guess}'" for guess in guesses) + "?"
    return f"settings of {section}: {', '.join(keys)}" if section in _KEYS and section else _TOP_LEVEL


_TOP_LEVEL = "the top level has: " + ", ".join(_KEYS[""])


def _show(value: object) -> str:
    """A value as an error message quotes it, cut to a line."""
    if isinstance(value, dict):
        return "a mapping"
    text = repr(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."
