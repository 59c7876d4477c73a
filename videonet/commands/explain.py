"""`videonet explain`: where in its frames the network finds what speaks for a class (Grad-CAM)."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from videonet.commands.options import add_opts, positive

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

    from videonet.engine.explain import Explanation


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_opts(parser)
    parser.add_argument("video", help="a video file")
    parser.add_argument("--checkpoint", required=True, metavar="PT")
    parser.add_argument("--class", dest="name", metavar="NAME", help="default: the most probable class")
    parser.add_argument("--stage", help="a feature map of the network (default: the last)")
    parser.add_argument("--clips", type=positive, default=1, help="spread over the video (default 1, the centre)")
    parser.add_argument("--out", required=True, metavar="FILE", help="a contact sheet, .png, or a video, .mp4")


def run(a: argparse.Namespace, words: list[str]) -> int:
    """Raises CheckpointError, ConfigError, ExplainError, OutputError, VideoError or DeviceError."""
    from pathlib import Path
    from typing import cast

    from videonet import build
    from videonet.commands.checkpointed import open_stored
    from videonet.data.dataset import SampleReader
    from videonet.data.lists import VideoItem
    from videonet.data.views import TestViews
    from videonet.engine.dist import ranks
    from videonet.engine.explain import ExplainError, Mapped, explain
    from videonet.engine.exported import kind_of
    from videonet.engine.files import OutputError
    from videonet.engine.loss import activation

    out = Path(a.out)
    if out.suffix not in (".png", ".mp4"):
        raise OutputError(f"--out {out} must end with .png or .mp4")
    if out.exists():
        raise OutputError(f"{out} exists; choose another --out, or delete it")
    if kind_of(Path(a.checkpoint)) is not None:
        raise ExplainError(f"{a.checkpoint} gives logits and nothing else; name the checkpoint that it was made of")
    stored = open_stored(a.checkpoint, a.opts)
    target = None if a.name is None else _number(a.name, stored.class_names)
    read = SampleReader(TestViews(stored.preprocessing, a.clips, 1), build.build_opener(stored.config))
    sample = read(VideoItem(a.video, a.video, -1), (0, 0))
    assert sample.views is not None
    views = sample.views if sample.finish is None else sample.finish(sample.views)
    with ranks(stored.config.device) as here:
        network = cast(Mapped, stored.network(here.device).eval())
        found = explain(
            network, views, stored.preprocessing, here.device, target, a.stage, activation(stored.config.optim.loss)
        )
    frames = views.permute(0, 2, 3, 4, 1).numpy()  # (V, T, S, S, 3)
    name = stored.class_names[found.target]
    (_sheet if out.suffix == ".png" else _film)(out, a.video, frames, found, name, sample.seconds)
    print(f"{out}: what speaks for {name!r} ({100 * found.probability:.1f} %) in the map {found.stage}")
    return 0


def _number(name: str, class_names: Sequence[str]) -> int:
    import difflib

    from videonet.engine.explain import ExplainError

    if name in class_names:
        return list(class_names).index(name)
    near = difflib.get_close_matches(name, class_names, n=1)
    raise ExplainError(f"class {name!r} is not known" + (f"; did you mean {near[0]!r}?" if near else ""))


def _sheet(out: Path, video: str, frames: np.ndarray, found: Explanation, name: str, seconds: np.ndarray) -> None:
    """Each clip twice: as the network sees it, and with the heat."""
    from videonet.engine.files import atomic
    from videonet.report.contact_sheet import Strip, contact_sheet
    from videonet.report.figures import to_png
    from videonet.report.heat import heated

    strips = []
    for clip, heat, (first, last) in zip(frames, found.heat, seconds, strict=True):
        strips += [
            Strip(video, f"{name}  {100 * found.probability:.0f} %", f"{first:.2f} to {last:.2f} s", clip),
            Strip(f"what speaks for it in {found.stage}", "", "", heated(clip, heat)),
        ]
    with atomic(out) as file:
        file.write(to_png(contact_sheet(strips)))


def _film(out: Path, video: str, frames: np.ndarray, found: Explanation, name: str, seconds: np.ndarray) -> None:
    """The clips one after the other, each frame beside itself with the heat, at the pace of the video."""
    import numpy as np

    from videonet.engine.encode import VideoWriter
    from videonet.engine.files import atomic
    from videonet.report.heat import heated
    from videonet.report.overlay import Overlay

    count, size = frames.shape[1:3]
    overlay = Overlay(size, 2 * size, 1)
    step = max(float(np.mean(seconds[:, 1] - seconds[:, 0])) / max(count - 1, 1), 0.04)
    at = 0.0
    with atomic(out) as file, VideoWriter(file, overlay.height, overlay.width, 1 / step) as writer:
        for clip, heat, (first, last) in zip(frames, found.heat, seconds, strict=True):
            for pair in np.concatenate([clip, heated(clip, heat)], axis=2):  # (S, 2 S, 3)
                writer.write(at, overlay(pair, [(name, found.probability)], f"{first:.2f} to {last:.2f} s"))
                at += step
