import logging
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from videonet.engine.checkpoint import Checkpoint, CheckpointError, last_checkpoint, load_checkpoint, save_checkpoint
from videonet.engine.files import atomic, keep_old, sweep


def checkpoint(step=3, model=None):
    return Checkpoint(model or {"w": torch.arange(1000.0)}, {}, {}, 1, step, {"seed": 0}, {}, ["a"], None, [])


def test_round_trip(tmp_path):
    path = tmp_path / "runs" / "last.pt"
    save_checkpoint(path, checkpoint())
    loaded = load_checkpoint(path)
    assert torch.equal(loaded.model["w"], torch.arange(1000.0))
    assert (loaded.epoch, loaded.step, loaded.class_names) == (1, 3, ["a"])
    assert [p.name for p in path.parent.iterdir()] == ["last.pt"]


def test_no_cut_of_the_file_can_be_loaded(tmp_path):
    path = tmp_path / "last.pt"
    save_checkpoint(path, checkpoint())
    whole = path.read_bytes()
    for size in [*range(0, len(whole), len(whole) // 40), len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match="cannot be read"):
            load_checkpoint(path)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "last.pt"
    save_checkpoint(path, checkpoint(step=1))
    with pytest.raises(TypeError, match="pickle"):
        save_checkpoint(path, checkpoint(step=2, model={"w": (x for x in ())}))
    assert load_checkpoint(path).step == 1
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_what_killed_writers_left_is_swept(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = [
        f".last.pt.{dead.pid}.tmp",
        f".last.pt.{os.getpid()}.tmp",
        ".last.pt.x.tmp",
        "last.pt",
        f"a.{dead.pid}.tmp",
    ]
    for name in names:
        (tmp_path / name).touch()
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])
    sweep(tmp_path / "elsewhere")


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code of the file was run')",))


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value, 2))])
def test_a_file_with_code_in_it_is_refused(tmp_path, save):
    save({"format": 1, "model": Bomb()}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(tmp_path / "x.pt")


def test_other_files_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match="does not exist"):
        load_checkpoint(tmp_path / "no.pt")
    torch.save({"state_dict": {}}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match="not a videonet checkpoint"):
        load_checkpoint(tmp_path / "x.pt")


def test_older_results_are_kept(tmp_path):
    paths = [tmp_path / "results.json", tmp_path / "views.npz"]
    for turn in range(3):
        keep_old(paths, print)
        for path in paths:
            with atomic(path) as file:
                file.write(str(turn).encode())
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {"results.json": "2", "results.1.json": "0", "results.2.json": "1",
                    "views.npz": "2", "views.1.npz": "0", "views.2.npz": "1"}  # fmt: skip


def test_earlier_checkpoints_are_kept_and_taken_when_the_last_is_broken(tmp_path, caplog):
    for epoch in range(4):
        save_checkpoint(tmp_path / "last.pt", replace(checkpoint(), epoch=epoch), keep=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.1.pt", "last.2.pt", "last.pt"]
    found, path = last_checkpoint(tmp_path)
    assert (found.epoch, path.name) == (3, "last.pt")
    content = (tmp_path / "last.pt").read_bytes()
    (tmp_path / "last.pt").write_bytes(content[: len(content) // 2])
    videonet_log = logging.getLogger("videonet")
    videonet_log.addHandler(caplog.handler)
    try:
        found, path = last_checkpoint(tmp_path)
    finally:
        videonet_log.removeHandler(caplog.handler)
    assert (found.epoch, path.name) == (2, "last.1.pt")
    assert "GOING BACK" in caplog.text
    (tmp_path / "last.pt").unlink()  # killed between two renames
    assert last_checkpoint(tmp_path)[0].epoch == 2
    for name in ("last.1.pt", "last.2.pt"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"last\.1\.pt cannot be read"):
        last_checkpoint(tmp_path)
    assert last_checkpoint(tmp_path / "elsewhere") is None


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path):
    """A limit on the size of files stands for the disk: the system call fails in the same place."""
    code = """
import resource, signal, sys, torch
from dataclasses import replace
from pathlib import Path
from tests.engine.test_checkpoint import checkpoint
from videonet.engine.checkpoint import save_checkpoint
from videonet.engine.files import OutputError
path = Path(sys.argv[1])
save_checkpoint(path, checkpoint(), keep=2)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    save_checkpoint(path, replace(checkpoint(), epoch=9, model={"w": torch.zeros(100_000)}), keep=2)
except OutputError as error:
    print(error)
"""
    path = tmp_path / "last.pt"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert "no room to write" in done.stdout, done.stderr
    assert load_checkpoint(path).epoch == checkpoint().epoch
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.pt"]
