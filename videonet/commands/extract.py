"""`videonet extract`: features of a list, a folder or single files, and an index of what stands where."""

from __future__ import annotations

import argparse

from videonet.commands.options import add_opts, positive


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_opts(parser)
    parser.add_argument("--checkpoint", required=True, metavar="PT")
    parser.add_argument("--videos", required=True, nargs="+", metavar="PATH", help="files, folders or lists")
    parser.add_argument("--out", required=True, metavar="DIR")
    parser.add_argument(
        "--feature", default="pooled", metavar="NAME[,NAME]", help="stem, stage1 ..., pooled (default) or logits"
    )
    parser.add_argument(
        "--pool", choices=("all", "space", "none"), default="all", help="what maps are averaged over (default all)"
    )
    parser.add_argument("--dtype", choices=("fp32", "fp16"), default="fp32", help="of what is stored")
    views = parser.add_mutually_exclusive_group()
    views.add_argument("--clips", type=positive, metavar="N", help="clips a video, spread evenly (default 10)")
    views.add_argument("--hop-frames", type=positive, metavar="N", help="sliding windows, one every N frames")
    views.add_argument("--hop-seconds", type=_seconds, metavar="S", help="sliding windows, one every S seconds")
    parser.add_argument(
        "--tail", choices=("hold", "drop", "shift"), default="hold",
        help="the end of a video that no window covers: hold the last frame (default), drop it, or shift a window",
    )  # fmt: skip
    parser.add_argument("--format", choices=("npy", "safetensors", "hdf5", "parquet"), default="npy")
    parser.add_argument(
        "--layout", choices=("plain", "actionformer"), default="plain", help="names of files, and a json of rates"
    )
    parser.add_argument("--resume", action="store_true", help="go on where an earlier run stopped")
    parser.add_argument("--engine", choices=("local", "ray"), default="local", help="where it runs (default local)")
    parser.add_argument("--ray-address", metavar="ADDRESS", help="of a cluster; without it one is started here")
    parser.add_argument("--ray-workers", type=positive, default=2, metavar="N", help="networks at work (default 2)")


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} must be above 0")
    return value


def run(a: argparse.Namespace, words: list[str]) -> int:
    """Raises ConfigError, ListError, CheckpointError, OutputError or DeviceError."""
    from contextlib import ExitStack, closing
    from pathlib import Path

    from videonet import build
    from videonet.commands.checkpointed import config_of
    from videonet.config import ConfigError
    from videonet.data.lists import named_videos
    from videonet.data.sliding import Hop
    from videonet.engine.checkpoint import load_checkpoint
    from videonet.engine.dist import ranks
    from videonet.engine.features.embed import Wanted
    from videonet.engine.features.folder import INDEX, FeatureFolder
    from videonet.engine.log import track

    checkpoint = load_checkpoint(a.checkpoint)
    config = config_of(checkpoint, a.checkpoint, None, a.opts).config
    preprocessing = build.build_preprocessing(config)
    hop = Hop(a.hop_frames, a.hop_seconds) if a.hop_frames or a.hop_seconds else None
    order = build.FeatureOrder(
        Wanted(tuple(a.feature.split(",")), a.pool, a.dtype), None if hop else a.clips or 10, hop, a.tail, a.format,
        a.layout,
    )  # fmt: skip
    items, out = named_videos(a.videos), Path(a.out)
    with ExitStack() as stack:
        here = stack.enter_context(ranks(config.device if a.engine == "local" else "cpu"))
        files = build.build_feature_files(order, out, items, preprocessing)
        model = build.restore_model(checkpoint, config.model, preprocessing)
        cluster, device = None, here.device
        if a.engine == "ray":
            if here.world > 1:
                raise ConfigError(["--engine ray spreads the work itself; leave torchrun out"])
            from videonet.engine.features.on_ray import ray_cluster

            cluster = stack.enter_context(ray_cluster(a.ray_address, a.ray_workers))
            device = cluster.device(config.device)
        extractor = build.build_extractor(order, model, items, preprocessing, config, device)
        settings = build.feature_settings(order, config, preprocessing, Path(a.checkpoint), device)
        folder = FeatureFolder(out, settings, items, files, here, a.resume)
        index = folder.index
        if index is None:
            events = (
                extractor.on(device).events(folder.mine)
                if cluster is None
                else cluster.events(extractor, device, folder.mine)
            )
            with closing(events):
                for _ in track(folder.record(events), len(folder.mine), "extract", "videos", shown=here.first):
                    pass
            about = {"feature": a.feature, "checkpoint": str(a.checkpoint), "preprocessing": preprocessing.to_dict()}
            index = folder.finish(about)
    if here.first:
        again = f" ({folder.done} of them before)" if folder.done else ""
        failed = f", {index['n_failed']} failed" if index["n_failed"] else ""
        print(f"{a.feature} of {index['n_extracted']} videos{again}{failed}: {out / INDEX}")
    return 0
