"""The command line: `videonet {train,test,extract,predict,info,download,inflate,make-demo-data}`; `tools/*.py` wrap it.

Exit codes: 0 done, 2 the user's input is wrong (one message, no traceback), 1 anything else.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command and return its exit code."""
    parser = _parser()
    arguments, rest = parser.parse_known_args(argv)
    flags = [word for word in rest if word.startswith("-")]
    if flags or (rest and "cfg" not in arguments):
        parser.error(f"not understood: {' '.join(flags or rest)} (videonet {arguments.command} --help)")
    # imported late, so that --help and a mistyped flag answer at once
    from videonet.config import ConfigError
    from videonet.data.lists import ListError
    from videonet.decode.reader import VideoError
    from videonet.engine.checkpoint import CheckpointError
    from videonet.engine.dist import DeviceError
    from videonet.engine.files import OutputError
    from videonet.engine.log import setup_logging
    from videonet.engine.train import TrainingError
    from videonet.models.weightfile import WeightsError

    setup_logging(quiet=arguments.quiet)
    wrong_input = (
        CheckpointError, ConfigError, DeviceError, ListError, OutputError, TrainingError, VideoError, WeightsError,
    )  # fmt: skip
    try:
        return _run(arguments, rest)
    except wrong_input as error:
        print(f"videonet {arguments.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _run(a: argparse.Namespace, settings: list[str]) -> int:
    from videonet import commands

    match a.command:
        case "train":
            commands.train(a.cfg, [*a.opts, *settings, *_weights(a)], a.resume, a.print_config)
        case "test":
            commands.test(a.cfg, [*a.opts, *settings], a.checkpoint, a.out, a.print_config)
        case "extract":
            commands.extract_features(a.checkpoint, a.videos, a.out, a.feature, a.clips, a.opts)
        case "predict":
            return commands.predict(a.checkpoint, a.video, a.topk, a.json, a.opts)
        case "info":
            from videonet.info import info

            info(
                a.name, num_classes=a.num_classes, size=a.input, batch=a.batch, precision=a.precision,
                with_layers=a.layers, table=a.table, as_json=a.json,
            )  # fmt: skip
        case "download":
            from videonet.weights_commands import download

            download(a.name, a.sha256, shown=not a.quiet)
        case "inflate":
            from videonet.weights_commands import inflate

            return inflate(
                a.weights, a.model, a.to, a.mode, a.out, a.check,
                wiring=a.wiring, source=a.source, inflation=a.inflation,
            )  # fmt: skip
        case "make-demo-data":
            commands.make_demo_data(a.folder)
    return 0


def _weights(a: argparse.Namespace) -> list[str]:
    """The flags about weights of `train` as settings."""
    words = [f"model.weights={a.weights}"] if a.weights else []
    return [*words, f"model.weights_head={a.weights_head}"] if a.weights_head else words


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="videonet", description="Video action recognition: train, test, use.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--quiet", action="store_true", help="no progress, warnings only")
    options = argparse.ArgumentParser(add_help=False, parents=[common])
    options.add_argument("--opts", nargs="*", default=[], metavar="KEY VALUE", help="settings, also as KEY=VALUE")
    configured = argparse.ArgumentParser(add_help=False, parents=[options])
    configured.add_argument("--cfg", metavar="YAML", help="differences from the defaults (videonet/config/schema.py)")
    configured.add_argument("--print-config", action="store_true", help="show every setting and its origin, then stop")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    usage = "videonet {} [--cfg YAML] [options] [KEY=VALUE ...]"
    train = commands.add_parser("train", parents=[configured], help="train a network", usage=usage.format("train"))
    train.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint, if it has one")
    train.add_argument("--weights", metavar="FILE", help="start from these: a file, or a name that was downloaded")
    head = train.add_mutually_exclusive_group()
    head.add_argument("--reset-head", dest="weights_head", action="store_const", const="reset",
                      help="draw the classifier anew")  # fmt: skip
    head.add_argument("--match-classes", dest="weights_head", action="store_const", const="match",
                      help="draw the classifier anew, but copy the rows of classes with the same name")  # fmt: skip

    test = commands.add_parser(
        "test", parents=[configured], help="multi-view test of a checkpoint", usage=usage.format("test")
    )
    test.add_argument("--checkpoint", required=True, metavar="PT")
    test.add_argument("--out", metavar="DIR", help="where results go (default: the checkpoint's run)")

    extract = commands.add_parser("extract", parents=[options], help="features of clips")
    extract.add_argument("--checkpoint", required=True, metavar="PT")
    extract.add_argument("--videos", required=True, nargs="+", metavar="PATH", help="files, folders or lists")
    extract.add_argument("--out", required=True, metavar="DIR")
    extract.add_argument("--feature", default="pooled", help="stem, stage1 ..., pooled (default) or logits")
    extract.add_argument("--clips", type=_positive, default=10, help="clips a video, spread evenly (default 10)")

    predict = commands.add_parser("predict", parents=[options], help="what is in these videos?")
    predict.add_argument("video", nargs="+", help="files, folders or lists")
    predict.add_argument("--checkpoint", required=True, metavar="PT")
    predict.add_argument("--topk", type=_positive, default=5, help="classes shown (default 5)")
    predict.add_argument("--json", action="store_true", help="print JSON")

    info = commands.add_parser("info", parents=[common], help="parameters and operations of networks")
    info.add_argument("name", nargs="*", help="network names or patterns such as 'iresnet3d*'; none: list all")
    info.add_argument("--table", metavar="II", help="a table of the paper, I to VIII: its cells beside ours")
    info.add_argument("--num-classes", type=_positive)
    info.add_argument("--input", type=_size, metavar="TxHxW", help="frames and size, also TxS (default: the paper's)")
    info.add_argument("--layers", action="store_true", help="every layer")
    info.add_argument("--batch", type=_positive, help="estimate the memory of training with this many clips a step")
    info.add_argument("--precision", choices=("fp32", "bf16", "fp16"), help="of the estimate (default fp32)")
    info.add_argument("--json", action="store_true", help="print JSON")

    download = commands.add_parser("download", parents=[common], help="fetch weights into the cache of torch hub")
    download.add_argument("name", help="a known name such as resnet50, or a URL")
    download.add_argument("--sha256", metavar="HEX", help="checksum of what a URL holds, at least its first 8 digits")

    inflate = commands.add_parser("inflate", parents=[common], help="weights of a 2D net for its video net")
    inflate.add_argument("weights", nargs="?", help="2D weights: a file, or a downloaded name (default: random ones)")
    inflate.add_argument("--model", required=True, help="the 2D net, such as iresnet50")
    inflate.add_argument("--to", metavar="MODEL", help="the video net (default: that of the family, iresnet3d50)")
    inflate.add_argument("--mode", choices=("mean", "centre"), default="mean", help="see videonet/models/inflate.py")
    inflate.add_argument("--inflation", metavar="ROW", help="temporal kernels: paper (default), i3d, c2d, slow, 2d")
    inflate.add_argument("--wiring", choices=("paper", "released"), help="of the net and of the weights")
    inflate.add_argument("--source", help="whose weights, where the file does not show it: authors, torchvision ...")
    inflate.add_argument("--out", metavar="FILE", help="where the inflated weights go")
    inflate.add_argument("--check", action="store_true", help="compare both nets on a clip of one repeated frame")

    demo = commands.add_parser("make-demo-data", parents=[common], help="write the embedded default data")
    demo.add_argument("folder")
    return parser


def _size(text: str) -> tuple[int, int, int]:
    """(T, H, W) from "TxHxW" or "TxS"."""
    try:
        frames, height, *width = (_positive(part) for part in text.split("x"))
        (last,) = width or [height]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not TxHxW, such as 16x224x224, nor TxS") from error
    return frames, height, last


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} must be at least 1")
    return value


if __name__ == "__main__":
    sys.exit(main())
