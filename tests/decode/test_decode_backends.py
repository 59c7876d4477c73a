"""Every backend reads a file right or refuses it by name; and what each promises, whatever library is behind it."""

import functools
import io
import pickle
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.decode.cases import CASES, FASTSTART, GOP
from tests.decode.conformance import Truth, missing_backend, verdict
from tests.decode.conftest import Known
from tests.decode.make import FRAMES, Recipe, read_number
from videonet.decode import BACKENDS, BackendMissing, Limits, Refused, TooLarge, VideoError, VideoReader, open_video
from videonet.decode import decord as decord_backend
from videonet.decode import torchcodec as torchcodec_backend
from videonet.decode.batched import BatchedReader, Opened

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"
LIBRARIES = {"torchcodec": torchcodec_backend.library, "decord": decord_backend.library}
RECIPE = Recipe(".mp4", options=GOP)
# For each kind that a library is refused on, a file of that kind.
SHOWN_BY = {
    "frames without times of their own": "h264 avi with b-frames",
    "an MPEG transport stream": "mpegts",
    "an MPEG program stream": "mpeg2 program stream",
    "open groups of pictures": "open gop mp4",
    "periodic intra refresh": "periodic intra refresh",
}

Videos = Callable[[Recipe], Path]
missing = functools.cache(missing_backend)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Each backend in turn, skipped with the reason where it is not installed."""
    why = missing(request.param)
    if why:
        pytest.skip(why)
    return request.param


@pytest.mark.parametrize("name", CASES)
def test_reads_right_or_refuses(name: str, backend: str, known: Known) -> None:
    path, truth = known(name)
    found = verdict(functools.partial(open_video, backend=backend), CASES[name], path, truth)
    assert found == "right" if backend == "pyav" and isinstance(truth, Truth) else not found.startswith("WRONG")


def test_the_page_has_every_backend_and_every_case() -> None:
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    assert rows[0] == ["group", "file", *BACKENDS]
    assert sorted(row[:2] for row in rows[1:]) == sorted([case.group, name] for name, case in CASES.items())
    assert not [row for row in rows if any(cell.startswith("WRONG") for cell in row)]


@pytest.mark.parametrize("kind", SHOWN_BY)
@pytest.mark.parametrize("name", LIBRARIES)
def test_what_is_refused_by_kind_would_be_wrong(name: str, kind: str, known: Known) -> None:
    if missing(name):
        pytest.skip(str(missing(name)))
    library = LIBRARIES[name]()
    path, truth = known(SHOWN_BY[kind])

    def unguarded(path: Path) -> VideoReader:
        return BatchedReader(path, Limits(), replace(library, wrong_on=()))

    found = verdict(unguarded, CASES[SHOWN_BY[kind]], path, truth)
    assert (found != "right") == (kind in library.wrong_on), found


def test_facts_and_errors_are_those_of_the_default(backend: str, videos: Videos, tmp_path: Path) -> None:
    path = videos(RECIPE)
    with open_video(path) as default, open_video(path, backend) as video:
        assert video.info == default.info
    with pytest.raises(TooLarge, match="max_side=100"):
        open_video(path, backend, Limits(max_side=100))
    with pytest.raises(VideoError, match="no such file"):
        open_video(tmp_path / "gone.mp4", backend)


def test_bytes_and_files_equal_the_path(backend: str, videos: Videos) -> None:
    path = videos(RECIPE)
    with open_video(path, backend) as video:
        expected = video.at_index([50, 2]).frames
    with path.open("rb") as file:
        for source in (path.read_bytes(), io.BytesIO(path.read_bytes()), file):
            with open_video(source, backend) as video:
                assert torch.equal(video.at_index([50, 2]).frames, expected)


def test_requests_at_the_edges(backend: str, videos: Videos) -> None:
    with open_video(videos(RECIPE), backend) as video:
        clip = video.at_index([FRAMES - 1, 0, 0, FRAMES, 1000])
        assert [read_number(frame) for frame in clip.frames.numpy()] == [59, 0, 0, 59, 59]
        assert clip.clamped == 2
        for asked in ([], [-1]):
            with pytest.raises(ValueError, match="frame ind"):
                video.at_index(asked)


def test_each_index_may_have_its_own_emit(backend: str, videos: Videos) -> None:
    with open_video(videos(RECIPE), backend) as video:
        left, right = video.at_index([7, 7], [lambda frame: frame[:, :100], lambda frame: frame[:, -100:]]).frames
        whole = video.at_index([7]).frames[0]
        assert torch.equal(left, whole[:, :100])
        assert torch.equal(right, whole[:, -100:])


def test_another_read_ends_a_stream_and_a_closed_reader_says_so(backend: str, videos: Videos) -> None:
    video = open_video(videos(RECIPE), backend)
    stream = video.stream()
    next(stream)
    video.at_index([30])
    with pytest.raises(RuntimeError, match="second reader"):
        next(stream)
    with pytest.raises(TypeError, match="open it in the worker"):
        pickle.dumps(video)
    video.close()
    video.close()
    with pytest.raises(ValueError, match="closed"):
        video.at_index([0])


@pytest.mark.parametrize("name", LIBRARIES)
def test_what_is_not_installed_is_named_with_the_way_out(
    name: str, videos: Videos, monkeypatch: pytest.MonkeyPatch
) -> None:
    torchcodec_backend._decoder_class.cache_clear()
    for module in (name, f"{name}.decoders"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BackendMissing, match=r"videonet\[decoders\]"):
        open_video(videos(FASTSTART), name)


def test_frames_at_other_times_than_their_packets_are_refused(videos: Videos) -> None:
    """A library that is off by one frame, and knows it not."""
    if missing("torchcodec"):
        pytest.skip(str(missing("torchcodec")))
    library = torchcodec_backend.library()

    def off_by_one(source: str, stream: int) -> Opened:
        opened = library.open(source, stream)
        return replace(opened, fetch=lambda indices: opened.fetch([index + 1 for index in indices]))

    video = BatchedReader(videos(RECIPE), Limits(), replace(library, open=off_by_one))
    with video, pytest.raises(Refused, match="dates its frames otherwise"):
        video.at_index([3, 9])


def test_a_library_without_its_own_libraries_is_missing(videos: Videos, monkeypatch: pytest.MonkeyPatch) -> None:
    """torchcodec is imported without FFmpeg, and fails at its first decoder."""
    if missing("torchcodec"):
        pytest.skip(str(missing("torchcodec")))

    def fails(*arguments: object) -> None:
        raise RuntimeError("Could not load libtorchcodec")

    torchcodec_backend._decoder_class.cache_clear()
    monkeypatch.setattr("torchcodec.decoders.VideoDecoder", fails)
    with pytest.raises(BackendMissing, match=r"Could not load.*FFmpeg"):
        open_video(videos(RECIPE), "torchcodec")
