"""Features of sliding windows over a short and a long video: memory, time and numbers, one JSON line.

    python tools/bench_extract.py --video CLIP.mp4 [CLIP.mp4 ...]

The clips are looped into videos of 340x256, 30 frames a second, H.264 with a keyframe every 250 frames: 10 s, and 60 s
repeated to `--minutes`. `videonet extract` runs on each in processes of its own. Memory is the sum, over these, of the
most that each ever had resident (pages that they share count in each), in MB. `loop_to_extract` is the time of the way
it is mostly written (a window at a time: open, seek, decode, embed) over that of the same work by `extract`, both in
this process, for the short video. `max_difference` is between the features of the two. The network has fresh weights.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from bench_windows import LOOP_SECONDS, encode_loop, repeat_loop

from videonet import build
from videonet.config import Config, load_config, to_dict
from videonet.data import clips, transforms
from videonet.data.preprocessing import Preprocessing
from videonet.decode import open_video
from videonet.engine.checkpoint import Checkpoint, save_checkpoint
from videonet.models.create import Network

SHORT_SECONDS = 10


def main() -> None:
    """Make the videos and a checkpoint, then measure."""
    a = _arguments()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        loop, short, long = (folder / f"{name}.mp4" for name in ("loop", "short", "long"))
        encode_loop(a.video, loop)
        encode_loop(a.video, short, SHORT_SECONDS)
        repeat_loop(loop, max(1, a.minutes * 60 // LOOP_SECONDS), long)
        config = load_config(None, ["model.name=iresnet3d50", *a.opts], build.KNOWN_NAMES).config
        preprocessing = build.build_preprocessing(config)
        model = build.build_model(config.model, 10).eval()
        checkpoint = folder / "fresh.pt"
        _save(checkpoint, model, config, preprocessing)
        runs = {path.stem: _extract(checkpoint, path, folder / path.stem, a.hop) for path in (short, long)}
        index = json.loads((folder / "short" / "index.json").read_text())
        row = index["videos"][0]
        start = time.perf_counter()
        expected = _loop(model, preprocessing, short, a.hop)
        loop_seconds = time.perf_counter() - start
        again = time.perf_counter()
        _in_process(config, model, preprocessing, short, a.hop, folder / "again")
        extract_seconds = time.perf_counter() - again
        found = np.load(folder / "short" / row["file"])
        figures = {
            "bench": "extract", "opts": a.opts, "hop": a.hop, "minutes": a.minutes,
            "windows": [run["windows"] for run in runs.values()],
            "seconds": [round(run["seconds"], 1) for run in runs.values()],
            "peak_mb": [round(run["peak_mb"], 1) for run in runs.values()],
            "growth_mb": round(runs["long"]["peak_mb"] - runs["short"]["peak_mb"], 1),
            "loop_to_extract": round(loop_seconds / extract_seconds, 2),
            "max_difference": float(np.abs(found - expected).max()), "largest": float(np.abs(expected).max()),
            "load": os.getloadavg()[0],
        }  # fmt: skip
        print(json.dumps(figures), flush=True)


def _save(path: Path, model: Network, config: Config, preprocessing: Preprocessing) -> None:
    save_checkpoint(
        path,
        Checkpoint(
            model=model.state_dict(), optimizer={}, scaler={}, epoch=0, step=0, config=to_dict(config),
            preprocessing=preprocessing.to_dict(), class_names=[str(label) for label in range(10)], best_top1=None,
            failed=[],
        ),
    )  # fmt: skip


def _extract(checkpoint: Path, video: Path, out: Path, hop: int) -> dict[str, float]:
    """Run the command; what it took."""
    words = ["extract", "--quiet", "--checkpoint", str(checkpoint), "--videos", str(video), "--out", str(out)]
    start, peaks = time.perf_counter(), dict[int, int]()
    command = [sys.executable, "-m", "videonet.cli", *words, "--hop-frames", str(hop)]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)  # noqa: S603
    while process.poll() is None:
        for pid, peak in _peaks(process.pid).items():
            peaks[pid] = max(peak, peaks.get(pid, 0))  # one that is ending has no memory any more
        time.sleep(0.05)
    if process.returncode:
        sys.exit(f"videonet {' '.join(words)} ended with {process.returncode}")
    rows = json.loads((out / "index.json").read_text())["videos"][0]["shape"][0]
    return {"windows": rows, "seconds": time.perf_counter() - start, "peak_mb": sum(peaks.values()) / 2**20}


def _peaks(pid: int) -> dict[int, int]:
    """Most bytes that a process and those below it had resident so far, by process id (Linux)."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return {}  # it just ended
    own = sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    return {pid: own} | {key: peak for child in children for key, peak in _peaks(int(child)).items()}


def _in_process(config: Config, model: Network, preprocessing: Preprocessing, video: Path, hop: int, out: Path) -> None:
    """What `videonet extract` does once it runs, reading in this process."""
    from videonet.data.lists import VideoItem
    from videonet.data.sliding import Hop, Sliding, SlidingReader
    from videonet.data.streams import Streams
    from videonet.engine.features.embed import Wanted
    from videonet.engine.features.events import Extractor, Rows

    job = SlidingReader(Sliding(preprocessing, Hop(ticks=hop)))
    streams = Streams([VideoItem(video.name, str(video), -1)], job, 0)
    extractor = Extractor(model, Wanted(("pooled",)), preprocessing, streams, "fp32", 4)
    rows = [event.values["pooled"] for event in extractor.events([0]) if isinstance(event, Rows)]
    np.save(out.with_suffix(".npy"), np.concatenate(rows))


@torch.inference_mode()
def _loop(model: Network, p: Preprocessing, video: Path, hop: int) -> np.ndarray:
    """(windows, D): the video opened for each window."""
    with open_video(video) as reader:
        starts = clips.sliding_starts(reader.info.frames, p.frames, p.stride, hop)
    rows = []
    for start in starts.tolist():
        with open_video(video) as reader:
            emit = transforms.short_side_resize((reader.info.height, reader.info.width), p.short_side)
            (box,) = transforms.uniform_crops(emit.size, p.crop, 1)
            window = clips.clips_at([start], reader.info.frames, p.frames, p.stride)[0]
            frames = box.cut(reader.at_index(window.tolist(), emit).frames)
        x = p.normalise(frames.permute(3, 0, 1, 2)[None].contiguous())
        rows.append(model.embed(x, ("pooled",))["pooled"][0].numpy())
    return np.stack(rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--video", nargs="+", required=True, help="clips with real content")
    parser.add_argument("--minutes", type=int, default=10, help="length of the long video (default 10)")
    parser.add_argument("--hop", type=int, default=16, help="frames from a window to the next (default 16)")
    parser.add_argument(
        "--opts", nargs="*", help="settings of network and clips",
        default=["model.width=16", "model.blocks=[1,1,1,1]", "clip.frames=16", "clip.stride=1", "clip.crop=112",
                 "clip.short_side=128", "data.workers=1"],
    )  # fmt: skip
    return parser.parse_args()


if __name__ == "__main__":
    main()
