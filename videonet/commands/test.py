"""`videonet test`: multi-view test of a checkpoint; leaves results.json, views.npz and report.html."""

from __future__ import annotations

import argparse

from videonet.commands.options import add_config


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_config(parser)
    parser.add_argument("--checkpoint", required=True, metavar="PT")
    parser.add_argument("--out", metavar="DIR", help="where results go (default: the checkpoint's run)")


def run(a: argparse.Namespace, words: list[str]) -> int:
    """Raises ConfigError, ListError, CheckpointError, OutputError or DeviceError."""
    from pathlib import Path

    from videonet import build
    from videonet.commands.checkpointed import config_of, run_dir
    from videonet.config import to_dict, to_yaml
    from videonet.engine.checkpoint import load_checkpoint
    from videonet.engine.dist import ranks
    from videonet.engine.evaluate import evaluate, save_views, summarise
    from videonet.engine.files import atomic, keep_old, write_json
    from videonet.engine.log import logger, read_rows
    from videonet.engine.loss import activation
    from videonet.engine.multilabel import summarise_several
    from videonet.report import TestReport, VideoResult, write_report

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
    several = any(item.labels for item in listing.items)
    with ranks(config.device) as here:
        model = build.restore_model(checkpoint, config.model, preprocessing).to(here.device)
        loader = build.build_test_loader(listing.items, preprocessing, config.test, config, here)
        result = evaluate(
            model, loader, preprocessing, here, config.train.precision, config.test.max_views_per_forward,
            activation=activation(config.optim.loss),
        )  # fmt: skip
        if not here.first:
            return 0
    names = checkpoint.class_names
    files = [output_dir / name for name in ("results.json", "views.npz", "report.html")]
    keep_old(files, logger.info)
    summary = {
        **(summarise_several(result, names, listing.items) if several else summarise(result, names)),
        "views": {"clips": config.test.clips, "crops": 1 if preprocessing.fit == "letterbox" else config.test.crops},
        "frame_order": config.test.frame_order,
        "model": config.model.name,
        "checkpoint": str(a.checkpoint),
        "epochs_trained": checkpoint.epoch,
        "config": to_dict(config),
    }
    write_json(files[0], summary)
    with atomic(files[1]) as file:
        save_views(file, result, listing.items)
    videos = [] if several else [
        VideoResult(listing.items[index].id, listing.items[index].path, int(label), row)
        for index, label, row in zip(result.indices, result.labels, result.probabilities, strict=True)
    ]  # fmt: skip
    rows = read_rows(run / "train.jsonl")
    report = write_report(output_dir, TestReport(tuple(checkpoint.class_names), summary, rows, videos))
    counts = f"{summary['n_decoded']} of {summary['n_listed']} videos read"
    figures = [("mAP", "map")] if several else [("top-1", "top1"), ("top-5", "top5")]
    name, key = figures[0]
    if summary[key] is None:
        print(f"no figure: {counts}; see {files[0]}")
        return 0
    print(
        "  ".join(f"{name} {100 * summary[key]:.2f} %" for name, key in figures)
        + f"  ({counts}; failed ones counted wrong: {name} {100 * summary[f'{key}_failed_as_wrong']:.2f} %)\n"
        f"{config.test.clips} clips x {summary['views']['crops']} crops, frames {config.test.frame_order}\n"
        f"results: {files[0]}\nreport:  {report}"
    )
    return 0
