"""`videonet predict --windows`, `--camera` and `-`: predictions over time, of files and of streams."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from videonet import build
from videonet.commands.checkpointed import Stored, open_stored
from videonet.config import ConfigError
from videonet.data.lists import named_videos
from videonet.data.rolling import rolling
from videonet.data.views import fixed_geometry
from videonet.data.windows import Window, windows
from videonet.decode.live import LiveVideo, open_camera
from videonet.decode.reader import Opener, VideoError, VideoReader
from videonet.engine.dist import ranks
from videonet.engine.encode import VideoWriter
from videonet.engine.files import OutputError, atomic
from videonet.engine.log import logger, track
from videonet.engine.loss import activation
from videonet.engine.predict import top_classes
from videonet.engine.sliding import Hop, Span, predict_windows, span_at, stride_of, table

DEFAULT_HOP = "1s"
MOST_TOGETHER = 8  # windows in one pass of the network
LAG_SECONDS = 5.0


class Roller:
    """A network that runs over windows of videos of any kind, as the flags say."""

    def __init__(self, a: argparse.Namespace, stored: Stored, device: torch.device) -> None:
        self._a, self._stored, self._device = a, stored, device
        try:
            self._hop = Hop.parse(a.windows or DEFAULT_HOP)
        except ValueError as error:
            raise ConfigError([f"--windows {error}"]) from None
        self._network = stored.network(device)

    def steps(self, fps: float) -> tuple[int, int]:
        """(stride, hop) in ticks, for a video of `fps` frames a second. Raises ConfigError."""
        rate = self._stored.preprocessing.fps or fps
        try:
            return stride_of(self._stored.preprocessing, rate, self._a.window_seconds), self._hop.ticks(rate)
        except ValueError as error:
            raise ConfigError([f"--window-seconds: {error}"]) from None

    def of_file(self, reader: VideoReader) -> Iterator[Span]:
        p, info = self._stored.preprocessing, reader.info
        emit, crops = fixed_geometry(p, (info.height, info.width), self._a.crops)
        found = windows(reader, p.frames, *self.steps(info.fps), emit, p.fps)
        return self._run(found, crops, max(1, min(MOST_TOGETHER, self._stored.config.test.max_views_per_forward)))

    def of_stream(self, live: LiveVideo) -> Iterator[Span]:
        p = self._stored.preprocessing
        emit, crops = fixed_geometry(p, live.size, self._a.crops)
        return self._run(rolling(live, p.frames, *self.steps(live.fps), emit, p.fps, live.half_tick_seconds), crops, 1)

    def _run(self, found: Iterable[Window], crops: Sequence, together: int) -> Iterator[Span]:
        stored = self._stored
        return predict_windows(
            self._network, found, crops, stored.preprocessing, self._device, stored.precision, together,
            activation(stored.config.optim.loss),
        )  # fmt: skip


def over_files(a: argparse.Namespace) -> int:
    """Windows of each file; 2 when any could not be read."""
    for path in filter(None, (a.table, a.plot, a.overlay)):
        if Path(path).exists():
            raise OutputError(f"{path} exists; choose another name, or delete it")
    if a.table and Path(a.table).suffix not in (".csv", ".json"):
        raise ConfigError([f"--table {a.table} must end with .csv or .json"])
    items = named_videos(a.video)
    if len(items) > 1 and (a.table or a.plot or a.overlay):
        raise ConfigError([f"--table, --plot and --overlay are of one video; {a.video[0]} has {len(items)}"])
    stored = open_stored(a.checkpoint, a.opts, a.trust_pt2)
    opener = build.build_opener(stored.config)
    # Frames of a window are cropped on the way in, which planes (pixels: yuv) are not: they are read as RGB.
    opener = Opener(opener.backend, opener.limits, opener.frames_fps, opener.frames_pattern, "rgb")
    failed = False
    with ranks(stored.config.device) as here:
        roller = Roller(a, stored, here.device)
        for item in items:
            try:
                with opener(item.path) as reader:
                    _one_file(a, item.path, reader, roller, stored.class_names)
            except VideoError as error:
                failed = True
                print(f"{item.path}: not readable: {error.reason}", file=sys.stderr)
    return 2 if failed else 0


def _one_file(
    a: argparse.Namespace, path: str, reader: VideoReader, roller: Roller, class_names: Sequence[str]
) -> None:
    if reader.info.missing:
        logger.warning("%s was cut short: %d frames are gone from its end", path, reader.info.missing)
    if not a.json:
        print(path)
    spans = []
    for span in roller.of_file(reader):
        _say(span, class_names, a, path)
        if a.table or a.plot or a.overlay:
            spans.append(span)
    if a.table:
        with atomic(Path(a.table)) as file:
            file.write(table(spans, class_names, a.topk, path, as_json=a.table.endswith(".json")).encode())
    if a.plot:
        from videonet.report.figures import to_png
        from videonet.report.timeline import timeline

        edges = np.array([(span.start_seconds, span.stop_seconds) for span in spans])
        with atomic(Path(a.plot)) as file:
            figure = timeline(edges, np.stack([span.probabilities for span in spans]), class_names, Path(path).name)
            file.write(to_png(figure))
    if a.overlay:
        _overlay(a, reader, spans, class_names)


def _overlay(a: argparse.Namespace, reader: VideoReader, spans: Sequence[Span], class_names: Sequence[str]) -> None:
    """The video again, frame by frame, with what the window nearest to each frame says."""
    from videonet.report.overlay import Overlay

    info = reader.info
    overlay = Overlay(info.height, info.width, min(a.topk, len(class_names)))
    middles = np.array([(span.start_seconds + span.stop_seconds) / 2 for span in spans])
    with atomic(Path(a.overlay)) as file, VideoWriter(file, overlay.height, overlay.width, info.fps) as writer:
        for seconds, frame in track(reader.stream(), info.frames, "overlay", "frames"):
            span = span_at(spans, middles, seconds)
            top = top_classes(span.probabilities, class_names, a.topk)
            writer.write(seconds, overlay(frame.numpy(), top, f"{span.start_seconds:.1f} to {span.stop_seconds:.1f} s"))


def over_stream(a: argparse.Namespace) -> int:
    """A line for each window as it comes, until the stream ends. Raises VideoError."""
    stored = open_stored(a.checkpoint, a.opts, a.trust_pt2)
    if a.camera is None and sys.stdin.isatty():
        raise ConfigError(["nothing is piped into standard input, which - reads"])
    with ranks(stored.config.device) as here:
        roller = Roller(a, stored, here.device)
        with _live(a) as live:
            name = live.name
            start, warned = time.monotonic(), a.camera is None  # a pipe waits for us
            try:
                for span in roller.of_stream(live):
                    _say(span, stored.class_names, a, name)
                    behind = time.monotonic() - start - span.stop_seconds
                    if not warned and behind > LAG_SECONDS:
                        warned = True
                        logger.warning("predictions come %.0f s late, and frames get lost; hop farther", behind)
            except BrokenPipeError:  # who read the lines has gone
                sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # so that the last flush finds somebody
            if live.damaged:
                logger.warning("%d packets could not be decoded", live.damaged)
    return 0


def _live(a: argparse.Namespace) -> LiveVideo:
    return open_camera(a.camera) if a.camera is not None else LiveVideo(sys.stdin.buffer, "standard input")


def _say(span: Span, class_names: Sequence[str], a: argparse.Namespace, path: str) -> None:
    if a.json:
        print(json.dumps({"path": path, **span.to_dict(class_names, a.topk)}, ensure_ascii=False), flush=True)
        return
    top = top_classes(span.probabilities, class_names, a.topk)
    said = "  ".join(f"{name} {100 * share:.1f} %" for name, share in top)
    print(f"{span.start_seconds:8.2f} to {span.stop_seconds:8.2f} s  {said}", flush=True)
