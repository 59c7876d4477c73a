"""`videonet compare`: runs beside each other: their settings, their figures, their curves in one picture."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from videonet.report.compare import Run


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="output folders of two or more runs")
    parser.add_argument("--out", default="compare.png", metavar="PNG", help="the picture (default compare.png)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(a: argparse.Namespace, words: list[str]) -> int:
    """Raises ConfigError for a folder that is no run, and OutputError."""
    import json
    import os

    from videonet.config import ConfigError
    from videonet.engine.files import atomic, keep_old
    from videonet.engine.log import logger
    from videonet.report.compare import curves, differences, figures
    from videonet.report.figures import to_png

    if len(a.runs) < 2 or len({Path(folder).resolve() for folder in a.runs}) < len(a.runs):
        raise ConfigError([f"compare needs two or more different runs, got {', '.join(a.runs)}"])
    paths = [str(Path(folder).resolve()) for folder in a.runs]
    above = os.path.commonpath(paths)
    runs = [_read(folder, os.path.relpath(path, above)) for folder, path in zip(a.runs, paths, strict=True)]
    different, numbers = differences(runs), [figures(run) for run in runs]
    picture = curves(runs)
    out = Path(a.out) if picture is not None else None
    if picture is not None and out is not None:
        keep_old([out], logger.info)
        with atomic(out) as file:
            file.write(to_png(picture))
    if a.json:
        found = {
            "runs": [
                {"name": run.name, "folder": folder, "figures": values}
                for run, folder, values in zip(runs, a.runs, numbers, strict=True)
            ],
            "settings": {
                key: [None if one is None else {"value": one[0], "origin": one[1]} for one in values]
                for key, values in different.items()
            },
            "picture": None if out is None else str(out),
        }
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    settings = [[key, *map(_setting, values)] for key, values in different.items()]
    names = [run.name for run in runs]
    print(_table(["setting", *names], settings) if settings else "all settings are the same")
    print()
    keys = dict.fromkeys(key for one in numbers for key in one)
    print(_table(["figure", *names], [[key, *(_number(key, one.get(key)) for one in numbers)] for key in keys]))
    print(f"\ncurves: {out}" if out else "\nno curves: no run has a training log yet")
    return 0


def _read(folder: str, name: str) -> Run:
    """Raises ConfigError."""
    import json

    from videonet.config import ConfigError, read_settings
    from videonet.engine.log import read_rows
    from videonet.report.compare import Run

    config, results = Path(folder) / "config.yaml", Path(folder) / "results.json"
    if not config.is_file():
        raise ConfigError([f"{folder} is no run: there is no {config}; name the output_dir of a training"])
    try:
        settings = read_settings(config.read_text(encoding="utf-8"))
        tested = json.loads(results.read_text(encoding="utf-8")) if results.exists() else {}
        if not isinstance(tested, dict):
            raise ConfigError([f"{results} holds no results"])
    except ValueError as error:
        raise ConfigError([f"{folder} cannot be read as a run: {error}"]) from None
    return Run(name, settings, read_rows(Path(folder) / "train.jsonl"), tested)


def _setting(one: tuple[object, str] | None) -> str:
    from videonet.config.text import write_value

    return "-" if one is None else f"{write_value(one[0])}  ({one[1]})"


def _number(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if key.startswith(("val_", "test_")) and isinstance(value, float):
        return f"{100 * value:.2f} %"
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell."""
    widths = [max(len(row[k]) for row in (head, *rows)) for k in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in lines
    )
