"""`videonet extract`: features of a list, a folder or single files: out/<video id>.npy and out/index.json."""

from __future__ import annotations

import argparse

from videonet.commands.options import add_opts, positive


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_opts(parser)
    parser.add_argument("--checkpoint", required=True, metavar="PT")
    parser.add_argument("--videos", required=True, nargs="+", metavar="PATH", help="files, folders or lists")
    parser.add_argument("--out", required=True, metavar="DIR")
    parser.add_argument("--feature", default="pooled", help="stem, stage1 ..., pooled (default) or logits")
    parser.add_argument("--clips", type=positive, default=10, help="clips a video, spread evenly (default 10)")


def run(a: argparse.Namespace, words: list[str]) -> int:
    """Raises ConfigError, ListError, CheckpointError, OutputError or DeviceError."""
    from pathlib import Path

    from videonet import build
    from videonet.commands.checkpointed import config_of
    from videonet.config import ConfigError
    from videonet.data.lists import named_videos
    from videonet.engine.checkpoint import load_checkpoint
    from videonet.engine.dist import ranks
    from videonet.engine.extract import extract

    checkpoint = load_checkpoint(a.checkpoint)
    config = config_of(checkpoint, a.checkpoint, None, [*a.opts, f"test.clips={a.clips}", "test.crops=1"]).config
    preprocessing = build.build_preprocessing(config)
    items = named_videos(a.videos)
    with ranks(config.device) as here:
        model = build.restore_model(checkpoint, config.model, preprocessing).to(here.device).eval()
        known = (*model.feature_channels, "pooled", "logits")
        if a.feature not in known:
            raise ConfigError([f"--feature {a.feature!r} is not known; this network has {', '.join(known)}"])
        loader = build.build_test_loader(items, preprocessing, config.test, config, here)
        index = extract(
            model, a.feature, items, loader, preprocessing, here, Path(a.out), config.train.precision,
            config.test.max_views_per_forward,
        )  # fmt: skip
    if here.first:
        failed = f", {len(index['failures'])} failed" if index["failures"] else ""
        print(f"{a.feature} of {len(index['videos'])} videos{failed}: {Path(a.out) / 'index.json'}")
    return 0
