"""Killed at any moment and resumed, or spread over ranks: the same folder, byte for byte; nothing done twice."""

import os
import shutil
import signal
import socket
import time

import pytest

from tests.engine.features.conftest import contents
from videonet.cli import main
from videonet.engine.features import events, folder


@pytest.fixture(scope="module")
def whole(words, tmp_path_factory):
    """The bytes of an uninterrupted run, by format."""
    found = {}
    for name in ("npy", "parquet", "hdf5", "safetensors"):
        out = tmp_path_factory.mktemp("whole") / name
        assert main([*words, "--out", str(out), "--format", name, "--feature", "pooled,stage1"]) == 0
        found[name] = contents(out)
    return found


def stopped_at(monkeypatch, count):
    """From now on a run ends with its `count`th event, as if the power went: nothing is put in order."""
    take = folder.FeatureFolder.record

    def record(self, source):
        def some():
            for number, event in enumerate(source, 1):
                yield event
                if number == count:
                    os._exit(9)

        return take(self, some())

    monkeypatch.setattr(folder.FeatureFolder, "record", record)


def begun(words, **environment):
    """Process id of a fork of this process that runs the command."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.environ.update(environment)
            code = main(words)
        finally:
            os._exit(code)
    return child


def code_of(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def ended(words):
    return code_of(begun(words))


@pytest.mark.parametrize(
    ("name", "counts"), [("npy", (1, 3, 4, 7, 2)), ("parquet", (4, 4)), ("hdf5", (7,)), ("safetensors", (4,))]
)
def test_stopped_at_one_event_and_another_and_resumed(words, whole, name, counts, tmp_path, monkeypatch):
    words = [*words, "--out", str(tmp_path / "out"), "--format", name, "--feature", "pooled,stage1", "--resume"]
    with monkeypatch.context() as patch:
        for count in counts:
            stopped_at(patch, count)
            assert ended(words) == 9
            patch.undo()
    assert not (tmp_path / "out" / "index.json").exists()
    assert main(words) == 0
    assert contents(tmp_path / "out") == whole[name]


def test_finished_videos_are_not_read_again(words, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    words = [*words, "--out", str(out), "--resume"]
    with monkeypatch.context() as patch:
        stopped_at(patch, 8)
        assert ended(words) == 9
    done = sorted(path.name for path in out.glob("*.npy"))
    times = [path.stat().st_mtime_ns for path in out.glob("*.npy")]
    assert 0 < len(done) < 3
    asked = []
    read = events.Extractor.events
    monkeypatch.setattr(
        events.Extractor, "events", lambda self, indices: (asked.extend(indices), read(self, indices))[1]
    )
    assert main(words) == 0
    assert len(asked) == 4 - len(done)  # the video that failed is tried again
    assert [path.stat().st_mtime_ns for path in out.glob("*.npy") if path.name in done] == times
    assert f"({len(done)} of them before)" in capsys.readouterr().out
    asked.clear()
    assert main(words) == 0  # complete: nothing is left to do
    assert not asked


def test_killed_and_resumed(words, whole, tmp_path):
    out = tmp_path / "out"
    words = [*words, "--out", str(out), "--feature", "pooled,stage1", "--resume"]
    child = begun(words)
    deadline = time.monotonic() + 60
    while not list(out.glob("pooled/*.npy")) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    assert code_of(child) == -signal.SIGKILL
    assert not (out / "index.json").exists()
    assert main(words) == 0
    assert contents(out) == whole["npy"]


def test_two_ranks_write_what_one_does(words, whole, tmp_path):
    """Started as torchrun does."""
    words = [*words, "--out", str(tmp_path), "--feature", "pooled,stage1", "--format", "parquet"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    ranks = [
        begun(words, MASTER_ADDR="127.0.0.1", MASTER_PORT=port, WORLD_SIZE="2", RANK=rank, LOCAL_RANK=rank)
        for rank in ("0", "1")
    ]
    assert [code_of(child) for child in ranks] == [0, 0]
    assert contents(tmp_path) == whole["parquet"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "is not finished; go on with --resume"),
        (["--resume", "--dtype", "fp16"], "dtype was 'fp32' and is 'fp16'"),
        (["--resume", "--hop-frames", "6"], "hop_ticks was 5 and is 6"),
        (["--resume", "--checkpoint", "best.pt"], "checkpoint_sha256 was"),
    ],
)
def test_settings_are_not_mixed(words, more, message, tmp_path, trained, monkeypatch, capsys):
    first = [*words, "--out", str(tmp_path / "out")]
    with monkeypatch.context() as patch:
        stopped_at(patch, 3)
        assert ended(first) == 9
    before = contents(tmp_path / "out")
    if "best.pt" in more:  # another file, though it holds the same weights
        shutil.copy(trained / "checkpoints" / "last.pt", tmp_path / "best.pt")
        with (tmp_path / "best.pt").open("ab") as file:
            file.write(b"\0")
        more = [word.replace("best.pt", str(tmp_path / "best.pt")) for word in more]
    assert main([*first, *more]) == 2
    assert message in capsys.readouterr().err
    assert contents(tmp_path / "out") == before


def test_other_files_are_left_alone(words, tmp_path, capsys):
    (tmp_path / "mine.npy").write_bytes(b"mine")
    assert main([*words, "--out", str(tmp_path), "--resume"]) == 2
    assert "holds other files" in capsys.readouterr().err
    assert contents(tmp_path) == {"mine.npy": b"mine"}


def test_other_videos_are_refused(words, videos, tmp_path, monkeypatch, capsys):
    out = ["--out", str(tmp_path / "out")]
    with monkeypatch.context() as patch:
        stopped_at(patch, 8)
        assert ended([*words, *out]) == 9
    one = [str(videos / "vp9.webm") if word == str(videos) else word for word in words]
    assert main([*one, *out, "--resume"]) == 2
    assert "not asked for now" in capsys.readouterr().err
    assert main([*words, *out, "--resume"]) == 0
    assert main([*one, *out, "--resume"]) == 2
    assert "is complete, with other videos" in capsys.readouterr().err
