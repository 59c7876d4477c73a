"""`videonet export`: a checkpoint's network, preprocessing and class names as one .pt2 or .onnx file."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from videonet.commands.checkpointed import Stored
    from videonet.engine.exported import Card, Kind


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument("--checkpoint", required=True, metavar="PT")
    parser.add_argument("--format", choices=("pt2", "onnx"), required=True)
    parser.add_argument("--out", metavar="FILE", help="default: the checkpoint's name with the format's suffix")
    parser.add_argument(
        "--input", choices=("uint8", "float32"), default="uint8",
        help="what the file takes. uint8 (default): clips as decoded, normalised inside. float32: normalised clips",
    )  # fmt: skip
    parser.add_argument("--fold", action="store_true", help="fold normalisations into the convolutions before them")
    parser.add_argument(
        "--check", nargs="+", metavar="VIDEO", help="compare logits on a clip of each: files, folders or lists"
    )
    parser.add_argument(
        "--limit", type=float, default=1e-4, help="largest difference of logits that --check lets pass (default 1e-4)"
    )


def run(a: argparse.Namespace, words: list[str]) -> int:
    """Raises CheckpointError, ConfigError, ListError, OutputError, or ExportError: also where the check fails."""
    from pathlib import Path

    import torch

    from videonet.commands.checkpointed import open_stored
    from videonet.engine.export import export
    from videonet.engine.exported import ExportError, kind_of
    from videonet.engine.files import OutputError, atomic
    from videonet.engine.log import logger

    if kind_of(Path(a.checkpoint)) is not None:
        raise ExportError(f"{a.checkpoint} is exported already; name the checkpoint that it was made of")
    out = Path(a.out) if a.out else Path(a.checkpoint).with_suffix(f".{a.format}")
    if out.exists():
        raise OutputError(f"{out} exists; choose another --out, or delete it")
    if kind_of(out) != a.format:
        raise OutputError(f"{out} would not be known again for what it is; end it with .{a.format}")
    stored = open_stored(a.checkpoint, ["device=cpu"])
    network = stored.network(torch.device("cpu"))
    with atomic(out) as file:
        logger.info("exporting %s: seconds to minutes, by its depth", stored.config.model.name)
        export(file, a.format, _folded(network, stored) if a.fold else network, _card(stored, a))
        file.flush()
        logger.info("%.1f MB written", Path(file.name).stat().st_size / 1e6)
        if a.check:
            _check(Path(file.name), a.format, network, stored, a.check, a.limit)
    takes = "uint8 clips, normalised inside" if a.input == "uint8" else "float32 clips, normalised before"
    p = stored.preprocessing
    print(f"{out}: {takes}, (N, 3, {p.frames}, {p.crop}, {p.crop}) -> logits (N, {len(stored.class_names)})")
    return 0


def _folded(network: nn.Module, stored: Stored) -> nn.Module:
    from videonet.engine.exported import ExportError
    from videonet.models.fold import folded
    from videonet.models.recognizer import Recognizer

    if not isinstance(network, Recognizer):
        raise ExportError(f"--fold is for videonet's own networks; leave it out for {stored.config.model.name}")
    return folded(network)


def _card(stored: Stored, a: argparse.Namespace) -> Card:
    from pathlib import Path

    import torch

    import videonet
    from videonet.engine.export import without_paths
    from videonet.engine.exported import Card
    from videonet.engine.files import file_sha256

    return Card(
        input=a.input,
        preprocessing=stored.preprocessing,
        class_names=tuple(stored.class_names),
        settings=without_paths(stored.in_file),
        checkpoint_sha256=file_sha256(Path(a.checkpoint)),
        folded=a.fold,
        versions={"videonet": videonet.__version__, "torch": torch.__version__},
    )


def _check(path: Path, kind: Kind, network: nn.Module, stored: Stored, videos: list[str], limit: float) -> None:
    """Print how the file agrees with the checkpoint. Raises ExportError where it does not; it is then not kept."""
    from dataclasses import replace

    from videonet import build
    from videonet.data.lists import named_videos
    from videonet.engine.dist import ranks
    from videonet.engine.export import compare
    from videonet.engine.exported import ExportError, open_exported
    from videonet.engine.log import track

    test = replace(stored.config.test, clips=1, crops=1)
    with ranks("cpu") as here:
        loader = build.build_test_loader(named_videos(videos), stored.preprocessing, test, stored.config, here)
        exported = open_exported(path, kind, trusted=True).network(here.device)
        batches = track(loader, len(loader), "check", "batches")
        agreement = compare(network, exported, batches, here.device, test.max_views_per_forward)
    print(f"check: {agreement}; limit {limit:g}")
    if not agreement.largest_difference <= limit:
        raise ExportError(
            f"the logits differ by {agreement.largest_difference:.2e}, over the limit of {limit:g}; nothing is kept. "
            "Where the logits are large and the top classes agree, a larger --limit may be fair"
        )
