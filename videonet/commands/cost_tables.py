"""What `videonet info` prints: cost of networks, layer by layer if asked, and the paper's tables beside our counts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from videonet.config import ConfigError
from videonet.models import default_input, list_models
from videonet.models.complexity import Complexity, count_layers, count_model
from videonet.models.memory import Precision, training_memory
from videonet.models.paper_tables import ARCHITECTURES, MISPRINTS, TABLES, PaperRow, architecture, as_printed


def show(
    patterns: Sequence[str],
    *,
    num_classes: int | None = None,
    size: Sequence[int] | None = None,
    batch: int | None = None,
    precision: Precision | None = None,
    with_layers: bool = False,
    table: str | None = None,
    as_json: bool = False,
) -> None:
    """Cost of every network that a pattern matches; without patterns, all names; with `table`, a table of the paper.

    size: (T, H, W) in place of the paper's. batch, precision: those of the memory estimate, which a batch asks for.
    Raises ConfigError for a pattern or a table that is not known, for options that do not go together and for input
    that a network cannot take.
    """
    if table:
        if patterns or num_classes or size or batch or precision or with_layers:
            raise ConfigError(["--table counts the paper's networks as the paper does; it goes with --json only"])
        _paper_table(table, as_json)
        return
    if precision and not batch:
        raise ConfigError([f"--precision {precision} is for the memory estimate; name its --batch too"])
    if not patterns:
        print(json.dumps(list_models(), indent=2) if as_json else "\n".join(list_models()))
        return
    rows: list[dict[str, Any]] = []
    for name in (name for pattern in patterns for name in _matching(pattern)):
        shape = default_input(name) if size is None else (*default_input(name)[:2], *size)
        try:
            row = {"name": name, "input": list(shape), **asdict(count_model(name, num_classes, shape))}
            if batch:
                memory = training_memory(name, batch, precision or "fp32", num_classes, shape)
                parts = {"batch": batch, "precision": precision or "fp32", **asdict(memory)}
                row["training_memory"] = {**parts, "total": memory.total}
            if with_layers:
                row["layers"] = [asdict(layer) for layer in count_layers(name, num_classes, shape)]
        except (RuntimeError, ValueError) as error:  # RuntimeError: torch, of an input too small for a layer
            raise ConfigError([f"{name} on an input of {_x(shape)}: {error}"]) from error
        rows.append(row)
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    _show_costs(rows, batch)
    for row in rows if with_layers else ():
        _show_layers(row["name"], row["layers"])


def _matching(pattern: str) -> list[str]:
    names = list_models(pattern)
    if not names:
        try:
            default_input(pattern)
        except ValueError as error:  # says which name is near
            raise ConfigError([str(error)]) from error
    return names


def _paper_table(number: str, as_json: bool) -> None:
    if number not in TABLES:
        raise ConfigError([f"--table {number!r} is not among the paper's tables of networks: {', '.join(TABLES)}"])
    table = TABLES[number]
    costs = [count_model(row.model, row.classes) if row.model else None for row in table.rows]
    pairs = list(zip(table.rows, costs, strict=True))
    if as_json:
        print(json.dumps([_paper_json(number, row, cost) for row, cost in pairs], indent=2))
        return
    columns = ["network", "model", "paper: params (M)", "ours", "paper: GFLOPs", "ours", "", "GMACs"]
    lines = (_paper_cells(row, cost) for row, cost in pairs)
    _show(f"Table {number}: {table.title}", [*columns, *table.score_names], 2, lines)
    if number == "I":
        for name, stages in ARCHITECTURES.items():
            both = zip(stages, architecture(name), strict=True)
            _show(name, ["paper", "ours", ""], 3, ((paper, ours, _equal(paper == ours)) for paper, ours in both))
    if number == "II":
        print("misprint: the paper gives the baseline's GFLOPs for a network that needs fewer")
    if number == "VIII":
        print("the detectors are not yet available; only the paper's cells are shown")


def _show_costs(rows: Sequence[dict[str, Any]], batch: int | None) -> None:
    columns = ["network", "input", "parameters", "GMACs", "M activations", "GFLOPs (paper)"]
    parts = ("parameters", "gradients", "momentum", "activations", "total")
    lines = []
    for row in rows:
        line = [row["name"], _x(row["input"]), f"{row['params']:,}", f"{row['macs'] / 1e9:.3f}"]
        line += [f"{row['activations'] / 1e6:.2f}", f"{row['paper_ops'] / 1e9:.2f}"]
        if batch:
            line += [f"{row['training_memory'][part] / 2**30:.3f}" for part in parts]
        lines.append(line)
    title = ""
    if batch:
        title = f"training memory in GiB at batch {batch}, {rows[0]['training_memory']['precision']}, estimated"
    _show(title, [*columns, *(parts if batch else ())], 2, lines)


def _show_layers(title: str, layers: Sequence[dict[str, Any]]) -> None:
    columns = ["layer", "kind", "output", "parameters", "MACs", "activations", "operations (paper)"]
    numbers = ("params", "macs", "activations", "paper_ops")
    lines = (
        [layer["name"], layer["kind"], _x(layer["output_shape"]), *(f"{layer[key]:,}" for key in numbers)]
        for layer in layers
    )
    _show(title, columns, 3, lines)


def _paper_cells(row: PaperRow, cost: Complexity | None) -> list[str]:
    if cost is None:
        return [row.network, "-", row.params, "-", row.gflops, "-", "no detector yet", "-", *row.scores]
    params, gflops = _as_printed(row, cost)
    mark = _equal((params, gflops) == (row.params, row.gflops))
    if row.model in MISPRINTS:
        mark = "misprint"
    elif not row.params:
        mark = "not printed"
    cells = [row.network, row.model, row.params, params, row.gflops, gflops, mark, f"{cost.macs / 1e9:.3f}"]
    return [cell or "-" for cell in (*cells, *row.scores)]


def _paper_json(number: str, row: PaperRow, cost: Complexity | None) -> dict[str, Any]:
    scores = dict(zip(TABLES[number].score_names, row.scores, strict=True))
    paper = {"params_M": row.params, "GFLOPs": row.gflops, **scores}
    ours: dict[str, Any] = {"name": None, "input": None, "num_classes": None, "params": None, "macs": None}
    ours |= {"activations": None, "paper_ops": None}
    if cost is not None:
        ours = {"name": row.model, "input": list(default_input(row.model)), "num_classes": row.classes, **asdict(cost)}
    return {"table": number, "network": row.network, **ours, "misprint": row.model in MISPRINTS, "paper": paper}


def _as_printed(row: PaperRow, cost: Complexity) -> tuple[str, str]:
    """Our parameters and operations with the decimals that the paper prints."""
    return as_printed(cost.params / 1e6, row.params or "0.00"), as_printed(cost.paper_ops / 1e9, row.gflops or "0.00")


def _equal(same: bool) -> str:
    return "=" if same else "DIFFERS"


def _x(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape))


def _show(title: str, columns: Sequence[str], words: int, lines: Iterable[Sequence[str]]) -> None:
    """Aligned columns, the first `words` of them to the left; in a pipe as wide as they need to be."""
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index < words else "right", no_wrap=True)
    for line in lines:
        table.add_row(*line)
    Console(width=None if sys.stdout.isatty() else 240, highlight=False).print(table)
