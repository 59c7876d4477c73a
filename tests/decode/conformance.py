"""Every backend on every case, as a table: `python -m tests.decode.conformance > docs/conformance.md`.

A backend must read a file right or refuse it with a reason. Right: the number of frames, the barcodes, the times, and
the brightness of the pixels within 2 levels of what the default backend gives, which the exactness tests hold to a
plain decode of the whole file byte for byte.
"""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path

import av
import numpy as np
import torch

from tests.decode.cases import CASES, Case
from tests.decode.make import read_number
from videonet.decode import BACKENDS, BackendMissing, Clip, VideoError, VideoInfo, VideoReader, open_video

LUMA = torch.tensor([0.299, 0.587, 0.114])
MOST_LEVELS = 2.0
UNTOLD = "right, damage not told"


def missing_backend(backend: str) -> str | None:
    """Why this backend cannot be used here; None where it can."""
    with tempfile.TemporaryDirectory() as folder:
        path = CASES["one frame"].make(Path(folder))
        try:
            open_video(path, backend).close()
        except BackendMissing as error:
            return str(error)
    return None


@dataclass(frozen=True)
class Truth:
    """What the default backend gives of a file."""

    info: VideoInfo
    every: Clip
    sound: frozenset[int]
    """Positions whose frames are neither damaged nor a neighbour."""

    @classmethod
    def of(cls, path: Path) -> "Truth":
        with open_video(path) as video:
            every = video.at_index(range(video.info.frames))
            sound = set(range(video.info.frames))
            if every.damaged or every.substituted:
                alone = {index: video.at_index([index]) for index in sound}
                sound = {index for index, clip in alone.items() if not clip.damaged and not clip.substituted}
            return cls(video.info, every, frozenset(sound))

    def fault(self, clip: Clip, indices: Sequence[int]) -> str | None:
        """How the frames of these indices are wrong; None where they are right."""
        expected = self.every.frames[list(indices)]
        if clip.frames.shape != expected.shape:
            return f"frames {tuple(clip.frames.shape)} for {tuple(expected.shape)}"
        if clip.pts_seconds.tolist() != self.every.pts_seconds[list(indices)].tolist() or clip.clamped:
            return f"times {clip.pts_seconds.tolist()}"
        levels = (
            ((clip.frames[:, ::3, ::3].float() - expected[:, ::3, ::3].float()) @ LUMA).abs().mean(dim=(1, 2)).tolist()
        )
        off = [i for i, level in zip(indices, levels, strict=True) if i in self.sound and level >= MOST_LEVELS]
        return f"frames {off} of {list(indices)}" if off else None


def truth_or_error(path: Path) -> Truth | VideoError:
    """What the default backend gives, or says, of a file."""
    try:
        return Truth.of(path)
    except VideoError as error:
        return error


def verdict(opened: Callable[[Path], VideoReader], case: Case, path: Path, truth: Truth | VideoError) -> str:
    """ "right", "right, damage not told", "refused: why", or "WRONG: what"."""
    try:
        with opened(path) as video:
            if isinstance(truth, VideoError):
                return f"WRONG: opened, where the default backend says {truth}"
            if video.info != truth.info:
                return f"WRONG: {video.info} for {truth.info}"
            clip = video.at_index(range(video.info.frames))
            wrong = truth.fault(clip, range(video.info.frames)) or unread(clip, case, video.info)
            wrong = wrong or next(filter(None, faults(video, truth)), None)
    except VideoError as error:
        if isinstance(truth, VideoError) and type(error) is not type(truth):
            return f"WRONG: {error!r} for {truth!r}"
        return f"refused: {error.reason.partition(' (')[0]}"
    return f"WRONG: {wrong}" if wrong else UNTOLD if clip.damaged < truth.every.damaged else "right"


def unread(clip: Clip, case: Case, info: VideoInfo) -> str | None:
    """What is wrong with the barcodes of all frames."""
    if case.numbers is None:
        return None
    shown = [read_number(np.rot90(frame, -info.rotation // 90)) for frame in clip.frames.numpy()]
    sound = shown == list(case.numbers) and not clip.damaged and not clip.substituted
    return None if sound else f"barcodes {shown}"


def faults(video: VideoReader, truth: Truth) -> Iterator[str | None]:
    """What is wrong with frames asked out of order, alone beside keyframes, by time, and streamed."""
    last = truth.info.frames - 1
    random = np.random.default_rng(1).integers(0, truth.info.frames, 8).tolist()
    alone = [[min(index, last)] for index in (23, 24, 47)]
    for indices in ([last, 0, last // 2, 0], *alone):
        yield truth.fault(video.at_index(indices), indices)
    yield truth.fault(video.at(truth.every.pts_seconds[random].tolist()), random)
    seconds, frames = zip(*islice(video.stream(), 16), strict=True)
    yield truth.fault(Clip(torch.stack(frames), np.array(seconds), 0, 0, 0), range(len(frames)))


def table(backends: Sequence[str]) -> Iterator[str]:
    """Lines of the table in Markdown, made in a folder that is then deleted."""
    yield f"| group | file | {' | '.join(backends)} |"
    yield "|---" * (2 + len(backends)) + "|"
    for name, case in sorted(CASES.items(), key=lambda row: int(row[1].group.split()[0])):
        with tempfile.TemporaryDirectory() as folder:
            path = case.make(Path(folder))
            truth = truth_or_error(path)
            verdicts = [verdict(partial(open_video, backend=backend), case, path, truth) for backend in backends]
        yield f"| {case.group} | {name} | {' | '.join(verdicts)} |"


def used(package: str) -> str:
    with contextlib.suppress(PackageNotFoundError):
        return f"{package} {version(package)}"
    return f"{package} not installed"


def main() -> None:
    """Print the page."""
    backends = [backend for backend in BACKENDS if missing_backend(backend) is None]
    codec = ".".join(map(str, av.library_versions["libavcodec"]))
    packages = ", ".join(used(package) for package in ("av", "torchcodec", "decord"))
    print("# Which backend reads which file\n")
    print((__doc__ or "").partition("\n\n")[2].strip().replace("\n", " "))
    print(f"\nMade by `python -m tests.decode.conformance`; {packages}, libavcodec {codec} in av.")
    print("Tests hold the rows, and that no backend is wrong.\n")
    for line in table(backends):
        print(line)


if __name__ == "__main__":
    main()
