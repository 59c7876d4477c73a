"""Streams that cannot be sought: the frames and times of the file, whatever the pipe does."""

import io

import av
import pytest
import torch

from tests.decode.make import FRAMES, Recipe, encode
from videonet.decode import BackendMissing, NoVideoStream, OpenError, Undecodable, open_video
from videonet.decode import live as live_module
from videonet.decode.live import LiveVideo, open_camera


class Pipe(io.RawIOBase):
    """Bytes that come once, a few at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        return self._data.readinto(memoryview(buffer)[:1000])


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    return encode(Recipe(".mkv", options={"g": "12", "bf": "3"}), tmp_path_factory.mktemp("live") / "stream.mkv")


def test_a_pipe_gives_the_frames_and_times_of_the_file(stream):
    with open_video(stream) as reader, LiveVideo(Pipe(stream.read_bytes()), "pipe") as live:
        assert live.size == (reader.info.height, reader.info.width)
        for (seconds, frame), (at, expected) in zip(live, reader.stream(), strict=True):
            assert seconds == pytest.approx(at)
            assert torch.equal(frame, expected)


def test_a_stream_cut_off_gives_what_came_and_a_damaged_one_goes_on(stream):
    data = bytearray(stream.read_bytes())
    with LiveVideo(Pipe(bytes(data[: len(data) // 2])), "pipe") as live:
        assert 0 < len(list(live)) < FRAMES
    middle = len(data) // 2
    data[middle : middle + 300] = bytes(300)
    with LiveVideo(Pipe(bytes(data)), "pipe") as live:
        times = [seconds for seconds, _ in live]
    assert FRAMES // 2 < len(times) <= FRAMES
    assert times == sorted(times)


def test_a_clock_that_jumps_back_goes_on_where_it_stood(stream):
    with av.open(str(stream)) as container:
        frames = list(container.decode(video=0))
    with LiveVideo(Pipe(stream.read_bytes()), "pipe") as live:
        live._pictures = iter([*frames[1:20], *frames[:5]])
        times = [seconds for seconds, _ in live]
    assert times == pytest.approx([number / 30 for number in range(25)], abs=2e-3)


@pytest.mark.parametrize(
    ("data", "error"), [(b"", OpenError), (b"this is no video at all" * 100, OpenError), (b"RIFF", OpenError)]
)
def test_what_is_no_video_is_said(data, error):
    with pytest.raises(error, match="pipe: cannot be opened"):
        LiveVideo(Pipe(data), "pipe")


def test_a_stream_of_sound_alone(tmp_path):
    path = tmp_path / "sound.wav"
    with av.open("sine=duration=0.1", format="lavfi") as source, av.open(str(path), "w") as out:
        sound = out.add_stream("pcm_s16le", rate=44100)
        for frame in source.decode(audio=0):
            out.mux(sound.encode(frame))
    with pytest.raises(NoVideoStream):
        LiveVideo(Pipe(path.read_bytes()), "pipe")


def test_a_camera_that_ffmpeg_draws():
    with open_camera("lavfi:testsrc2=size=64x48:rate=10:duration=1") as camera:
        assert (camera.size, camera.fps) == ((48, 64), 10)
        assert [seconds for seconds, _ in camera] == pytest.approx([number / 10 for number in range(10)])


def test_no_camera_and_no_way_to_cameras(monkeypatch):
    monkeypatch.setattr(live_module.sys, "platform", "linux")
    with pytest.raises(OpenError, match=r"camera 97 \(/dev/video97\): cannot be opened"):
        open_camera("97")
    monkeypatch.setitem(live_module.CAMERAS, "linux", ("no_such_input", str))
    with pytest.raises(BackendMissing, match="no 'no_such_input' input; pipe the camera in: ffmpeg"):
        open_camera("0")
    monkeypatch.setattr(live_module.sys, "platform", "plan9")
    with pytest.raises(BackendMissing, match="plan9"):
        open_camera("0")


def test_a_stream_that_breaks_off_with_an_error_says_so(stream):
    class Broken(Pipe):
        def readinto(self, buffer) -> int:
            if self._data.tell() > 20_000:
                raise OSError(5, "Input/output error")
            return super().readinto(buffer)

    with LiveVideo(Broken(stream.read_bytes()), "pipe") as live, pytest.raises(Undecodable, match="broke off"):
        list(live)
