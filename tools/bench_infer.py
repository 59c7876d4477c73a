"""Latency of one clip on the CPU, the ways there are to run a network: one JSON line a network, way and thread count.

    python tools/bench_infer.py --videos CLIPS [--model iresnet3d50 iresgroup3d50] [--frames 16 --size 224] [--markdown]
    python tools/bench_infer.py --videos CLIPS --checkpoint runs/mine/checkpoints/best.pt

Every way takes the same uint8 clips and normalises them itself. "eager": PyTorch, float32. "folded": the same with
normalisations folded into convolutions. "compiled": torch.compile. "onnxruntime": the exported file. "bf16 autocast",
"bf16 weights": bfloat16 by either. "int8": the exported file, quantised by onnxruntime (static, QDQ, one scale a
channel), calibrated on clips that are not compared. Runs take turns; `seconds` are medians, `to_eager` the median of
the ratios to the eager run beside it, with quartiles. `same_top` and `largest_difference` compare logits with eager's
on real clips; the classes of a fresh network (its statistics are set by some of the clips) mean nothing, and lie close.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import torch
from torch import Tensor, nn

from videonet.commands.checkpointed import open_stored
from videonet.config.schema import ClipConfig
from videonet.data.dataset import VideoDataset
from videonet.data.lists import named_videos
from videonet.data.preprocessing import Preprocessing
from videonet.data.views import TestViews
from videonet.engine.export import FromPixels, export
from videonet.engine.exported import Card
from videonet.models import create_model, default_input
from videonet.models.fold import folded
from videonet.models.recognizer import Recognizer

Way = Callable[[Tensor], Tensor]
"""uint8 (N, 3, T, S, S) -> logits (N, K)."""

WAYS = ("eager", "folded", "compiled", "folded compiled", "onnxruntime", "bf16 autocast", "bf16 weights", "int8")


def main() -> None:
    """Measure each network at each number of threads."""
    a = _arguments()
    rows = []
    for network, name, preprocessing in _networks(a):
        clips = _clips(a, preprocessing)
        if not a.checkpoint:
            _set_statistics(network, preprocessing, clips[: a.calibrate])
        with tempfile.TemporaryDirectory() as folder:
            for threads in a.threads:
                torch.set_num_threads(threads)
                ways = _ways(network, preprocessing, clips[: a.calibrate], a.ways, Path(folder))
                rows += _measure(name, ways, preprocessing, clips[a.calibrate :], threads, a)
    if a.markdown:
        print(_table(rows))


def _networks(a: argparse.Namespace) -> Iterator[tuple[Recognizer, str, Preprocessing]]:
    """In eval mode, with the name and how clips are cut for it."""
    if a.checkpoint:
        stored = open_stored(a.checkpoint, ["device=cpu"])
        yield _ours(stored.network(torch.device("cpu"))), stored.config.model.name, stored.preprocessing
        return
    for name in a.model:
        _, _, frames, size, _ = default_input(name)
        frames, size = a.frames or frames, a.size or size
        clip = ClipConfig(frames=frames, crop=size, short_side=round(size * 8 / 7))
        torch.manual_seed(0)
        yield _ours(create_model(name)), name, Preprocessing(**vars(clip))


def _ours(network: nn.Module) -> Recognizer:
    if not isinstance(network, Recognizer):
        raise SystemExit("only videonet's own networks are measured")
    return network.eval()


def _clips(a: argparse.Namespace, preprocessing: Preprocessing) -> Tensor:
    """uint8 (calibrate + clips, 3, T, S, S): the centre clip of that many videos, spread over the list."""
    dataset = VideoDataset(named_videos(a.videos), TestViews(preprocessing, 1, 1))
    wanted = a.calibrate + a.clips
    order = sorted(range(len(dataset)), key=lambda index: (index * wanted % len(dataset), index))
    views: list[Tensor] = []
    for index in order:
        if len(views) < wanted and (view := dataset[0, index].views) is not None:
            views.append(view[0])
    if len(views) < wanted:
        raise SystemExit(f"{len(views)} videos could be read, {wanted} are needed; name more, or lower --clips")
    return torch.stack(views)


def _set_statistics(network: Recognizer, preprocessing: Preprocessing, clips: Tensor) -> None:
    """Running statistics of a fresh network: those of these clips."""
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for module in norms:
        module.reset_running_stats()
        module.momentum = None
    network.train()
    with torch.no_grad():
        for pair in clips.split(2):
            network(preprocessing.normalise(pair))
    network.eval()


def _ways(
    network: Recognizer, preprocessing: Preprocessing, calibration: Tensor, names: list[str], folder: Path
) -> dict[str, Way]:
    """Those asked for, made for the present number of threads; what cannot be made says so and is left out."""
    eager = FromPixels(network, preprocessing)
    fewer = FromPixels(folded(network), preprocessing)
    threads = torch.get_num_threads()
    torch._dynamo.reset()

    def autocast(clips: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return eager(clips).float()

    halved = copy.deepcopy(fewer.network).bfloat16() if "bf16 weights" in names else nn.Identity()
    makers: dict[str, Callable[[], Way]] = {
        "eager": lambda: eager,
        "folded": lambda: fewer,
        "compiled": lambda: torch.compile(eager),
        "folded compiled": lambda: torch.compile(fewer),
        "onnxruntime": lambda: _session(_onnx(eager, folder), threads),
        "bf16 autocast": lambda: autocast,
        "bf16 weights": lambda: lambda clips: halved(preprocessing.normalise(clips).bfloat16()).float(),
        "int8": lambda: _session(_quantised(_onnx(eager, folder), calibration, folder), threads),
    }
    ways = {}
    for name in names:
        try:
            ways[name] = makers[name]()
            with torch.inference_mode():
                ways[name](calibration[:1])  # compiles, and warms up
        except Exception as error:  # noqa: BLE001  # a way that does not work here is a finding
            ways.pop(name, None)
            said = str(error).strip().partition("\n")[0]
            print(json.dumps({"bench": "infer", "way": name, "failed": f"{type(error).__name__}: {said}"}), flush=True)
    return ways


def _onnx(eager: FromPixels, folder: Path) -> Path:
    path = folder / "float32.onnx"
    if not path.exists():
        card = Card("uint8", eager.preprocessing, (), {"model": {"name": "network", "wiring": ""}}, "", False, {})
        with path.open("wb") as file:
            export(file, "onnx", eager.network, card)
    return path


def _session(path: Path, threads: int) -> Way:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda clips: torch.from_numpy(session.run(None, {"clips": clips.numpy()})[0])


def _quantised(path: Path, calibration: Tensor, folder: Path) -> Path:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Clips(CalibrationDataReader):
        def __init__(self) -> None:
            self._left = iter(calibration.split(1))

        def get_next(self) -> dict[str, Any] | None:
            clip = next(self._left, None)
            return None if clip is None else {"clips": clip.numpy()}

    prepared, quantised = folder / "prepared.onnx", folder / "int8.onnx"
    if quantised.exists():
        return quantised
    logging.getLogger().setLevel(logging.ERROR)  # it warns of every normalisation that is left
    quant_pre_process(path, prepared)
    quantize_static(prepared, quantised, Clips(), quant_format=QuantFormat.QDQ, per_channel=True)
    return quantised


def _measure(
    name: str, ways: dict[str, Way], preprocessing: Preprocessing, clips: Tensor, threads: int, a: argparse.Namespace
) -> list[dict[str, Any]]:
    """One row a way."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    with torch.inference_mode():
        for repeat in range(a.repeats):
            clip = clips[repeat % len(clips)][None]
            for way, run in ways.items():
                start = time.perf_counter()
                run(clip)
                seconds[way].append(time.perf_counter() - start)
        logits = {}
        if threads == a.threads[-1]:
            logits = {way: torch.cat([run(clip) for clip in clips.split(1)]) for way, run in ways.items()}
    rows = []
    for way in ways:
        ratios = [mine / eager for mine, eager in zip(seconds[way], seconds["eager"], strict=True)]
        row = {
            "bench": "infer", "model": name, "way": way, "threads": threads,
            "input": [1, 3, preprocessing.frames, preprocessing.crop, preprocessing.crop],
            "seconds": round(median(seconds[way]), 4), "to_eager": round(median(ratios), 3),
            "to_eager_quartiles": [round(r, 3) for r in quantiles(ratios, n=4, method="inclusive")],
            "repeats": a.repeats, "load": round(os.getloadavg()[0], 1), "torch": torch.__version__,
        }  # fmt: skip
        if logits:
            row |= {
                "clips": len(clips), "same_top": int((logits[way].argmax(1) == logits["eager"].argmax(1)).sum()),
                "largest_difference": float((logits[way] - logits["eager"]).abs().max()),
                "largest_logit": float(logits["eager"].abs().max()),
                "logit_spread": float(logits["eager"].std(dim=0).mean()),
            }  # fmt: skip
        print(json.dumps(row), flush=True)
        rows.append(row)
    return rows


