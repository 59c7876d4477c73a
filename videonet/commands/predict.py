"""`videonet predict`: the most probable classes of each video."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from videonet.commands.options import add_opts, positive

if TYPE_CHECKING:
    from videonet.engine.predict import Prediction


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_opts(parser)
    parser.add_argument("video", nargs="+", help="files, folders or lists")
    parser.add_argument(
        "--checkpoint", required=True, metavar="FILE", help="a checkpoint, or what videonet export made"
    )
    parser.add_argument("--trust-pt2", action="store_true", help="read a .pt2 file, which could run its author's code")
    parser.add_argument("--topk", type=positive, default=5, help="classes shown (default 5)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(a: argparse.Namespace, words: list[str]) -> int:
    """2 when any video could not be read. Raises ConfigError, ListError, CheckpointError or DeviceError."""
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
