"""The command line, `videonet VERB ...`: one file a verb in `videonet/commands/`; `tools/*.py` wrap the same verbs.

Exit codes: 0 done, 2 the user's input is wrong (one message, no traceback), 1 anything else.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Protocol

from videonet.commands import (
    check_videos,
    compare,
    compare_results,
    doctor,
    download,
    explain,
    export,
    extract,
    index,
    inflate,
    info,
    make_demo_data,
    predict,
    prepare,
    probe,
    probe_time,
    show_clips,
    test,
    train,
    verify_features,
)


class Command(Protocol):
    """A module of `videonet.commands`."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the flags."""

    def run(self, a: argparse.Namespace, words: list[str]) -> int:
        """Do it; the exit code. `words` are bare KEY=VALUE words."""


COMMANDS: dict[str, tuple[Command, str]] = {
    "train": (train, "train a network"),
    "test": (test, "multi-view test of a checkpoint"),
    "compare-results": (compare_results, "two tests on the same videos: is one better, and where?"),
    "probe-time": (probe_time, "does the network use time? frames shuffled, reversed, frozen"),
    "extract": (extract, "features of clips, or of sliding windows over long videos"),
    "verify-features": (verify_features, "are extracted features whole, and what was written?"),
    "probe": (probe, "how good are features? a linear probe and nearest neighbours"),
    "predict": (predict, "what is in these videos?"),
    "explain": (explain, "where a network looks in a video"),
    "compare": (compare, "runs beside each other: settings, figures, curves"),
    "export": (export, "a network as one .onnx or .pt2 file"),
    "index": (index, "frames, times and sizes of all videos, and which are broken"),
    "check-videos": (check_videos, "decode every frame of all videos, and say which are damaged"),
    "prepare": (prepare, "copies of all videos that read faster in training"),
    "show-clips": (show_clips, "a picture of what the network sees"),
    "doctor": (doctor, "is this machine fit? versions, GPUs, decoders, known faults, a self-test"),
    "info": (info, "parameters and operations of networks"),
    "download": (download, "fetch weights into the cache of torch hub"),
    "inflate": (inflate, "weights of a 2D net for its video net"),
    "make-demo-data": (make_demo_data, "write the embedded default data"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command and return its exit code."""
    parser = _parser()
    arguments, rest = parser.parse_known_args(argv)
    flags = [word for word in rest if word.startswith("-")]
    if flags or (rest and "cfg" not in arguments):
        parser.error(f"not understood: {' '.join(flags or rest)} (videonet {arguments.command} --help)")
    # imported late, so that --help and a mistyped flag answer at once
    from videonet.config import ConfigError
    from videonet.data.ledger import LedgerError
    from videonet.data.lists import ListError
    from videonet.decode.reader import BackendMissing, VideoError
    from videonet.engine.checkpoint import CheckpointError
    from videonet.engine.dist import DeviceError
    from videonet.engine.explain import ExplainError
    from videonet.engine.exported import ExportError
    from videonet.engine.files import OutputError
    from videonet.engine.log import setup_logging
    from videonet.engine.results import ResultsError
    from videonet.engine.trackers import TrackerError
    from videonet.engine.train import TrainingError
    from videonet.models.weightfile import WeightsError

    setup_logging(quiet=arguments.quiet or os.environ.get("RANK", "0") != "0")  # one rank speaks for all
    wrong_input = (
        BackendMissing, CheckpointError, ConfigError, DeviceError, ExplainError, ExportError, LedgerError, ListError,
        OutputError, ResultsError, TrackerError, TrainingError, VideoError, WeightsError,
    )  # fmt: skip
    try:
        return COMMANDS[arguments.command][0].run(arguments, rest)
    except wrong_input as error:
        print(f"videonet {arguments.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="videonet", description="Video action recognition: train, test, use.")
    verbs = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (command, summary) in COMMANDS.items():
        verb = verbs.add_parser(name, help=summary)
        verb.add_argument("--quiet", action="store_true", help="no progress, warnings only")
        command.configure(verb)
    return parser


if __name__ == "__main__":
    sys.exit(main())
