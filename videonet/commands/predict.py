"""`videonet predict`: the most probable classes of each video, or of each window of it, or of a stream as it comes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from videonet.commands.options import add_opts, positive

if TYPE_CHECKING:
    from videonet.engine.predict import Prediction


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_opts(parser)
    parser.add_argument("video", nargs="*", help="files, folders or lists; - reads a video stream from standard input")
    parser.add_argument("--checkpoint", required=True, metavar="FILE", help="a checkpoint, or an exported network")
    parser.add_argument("--trust-pt2", action="store_true", help="read a .pt2 file, which could run its author's code")
    parser.add_argument("--topk", type=positive, default=5, help="classes shown (default 5)")
    parser.add_argument("--json", action="store_true", help="print JSON; of windows an object a line")
    parser.add_argument(
        "--camera", metavar="NAME", help="a camera's number or name, or the URL of a stream (rtsp://...)"
    )
    windows = parser.add_argument_group("windows over time")
    windows.add_argument("--windows", metavar="HOP", help="predict every HOP, 0.5s or 8f (a stream: by default 1s)")
    windows.add_argument(
        "--window-seconds", type=float, metavar="S", help="length of a window, for models of the segment sampler"
    )
    windows.add_argument("--crops", type=int, choices=(1, 3), default=1, help="views in space of a window (default 1)")
    windows.add_argument("--table", metavar="FILE", help="all windows as .csv or .json")
    windows.add_argument("--plot", metavar="PNG", help="a picture of the probabilities over time")
    windows.add_argument("--overlay", metavar="MP4", help="the video with the classes drawn below it")


def run(a: argparse.Namespace, words: list[str]) -> int:
    """2 when any video could not be read. Raises ConfigError, ListError, OutputError, or where the network is wrong."""
    from videonet.commands.rolling import over_files, over_stream
    from videonet.config import ConfigError

    live = a.camera is not None or a.video == ["-"]
    outputs = [flag for flag in ("table", "plot", "overlay") if getattr(a, flag)]
    if bool(a.camera) == bool(a.video):
        raise ConfigError(["name videos, - for standard input, or --camera"])
    if outputs and (live or not a.windows or len(a.video) > 1):
        raise ConfigError([f"--{outputs[0]} is of one video file, in windows: add --windows 1s"])
    if live:
        return over_stream(a)
    return over_files(a) if a.windows else _whole(a)


def _whole(a: argparse.Namespace) -> int:
    import json

    from videonet import build
    from videonet.commands.checkpointed import open_stored
    from videonet.data.lists import named_videos
    from videonet.engine.dist import ranks
    from videonet.engine.evaluate import evaluate
    from videonet.engine.loss import activation
    from videonet.engine.predict import predictions

    stored = open_stored(a.checkpoint, a.opts, a.trust_pt2)
    test, preprocessing = stored.config.test, stored.preprocessing
    items = named_videos(a.video)
    with ranks(stored.config.device) as here:
        network = stored.network(here.device)
        loader = build.build_test_loader(items, preprocessing, test, stored.config, here)
        result = evaluate(
            network, loader, preprocessing, here, stored.precision, test.max_views_per_forward, "predict",
            activation(stored.config.optim.loss), test.average,
        )  # fmt: skip
    found = predictions(result, items, stored.class_names, a.topk)
    if a.json:
        print(json.dumps([one.to_dict() for one in found], indent=2, ensure_ascii=False))
    else:
        print("\n".join(_in_words(one) for one in found))
    return 2 if any(one.error for one in found) else 0


def _in_words(one: Prediction) -> str:
    if one.error:
        return f"{one.path}\n  not readable: {one.error}"
    width = max(len(name) for name, _ in one.top)
    return "\n".join([one.path, *(f"  {name:<{width}}  {100 * share:6.2f} %" for name, share in one.top)])
