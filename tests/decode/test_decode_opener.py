"""What a data set opens videos with: the opener, limits of time, URLs, packed images, and an emit for each frame."""

import io
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import fsspec
import numpy as np
import pytest
import torch
from PIL import Image

from tests.decode.make import Recipe, barcode_frame, read_number
from videonet.decode import BackendMissing, Limits, Opener, OpenError, TimedOut, VideoReader, open_video
from videonet.decode.remote import open_url

Videos = Callable[[Recipe], Path]
RECIPE = Recipe(".mp4", options={"g": "24", "bf": "3"})


def top(frame: torch.Tensor) -> torch.Tensor:
    return frame[:16]


def bottom(frame: torch.Tensor) -> torch.Tensor:
    return frame[-16:]


def write_image_folder(folder: Path) -> Path:
    for number in range(3):
        Image.fromarray(barcode_frame(number)).save(folder / f"img_{number}.png")
        Image.fromarray(barcode_frame(100 + number)).save(folder / f"flow_x_{number}.png")
    return folder


def test_an_opener_carries_every_argument_through_a_pickle(tmp_path: Path) -> None:
    opener = Opener(frames_fps=5, frames_pattern="flow_x_*", limits=Limits(max_side=300))
    with pickle.loads(pickle.dumps(opener))(write_image_folder(tmp_path)) as video:  # noqa: S301
        assert (video.info.frames, video.info.fps) == (3, 5)
        assert read_number(video.at_index([2]).frames[0].numpy()) == 102
    with pytest.raises(OpenError, match=r"named x_\*; change frames_pattern"):
        Opener(frames_pattern="x_*")(tmp_path)


@pytest.mark.parametrize("source", ["video", "folder"])
def test_each_index_may_have_its_own_emit(source: str, videos: Videos, tmp_path: Path) -> None:
    path = videos(RECIPE) if source == "video" else write_image_folder(tmp_path)
    with open_video(path) as video:
        whole = video.at_index([0, 1, 2]).frames
        clip = video.at_index([2, 0, 2], [top, top, bottom])
        assert torch.equal(clip.frames, torch.stack([top(whole[2]), top(whole[0]), bottom(whole[2])]))
        assert torch.equal(video.at(clip.pts_seconds, [top, top, bottom]).frames, clip.frames)
        with pytest.raises(ValueError, match="2 emits for 3 frames"):
            video.at_index([0, 1, 2], [top, top])
        with pytest.raises(ValueError, match="all must agree"):
            video.at_index([0, 1], [top, lambda frame: frame])


def test_reading_ends_when_its_time_is_used_up(videos: Videos, monkeypatch: pytest.MonkeyPatch) -> None:
    now, waited = 0.0, 0.0
    monkeypatch.setattr("time.thread_time", lambda: now)
    monkeypatch.setattr("time.perf_counter", lambda: now + waited)

    def slow(frame: torch.Tensor) -> torch.Tensor:
        nonlocal now
        now += 3.0
        return frame

    def waiting(frame: torch.Tensor) -> torch.Tensor:
        nonlocal waited
        waited += 3.0
        return frame

    with open_video(videos(RECIPE), limits=Limits(max_decode_seconds=10)) as video:
        assert len(video.at_index([1, 2, 3], slow).frames) == 3  # 9 s
        assert sum(1 for _ in video.stream(emit=slow)) == 60  # 3 s a step
        assert len(video.at_index(range(60), waiting).frames) == 60  # a slow disk, a busy machine
        with pytest.raises(TimedOut, match="max_decode_seconds=10 "):
            video.at_index(range(60), slow)
    with pytest.raises(ValueError, match="max_decode_seconds=0"):
        Limits(max_decode_seconds=0)


def test_a_url_reads_as_its_file(videos: Videos, tmp_path: Path) -> None:
    path = videos(RECIPE)
    fsspec.filesystem("memory").pipe_file("/opener/clip.mp4", path.read_bytes())
    Image.fromarray(barcode_frame(7)).save(tmp_path / "seven.png")
    with open_video(path) as expected:
        for url in ("memory://opener/clip.mp4", f"file://{path}"):
            with open_video(url) as video:
                assert torch.equal(video.at_index([50, 2]).frames, expected.at_index([50, 2]).frames)
    with open_video(f"file://{tmp_path}/seven.png") as video:
        assert (video.info.frames, read_number(video.at_index([0]).frames[0].numpy())) == (1, 7)


def test_urls_fail_with_their_name() -> None:
    for url in ("memory://opener/gone.mp4", "nonsense://clip.mp4"):
        with pytest.raises(OpenError, match=f"{url}: cannot be read"):
            open_video(url)


def test_a_url_of_a_kind_not_installed_is_no_fault_of_the_video(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(url: str, mode: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "open", missing)
    with pytest.raises(BackendMissing, match="Install s3fs"):
        open_video("s3://bucket/clip.mp4")


def test_a_lost_connection_is_an_error_and_not_a_shorter_video(videos: Videos, monkeypatch: pytest.MonkeyPatch) -> None:
    class Dropping(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 1000:
                raise ConnectionResetError("gone")
            return super().read(min(size or 0, 500))

    content = videos(Recipe(".ts", options={"g": "24"})).read_bytes()
    monkeypatch.setattr(fsspec, "open", lambda url, mode: type("File", (), {"open": lambda self: Dropping(content)})())
    assert open_url("http://host/clip.ts").read(400) == content[:400]
    with pytest.raises(OpenError, match=r"http://host/clip\.ts: .*ConnectionResetError"):
        open_video("http://host/clip.ts")


def test_one_image_of_a_packed_file_is_a_video(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    path = tmp_path / "t10k-images-idx3-ubyte"
    path.write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, *images.shape) + images.tobytes())
    video: VideoReader
    with open_video(f"{path}#3") as video:
        assert torch.equal(video.at_index([0]).frames[0, ..., 1], torch.from_numpy(images[3]))
    with pytest.raises(OpenError, match="5 images"):
        open_video(f"{path}#5")


def test_a_file_may_have_a_number_sign_in_its_name(tmp_path: Path) -> None:
    path = tmp_path / "take #2.png"
    Image.fromarray(barcode_frame(5)).save(path)
    with open_video(path) as video:
        assert video.info.frames == 1