def _table(rows: list[dict[str, Any]]) -> str:
    """Ways down, networks and threads across: milliseconds and the ratio to eager; then agreement with eager."""
    columns = list(dict.fromkeys((row["model"], row["threads"]) for row in rows))
    by_place = {(row["way"], row["model"], row["threads"]): row for row in rows}
    heads = [f"{model}, {threads} thread{'s' * (threads > 1)}" for model, threads in columns]
    lines = [f"| way | {' | '.join(heads)} | same top class | largest difference |", "|---" * (len(columns) + 3) + "|"]
    for way in dict.fromkeys(row["way"] for row in rows):
        found = [by_place.get((way, *column)) for column in columns]
        times = [f"{1000 * row['seconds']:.0f} ms ({row['to_eager']:.2f})" if row else "-" for row in found]
        compared = [row for row in found if row and "clips" in row]
        tops = ", ".join(f"{row['same_top']} of {row['clips']}" for row in compared)
        largest = ", ".join(f"{row['largest_difference']:.1e}" for row in compared)
        lines.append(f"| {way} | {' | '.join(times)} | {tops} | {largest} |")
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--videos", nargs="+", required=True, help="real clips: files, folders or lists")
    parser.add_argument("--model", nargs="+", default=["iresnet3d50", "iresgroup3d50"], metavar="NAME")
    parser.add_argument("--checkpoint", metavar="PT", help="a trained network, instead of fresh ones")
    parser.add_argument("--frames", type=int, help="of a clip (default: the paper's 16)")
    parser.add_argument("--size", type=int, help="height and width (default: the paper's 224)")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, os.cpu_count() or 1])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--clips", type=int, default=20, help="clips compared (default 20)")
    parser.add_argument("--calibrate", type=int, default=8, help="clips for int8, and a fresh network's statistics")
    parser.add_argument("--markdown", action="store_true", help="print a table at the end")
    a = parser.parse_args()
    if a.ways[0] != "eager":
        parser.error("--ways must begin with eager, which the others are compared with")
    return a


if __name__ == "__main__":
    main()
