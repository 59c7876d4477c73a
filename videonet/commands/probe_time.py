"""`videonet probe-time`: accuracy with frames shuffled, reversed and frozen, as table, probe_time.json and picture."""

from __future__ import annotations

import argparse
from typing import Any

from videonet.commands.options import add_config

_MOST_CLASSES = 40  # rows of the printed table; all stand in probe_time.json


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_config(parser)
    parser.add_argument("--checkpoint", required=True, metavar="PT")
    parser.add_argument("--out", metavar="DIR", help="where the results go (default: the checkpoint's run)")


def run(a: argparse.Namespace, words: list[str]) -> int:
    """Raises ConfigError, ListError, CheckpointError ResultsError or DeviceError."""
    from dataclasses import replace
    from pathlib import Path

    from videonet import build
    from videonet.commands.checkpointed import config_of, run_dir
    from videonet.commands.reporting import write_test_report
    from videonet.config import ConfigError, to_yaml
    from videonet.data.manifest import fingerprint_of
    from videonet.engine.checkpoint import load_checkpoint
    from videonet.engine.dist import ranks
    from videonet.engine.files import atomic, file_sha256, keep_old, write_json
    from videonet.engine.log import logger
    from videonet.engine.loss import activation
    from videonet.engine.probe_time import probe, summarise_probe
    from videonet.report.charts import probe_time
    from videonet.report.figures import to_png

    checkpoint = load_checkpoint(a.checkpoint)
    resolved = config_of(checkpoint, a.checkpoint, a.cfg, [*a.opts, *words])
    if a.print_config:
        print(to_yaml(resolved), end="")
        return 0
    config = resolved.config
    run = run_dir(a.checkpoint)
    output_dir = Path(a.out) if a.out else run
    preprocessing = build.build_preprocessing(config)
    listing = build.build_test_listing(config.data, checkpoint.class_names, config.optim.loss)
    if any(item.labels for item in listing.items):
        raise ConfigError(["a list with several labels a video cannot be probed: it has no top-1"])
    views = build.build_test_views(preprocessing, replace(config.test, frame_order="normal"))
    with ranks(config.device) as here:
        model = build.restore_model(checkpoint, config.model, preprocessing).to(here.device)
        loader = build.build_test_loader(listing.items, preprocessing, config.test, config, here, views)
        found = probe(
            model, loader, views.table.places, config.seed, preprocessing, here, config.train.precision,
            config.test.max_views_per_forward, activation(config.optim.loss), config.test.average,
        )  # fmt: skip
        if not here.first:
            return 0
    summary = {
        **summarise_probe(found, checkpoint.class_names, config.test.bootstrap, config.seed),
        "views": {"clips": views.clips, "crops": views.crops, "average": config.test.average},
        "frames": preprocessing.frames,
        "model": config.model.name,
        "checkpoint": str(a.checkpoint),
        "checkpoint_sha256": file_sha256(Path(a.checkpoint)),
        "fingerprint": fingerprint_of(listing.items),
    }
    path, picture = output_dir / "probe_time.json", output_dir / "figures" / "probe_time.png"
    keep_old([path], logger.info)
    write_json(path, summary)
    figure = probe_time(summary)
    if figure is None:
        print(f"no figure: none of {summary['n_listed']} videos could be read; see {path}")
        return 0
    with atomic(picture) as file:
        file.write(to_png(figure))
    print(f"{_table(summary)}\nresults: {path}\npicture: {picture}")
    if (output_dir / "results.json").exists():
        print(f"report:  {write_test_report(output_dir, run)}")
    return 0


def _table(summary: dict[str, Any]) -> str:
    """Orders across, classes down, those that lose most by shuffling first; shares in percent."""
    orders = summary["orders"]
    classes = [row for row in zip(*(orders[order]["per_class"] for order in orders), strict=True) if row[0]["n"]]
    classes.sort(key=lambda row: (row[1]["top1"] - row[0]["top1"], row[0]["name"]))
    shown = classes[:_MOST_CLASSES]
    rows = [
        ("", *orders),
        ("top-1", *(_percent(one["top1"]) for one in orders.values())),
        *([("  95 % from", *(_percent(one["top1_interval"][0]) for one in orders.values())),
           ("  to", *(_percent(one["top1_interval"][1]) for one in orders.values()))]
          if orders["normal"]["top1_interval"] else []),
        ("same prediction", *(_percent(one["agreement"]) for one in orders.values())),
        *((f"{row[0]['name']} ({row[0]['n']})", *(_percent(one["top1"]) for one in row)) for row in shown),
    ]  # fmt: skip
    width = max(len(row[0]) for row in rows)
    lines = [f"{row[0]:<{width}}" + "".join(f"{cell:>10}" for cell in row[1:]) for row in rows]
    if len(shown) < len(classes):
        lines.append(f"{len(classes) - len(shown)} more classes in probe_time.json")
    counts = f"{summary['n_decoded']} of {summary['n_listed']} videos read"
    return "\n".join([*lines, f"{counts}; the most frequent class is {_percent(summary['chance'])} % of them"])


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
