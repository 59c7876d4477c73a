"""Files that are no video, cut short, or damaged: a named error, or frames that say what is wrong with them."""

import struct
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from tests.decode.make import FRAMES, Recipe, plain_decode, read_number
from videonet.decode import NoVideoStream, OpenError, Undecodable, VideoError, open_video

Videos = Callable[[Recipe], Path]
OPTIONS = {"g": "12", "bf": "3"}
FASTSTART = Recipe(".mp4", options=OPTIONS, container={"movflags": "faststart"})
CUT_SHORT = {
    "faststart mp4": FASTSTART,
    "mkv": Recipe(".mkv", options=OPTIONS),
    "webm": Recipe(".webm", "libvpx", {"g": "12", "cpu-used": "8"}),
    "avi": Recipe(".avi", "mpeg4", {"g": "12"}),
    "ts": Recipe(".ts", options=OPTIONS),
}


def opening_fails(path: Path, kind: type[VideoError]) -> VideoError:
    """The error of opening `path`; it must be `kind`, name the path, and come within a second."""
    started = time.perf_counter()
    with pytest.raises(kind) as caught:
        open_video(path)
    assert time.perf_counter() - started < 1
    assert caught.value.path == str(path)
    assert str(caught.value).startswith(f"{path}: {caught.value.reason}; ")
    return caught.value


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def media(data: bytes) -> slice:
    """Where the frames of a faststart mp4 lie: the inside of its mdat box, the last one."""
    return slice(data.rindex(b"mdat") + 4, len(data))


@pytest.mark.parametrize(
    "content",
    [b"", b"a text, not a video\n" * 50, np.random.default_rng(0).bytes(5000), Path(__file__).read_bytes()],
    ids=["zero bytes", "text", "random bytes", "renamed source file"],
)
def test_what_is_no_video_cannot_be_opened(content: bytes, tmp_path: Path) -> None:
    opening_fails(write(tmp_path / "clip.mp4", content), OpenError)


def test_missing_files_and_empty_directories_cannot_be_opened(tmp_path: Path) -> None:
    assert "no such file" in opening_fails(tmp_path / "gone.mp4", OpenError).reason
    assert "without images" in opening_fails(tmp_path, OpenError).reason


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.m4a"
    with av.open(str(path), "w") as output:
        track = output.add_stream("aac", rate=8000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.rate = 8000
        output.mux(track.encode(silence) + track.encode(None))
    opening_fails(path, NoVideoStream)


def test_a_track_without_pictures_is_undecodable(videos: Videos, tmp_path: Path) -> None:
    data = videos(FASTSTART).read_bytes()
    header = data[: media(data).start]
    opening_fails(write(tmp_path / "header.mp4", header), Undecodable)
    opening_fails(write(tmp_path / "zeroed.mp4", header + bytes(len(data) - len(header))), Undecodable)


def test_an_mp4_cut_before_its_index_cannot_be_opened(videos: Videos, tmp_path: Path) -> None:
    data = videos(Recipe(".mp4", options=OPTIONS)).read_bytes()
    opening_fails(write(tmp_path / "cut.mp4", data[: len(data) * 6 // 10]), OpenError)


@pytest.mark.parametrize("name", CUT_SHORT)
def test_a_file_cut_short_gives_what_is_left(name: str, videos: Videos, tmp_path: Path) -> None:
    data = videos(CUT_SHORT[name]).read_bytes()
    path = write(tmp_path / f"cut{CUT_SHORT[name].suffix}", data[: len(data) * 6 // 10])
    plain = [frame for _, frame in plain_decode(path)]
    with open_video(path) as video:
        clip = video.at_index(range(video.info.frames))
        assert len(plain) - 1 <= video.info.frames - clip.substituted <= len(plain)
        assert clip.substituted <= 4  # the last, cut packet, and the frames that lean on it
        sound = video.info.frames - 5
        assert np.array_equal(clip.frames[:sound].numpy(), np.stack(plain[:sound]))
        with_last = video.at_index([video.info.frames - 1, 500])
        assert torch.equal(with_last.frames[0], clip.frames[-1])
        assert with_last.clamped == 1


def test_lost_frames_are_their_neighbours_whatever_else_is_asked(videos: Videos, tmp_path: Path) -> None:
    """The first quarter of the media zeroed: frames of later groups are exact, lost ones are the next good frame."""
    data = bytearray(videos(FASTSTART).read_bytes())
    inside = media(data)
    data[inside.start : inside.start + (inside.stop - inside.start) // 4] = bytes((inside.stop - inside.start) // 4)
    with open_video(write(tmp_path / "hole.mp4", data)) as video:
        assert video.info.frames == FRAMES
        whole = video.at_index(range(FRAMES))
        assert whole.substituted >= 12
        assert [read_number(frame) for frame in whole.frames[30:].numpy()] == list(range(30, FRAMES))
        alone = video.at_index([0])
        assert alone.substituted == 1
        assert torch.equal(alone.frames[0], whole.frames[0])
        streamed = torch.stack([frame for _, frame in video.stream()])
        assert torch.equal(streamed, whole.frames)


def test_flipped_bytes_are_counted_as_damage(videos: Videos, tmp_path: Path) -> None:
    data = bytearray(videos(FASTSTART).read_bytes())
    random = np.random.default_rng(3)
    inside = media(data)
    for place in random.integers(inside.start, inside.stop, 200):
        data[place] ^= 1 + int(random.integers(255))
    path = write(tmp_path / "flipped.mp4", data)
    plain = [frame for _, frame in plain_decode(path)]
    with open_video(path) as video:
        clip = video.at_index(range(video.info.frames))
        assert clip.damaged > 0
        exact = sum(any(np.array_equal(frame, other) for other in plain) for frame in clip.frames.numpy())
        assert exact == video.info.frames
        some = video.at_index([50, 7, 31])
        assert torch.equal(some.frames, clip.frames[[50, 7, 31]])


@pytest.mark.parametrize("factor", [10, 0.1, 0])
def test_durations_in_the_header_are_not_believed(factor: float, videos: Videos, tmp_path: Path) -> None:
    data = bytearray(videos(Recipe(".mp4", options=OPTIONS, container={"use_editlist": "0"})).read_bytes())
    for tag, offset in ((b"mvhd", 20), (b"tkhd", 24), (b"mdhd", 20)):
        place = data.index(tag) + offset
        (duration,) = struct.unpack_from(">I", data, place)
        struct.pack_into(">I", data, place, int(duration * factor))
    with open_video(write(tmp_path / "header.mp4", data)) as video:
        assert video.info.frames == FRAMES
        assert video.info.duration_seconds == pytest.approx(2.0, abs=0.01)
        assert [read_number(frame) for frame in video.at([1.97, 0.0]).frames.numpy()] == [59, 0]
