"""`videonet test`: multi-view test of a checkpoint; leaves results.json, views.npz and report.html."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from videonet.commands.options import add_config

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from videonet.config import Config
    from videonet.data.lists import VideoItem
    from videonet.data.views import TestViews
    from videonet.engine.evaluate import Evaluation
    from videonet.models.create import Network

CHANGES_NO_LOGIT = ("output_dir", "data.workers", "data.worker_", "data.prefetch_batches", "data.quarantine",
                    "data.max_failed", "data.train", "data.val", "data.test", "data.root", "augment.", "optim.",
                    "test.average", "test.bootstrap")  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_config(parser)
    parser.add_argument("--checkpoint", required=True, metavar="PT")
    parser.add_argument("--out", metavar="DIR", help="where results go (default: the checkpoint's run)")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted test, if there is one")


def run(a: argparse.Namespace, words: list[str]) -> int:
    """Raises ConfigError, ListError, CheckpointError, OutputError or DeviceError."""
    from dataclasses import replace
    from pathlib import Path

    from videonet import build
    from videonet.commands.checkpointed import config_of, run_dir
    from videonet.commands.reporting import write_test_report
    from videonet.config import to_dict, to_yaml
    from videonet.data.manifest import fingerprint_of
    from videonet.engine.checkpoint import load_checkpoint
    from videonet.engine.dist import ranks
    from videonet.engine.evaluate import evaluate, save_views, summarise
    from videonet.engine.files import atomic, file_sha256, keep_old, write_json
    from videonet.engine.log import logger
    from videonet.engine.loss import activation
    from videonet.engine.multilabel import summarise_several
    from videonet.engine.parts import Parts

    checkpoint = load_checkpoint(a.checkpoint)
    resolved = config_of(checkpoint, a.checkpoint, a.cfg, [*a.opts, *words])
    if a.print_config:
        print(to_yaml(resolved), end="")
        return 0
    config = resolved.config
    test = config.test
    run = run_dir(a.checkpoint)
    output_dir = Path(a.out) if a.out else run
    preprocessing = build.build_preprocessing(config)
    listing = build.build_test_listing(config.data, checkpoint.class_names, config.optim.loss)
    several = any(item.labels for item in listing.items)
    views = build.build_test_views(preprocessing, test, curve=True)
    with ranks(config.device) as here:
        identity = {}
        if here.first:
            identity["checkpoint_sha256"] = file_sha256(Path(a.checkpoint))
            identity["fingerprint"] = fingerprint_of(listing.items)
        model = build.restore_model(checkpoint, config.model, preprocessing).to(here.device)
        parts = Parts(output_dir / "views.parts", {**identity, **_settings(config, listing.items)})
        parts.begin(here, a.resume)
        if parts.found.asked:
            logger.info("%d of %d videos are done already", len(parts.found.asked), len(listing.items))
        loader = build.build_test_loader(
            listing.items, preprocessing, test, config, here, views, frozenset(parts.found.asked)
        )
        result = evaluate(
            model, loader, preprocessing, here, config.train.precision, test.max_views_per_forward,
            activation=activation(config.optim.loss), average=test.average, parts=parts,
        )  # fmt: skip
        if not here.first:
            return 0
    names = checkpoint.class_names
    result = replace(result, own_views=views.table.views(views.clips, views.crops))
    summary = {
        **(summarise_several(result, names, listing.items) if several else summarise(result, names)),
        **({} if several else _analysis(result, views, config, names)),
        **_cost(model, views),
        "views": {"clips": views.clips, "crops": views.crops, "average": test.average},
        "frame_order": test.frame_order,
        "model": config.model.name,
        "checkpoint": str(a.checkpoint),
        "epochs_trained": checkpoint.epoch,
        **identity,
        "config": to_dict(config),
    }
    files = [output_dir / name for name in ("results.json", "views.npz", "report.html")]
    keep_old(files, logger.info)
    write_json(files[0], summary)
    with atomic(files[1]) as file:
        save_views(file, result, listing.items, views.table.arrays())
    report = write_test_report(output_dir, run)
    parts.remove()
    print(_in_words(summary, files[0], report))
    return 0


def _analysis(result: Evaluation, views: TestViews, config: Config, class_names: Sequence[str]) -> dict[str, Any]:
    """What the stored logits tell beyond accuracy."""
    from videonet.engine.analysis import analyse

    test, own = config.test, (views.clips, views.crops)
    return analyse(
        result.view_logits, result.labels, views.table, own, class_names, test.average, test.bootstrap, config.seed,
        result.activation,
    )  # fmt: skip


def _cost(model: Network, views: TestViews) -> dict[str, float]:
    """GFLOPs as the field quotes them: multiply-adds, of a view and of all views of the test."""
    from videonet.models.complexity import count

    seen = views.preprocessing
    gflops = count(model, (1, 3, seen.frames, seen.crop, seen.crop)).macs / 1e9
    return {"gflops_per_view": gflops, "gflops": gflops * views.clips * views.crops}


def _settings(config: Config, items: list[VideoItem]) -> dict[str, Any]:
    """What logits depend on, beside the checkpoint and the files: parts of a test are bound to it."""
    import hashlib
    import json

    from videonet.commands.checkpointed import flat

    listed = json.dumps([(item.id, item.label, item.labels) for item in items]).encode()
    settings = {key: value for key, value in flat(config).items() if not key.startswith(CHANGES_NO_LOGIT)}
    return {"list_sha256": hashlib.sha256(listed).hexdigest(), **settings}


def _in_words(summary: dict[str, Any], results: Path, report: Path) -> str:
    counts = f"{summary['n_decoded']} of {summary['n_listed']} videos read"
    figures = [("mAP", "map")] if "map" in summary else [("top-1", "top1"), ("top-5", "top5")]
    first, key = figures[0]
    if summary[key] is None:
        return f"no figure: {counts}; see {results}"
    views, bounds = summary["views"], summary.get("intervals")
    within = "" if bounds is None else f" [{100 * bounds['top1'][0]:.2f}, {100 * bounds['top1'][1]:.2f}]"
    curve = summary.get("curve", [])
    lines = [
        "  ".join(f"{name} {100 * summary[key]:.2f} %{within * (key == 'top1')}" for name, key in figures)
        + f"  ({counts}; failed ones counted wrong: {first} {100 * summary[f'{key}_failed_as_wrong']:.2f} %)",
        f"{views['clips']} clips x {views['crops']} crops, frames {summary['frame_order']}, "
        f"{summary['gflops']:.4g} GFLOPs a video",
        *(f"  {row['clips']:>3} x {row['crops']}: top-1 {100 * row['top1']:.2f} %" for row in curve if len(curve) > 1),
        f"results: {results}",
        f"report:  {report}",
    ]
    return "\n".join(lines)
