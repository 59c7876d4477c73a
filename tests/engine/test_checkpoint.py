import pickle

import pytest
import torch

from videonet.engine.checkpoint import Checkpoint, CheckpointError, load_checkpoint, save_checkpoint
from videonet.engine.files import atomic, keep_old


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
