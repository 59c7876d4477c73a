"""What each sub-command does: read the config, build the parts, run one verb of the engine, leave the results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch

from videonet import build
from videonet.config import Config, ConfigError, Resolved, from_dict, load_config, to_dict, to_yaml
from videonet.data.lists import named_videos
from videonet.data.preprocessing import Preprocessing
from videonet.engine.checkpoint import Checkpoint, load_checkpoint
from videonet.engine.dist import ranks
from videonet.engine.evaluate import evaluate, save_views, summarise
from videonet.engine.extract import extract
from videonet.engine.files import OutputError, atomic, keep_old, write_json, write_text
from videonet.engine.log import logger, read_rows, track
from videonet.engine.predict import Prediction, predictions

_MAY_CHANGE_ON_RESUME = ("output_dir", "device", "data.workers", "data.max_failed", "train.log_every",
                         "train.checkpoint_every", "train.eval_every", "test.")  # fmt: skip


def train(cfg: str | None, opts: Sequence[str], resume: bool, print_config: bool) -> None:
    """Train, or go on training; leaves checkpoints, log and config in `output_dir`."""
    resolved = load_config(cfg, opts, build.KNOWN_NAMES)
    if print_config:
        print(to_yaml(resolved), end="")
        return
    config = resolved.config
    output_dir = Path(config.output_dir)
    last = output_dir / "checkpoints" / "last.pt"
    if last.exists() and not resume:
        raise OutputError(f"{output_dir} holds a run already; --resume continues it, or choose another output_dir")
    with ranks(config.device) as here:
        torch.manual_seed(config.seed)
        resumes = resume and last.exists()
        trainer = build.build_trainer(config, here, resumes)
        parameters = sum(p.numel() for p in trainer.model.parameters())
        logger.info(
            "%s: %s parameters, %d classes, %d training videos, %d steps an epoch, on %s x %d",
            config.model.name, f"{parameters:,}", len(trainer.class_names), trainer.videos, len(trainer.sampler),
            here.device, here.world,
        )  # fmt: skip
        if resumes:
            checkpoint = load_checkpoint(last)
            _refuse_other_settings(from_dict(checkpoint.config, str(last)), config)
            trainer.restore(checkpoint)
            logger.info("resumed %s at epoch %d, step %d", last, checkpoint.epoch + 1, checkpoint.step + 1)
        if here.first:
            write_text(output_dir / "config.yaml", to_yaml(resolved))
        trainer.fit()
        logger.info("trained %d epochs; checkpoint: %s", config.train.epochs, last)


def test(cfg: str | None, opts: Sequence[str], checkpoint_path: str, out: str | None, print_config: bool) -> None:
    """Multi-view test; leaves results.json, views.npz and report.html in `out` (default: the checkpoint's run)."""
    checkpoint = load_checkpoint(checkpoint_path)
    resolved = _config_of(checkpoint, checkpoint_path, cfg, opts)
    if print_config:
        print(to_yaml(resolved), end="")
        return
    config = resolved.config
    run_dir = _run_dir(checkpoint_path)
    output_dir = Path(out) if out else run_dir
    preprocessing = build.build_preprocessing(config)
    listing = build.build_test_listing(config.data, checkpoint.class_names)
    with ranks(config.device) as here:
        model = build.restore_model(checkpoint, config.model, preprocessing).to(here.device)
        loader = build.build_test_loader(listing.items, preprocessing, config.test, config, here)
        result = evaluate(
            model, loader, preprocessing, here, config.train.precision, config.test.max_views_per_forward
        )
        if not here.first:
            return
    files = [output_dir / name for name in ("results.json", "views.npz", "report.html")]
    keep_old(files, logger.info)
    summary = {
        **summarise(result, checkpoint.class_names),
        "views": {"clips": config.test.clips, "crops": 1 if preprocessing.fit == "letterbox" else config.test.crops},
        "frame_order": config.test.frame_order,
        "model": config.model.name,
        "checkpoint": str(checkpoint_path),
        "epochs_trained": checkpoint.epoch,
        "config": to_dict(config),
    }
    write_json(files[0], summary)
    with atomic(files[1]) as file:
        save_views(file, result, listing.items)
    from videonet.report import TestReport, VideoResult, write_report

    videos = [
        VideoResult(listing.items[index].id, listing.items[index].path, int(label), row)
        for index, label, row in zip(result.indices, result.labels, result.probabilities, strict=True)
    ]
    rows = read_rows(run_dir / "train.jsonl")
    report = write_report(output_dir, TestReport(tuple(checkpoint.class_names), summary, rows, videos))
    counts = f"{summary['n_decoded']} of {summary['n_listed']} videos read"
    if summary["top1"] is None:
        print(f"no figure: {counts}; see {files[0]}")
        return
    print(
        f"top-1 {100 * summary['top1']:.2f} %  top-5 {100 * summary['top5']:.2f} %  "
        f"({counts}; failed ones counted wrong: top-1 {100 * summary['top1_failed_as_wrong']:.2f} %)\n"
        f"{config.test.clips} clips x {summary['views']['crops']} crops, frames {config.test.frame_order}\n"
        f"results: {files[0]}\nreport:  {report}"
    )


def extract_features(
    checkpoint_path: str, videos: Sequence[str], out: str, feature: str, clips: int, opts: Sequence[str]
) -> None:
    """Features of a list, a folder or single files: out/<video id>.npy and out/index.json."""
    checkpoint = load_checkpoint(checkpoint_path)
    config = _config_of(checkpoint, checkpoint_path, None, [*opts, f"test.clips={clips}", "test.crops=1"]).config
    preprocessing = build.build_preprocessing(config)
    items = named_videos(videos)
    with ranks(config.device) as here:
        model = build.restore_model(checkpoint, config.model, preprocessing).to(here.device).eval()
        known = (*model.feature_channels, "pooled", "logits")
        if feature not in known:
            raise ConfigError([f"--feature {feature!r} is not known; this network has {', '.join(known)}"])
        loader = build.build_test_loader(items, preprocessing, config.test, config, here)
        index = extract(
            model, feature, items, loader, preprocessing, here, Path(out), config.train.precision,
            config.test.max_views_per_forward,
        )  # fmt: skip
    if here.first:
        failed = f", {len(index['failures'])} failed" if index["failures"] else ""
        print(f"{feature} of {len(index['videos'])} videos{failed}: {Path(out) / 'index.json'}")


def predict(checkpoint_path: str, videos: Sequence[str], k: int, as_json: bool, opts: Sequence[str]) -> int:
    """Print the k most probable classes of each video; 2 when any could not be read."""
    checkpoint = load_checkpoint(checkpoint_path)
    config = _config_of(checkpoint, checkpoint_path, None, opts).config
    preprocessing: Preprocessing = build.build_preprocessing(config)
    items = named_videos(videos)
    with ranks(config.device) as here:
        model = build.restore_model(checkpoint, config.model, preprocessing).to(here.device)
        loader = build.build_test_loader(items, preprocessing, config.test, config, here)
        result = evaluate(
            model, loader, preprocessing, here, config.train.precision, config.test.max_views_per_forward, "predict"
        )
    found = predictions(result, items, checkpoint.class_names, k)
    if as_json:
        print(json.dumps([one.to_dict() for one in found], indent=2, ensure_ascii=False))
    else:
        print("\n".join(_in_words(one) for one in found))
    return 2 if any(one.error for one in found) else 0


def make_demo_data(folder: str) -> None:
    """Write the embedded default data."""
    from videonet.data.synthetic import DemoDependencyError, DemoSpec, write_demo_videos

    spec = DemoSpec()
    torch.set_num_threads(1)  # the pictures are too small to share between threads
    try:
        for _ in track(write_demo_videos(folder, spec), spec.videos, "make-demo-data", "videos"):
            pass
    except (ValueError, DemoDependencyError) as error:
        raise OutputError(str(error)) from None
    print(f"{spec.videos} videos in {folder}")


def _in_words(one: Prediction) -> str:
    if one.error:
        return f"{one.path}\n  not readable: {one.error}"
    width = max(len(name) for name, _ in one.top)
    return "\n".join([one.path, *(f"  {name:<{width}}  {100 * share:6.2f} %" for name, share in one.top)])


def _run_dir(checkpoint_path: str) -> Path:
    """The run that a checkpoint belongs to: the folder above `checkpoints/`."""
    folder = Path(checkpoint_path).resolve().parent
    return folder.parent if folder.name == "checkpoints" else folder


def _config_of(checkpoint: Checkpoint, path: str, cfg: str | None, opts: Sequence[str]) -> Resolved:
    """The checkpoint's own config, with the file and the options laid over it.

    The network must stay what it is, and what it sees may change only by an option: no file does it by accident.
    """
    resolved = load_config(cfg, opts, build.KNOWN_NAMES, stored=checkpoint.config)
    stored, now = _flat(from_dict(checkpoint.config, path)), _flat(resolved.config)
    problems = []
    for key, value in now.items():
        origin = resolved.origins[key]
        if value != stored[key] and (key.startswith("model.") or (key.startswith("clip.") and origin != "--opts")):
            way_out = "train anew" if key.startswith("model.") else f"say --opts {key}={value} to test it that way"
            problems.append(f"{key} is {stored[key]!r} in the checkpoint but {value!r} in {origin}; {way_out}")
    if problems:
        raise ConfigError(problems)
    return resolved


def _refuse_other_settings(before: Config, now: Config) -> None:
    old, new = _flat(before), _flat(now)
    changed = [
        f"{key} was {old[key]!r} in the run and is {new[key]!r} now; --resume needs the same"
        for key in new
        if old[key] != new[key] and not key.startswith(_MAY_CHANGE_ON_RESUME)
    ]
    if changed:
        raise ConfigError(changed)


def _flat(config: Config) -> dict[str, object]:
    tree = to_dict(config)
    flat = {key: value for key, value in tree.items() if not isinstance(value, dict)}
    for section, values in tree.items():
        if isinstance(values, dict):
            flat |= {f"{section}.{key}": value for key, value in values.items()}
    return flat

