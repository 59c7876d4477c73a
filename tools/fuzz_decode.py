"""Broken videos by the thousand: each is read or refused with a VideoError, in time, and the process survives.

    python tools/fuzz_decode.py VIDEO... --count 2000        (without videos: small ones made on the spot)

A child process reads them; where it dies or hangs, the file is kept in --keep, and a new child goes on. The last line
is JSON: how many were read, refused (by kind), slow, untyped errors, deaths and hangs. Exit code 1 where any was bad.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.decode.make import Recipe, encode
from tests.decode.mutate import mutated

GOOD = ("read", "OpenError", "NoVideoStream", "Undecodable", "TooLarge", "TimedOut", "Refused")
MADE = {
    "h264.mp4": Recipe(".mp4", options={"g": "12", "bf": "2"}, numbers=range(30)),
    "h264.mkv": Recipe(".mkv", options={"g": "12", "bf": "2"}, numbers=range(30)),
    "hevc.mp4": Recipe(".mp4", "libx265", {"x265-params": "log-level=none:keyint=12"}, numbers=range(20)),
    "vp9.webm": Recipe(".webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}, numbers=range(20)),
    "mpeg4.avi": Recipe(".avi", "mpeg4", {"g": "12"}, numbers=range(30)),
    "h264.ts": Recipe(".ts", options={"g": "12"}, numbers=range(30)),
    "mpeg2.mpg": Recipe(".mpg", "mpeg2video", {"g": "12"}, numbers=range(30)),
}


def main() -> int:
    """Run it; 1 where a file was neither read nor refused as it should be."""
    a = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        videos = a.videos or [encode(recipe, Path(folder) / name) for name, recipe in MADE.items()]
        outcomes, bad = fuzz(videos, a.count, a.first, a.seconds, a.keep)
    print(json.dumps({"count": a.count, **outcomes, "bad": len(bad)}))
    return 1 if bad else 0


def fuzz(
    videos: list[Path], count: int, first: int, seconds: float, keep: Path | None
) -> tuple[dict[str, int], list[str]]:
    """How often each outcome came, and the files that came to a bad one."""
    contents = [video.read_bytes() for video in videos]
    outcomes: Counter[str] = Counter()
    bad: list[str] = []
    child, pipe = _start()
    for number in range(first, first + count):
        video, content = videos[number % len(videos)], contents[number % len(videos)]
        broken = mutated(content, number)
        outcome = "hang"
        try:
            pipe.send_bytes(broken)
            if pipe.poll(seconds):
                outcome = pipe.recv()
        except (EOFError, OSError):
            child.join(5)
            outcome = f"death ({child.exitcode})"
        outcomes[outcome] += 1
        if outcome not in GOOD:
            bad.append(f"{video.name} {number}: {outcome}")
            print(bad[-1], flush=True)
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{number}_{video.name}").write_bytes(broken)
        if outcome == "hang" or outcome.startswith("death"):
            child.kill()
            child, pipe = _start()
        if (number - first + 1) % 500 == 0:
            print(f"{number - first + 1} of {count}: {dict(outcomes)}", flush=True)
    child.kill()
    return dict(outcomes), bad


def _start() -> tuple[multiprocessing.process.BaseProcess, Connection]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_read_all, args=(theirs,), daemon=True)
    child.start()
    theirs.close()
    ours.recv_bytes()  # only then does the time of the first file begin
    return child, ours


def _read_all(pipe: Connection) -> None:
    """In the child: read each file as a loader would, random frames and then all, and say what came of it."""
    from videonet.decode.reader import Limits, VideoError, open_video

    pipe.send_bytes(b"ready")
    while True:
        content = pipe.recv_bytes()
        outcome, started = "read", time.process_time()  # other programs' load is no fault of the file
        try:
            with open_video(content, limits=Limits(max_pixels=2**22, max_frames=10_000, max_decode_seconds=8)) as video:
                last = video.info.frames - 1
                video.at_index([0, last // 2, last, last // 3])
                for _ in video.stream():
                    pass
        except VideoError as error:
            outcome = type(error).__name__
        except Exception as error:  # noqa: BLE001  # the very thing that is looked for
            outcome = f"untyped {type(error).__name__}: {error}"[:200]
        if time.process_time() - started > 10:
            outcome = "slow"
        pipe.send(outcome)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="*", type=Path, help="sound videos to break")
    parser.add_argument("--count", type=int, default=2000, help="broken files (default 2000)")
    parser.add_argument("--first", type=int, default=0, help="number of the first one, the seed of its damage")
    parser.add_argument("--seconds", type=float, default=20.0, help="a file that takes longer hangs (default 20)")
    parser.add_argument("--keep", type=Path, help="folder for the files that came to a bad outcome")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
