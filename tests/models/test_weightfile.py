"""Reading files of weights: good ones of every kind, and what is said about the others."""

import os
import pickle

import pytest
import torch

from videonet.models.weightfile import WeightsError, read_weights


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("harm was done",)


def test_wrappers_and_prefixes_come_off(tmp_path):
    weight = torch.randn(2, 3)
    for name, content in {
        "bare": {"fc.weight": weight},
        "theirs": {"epoch": 1, "model_state": {"fc.weight": weight}, "cfg": "MODEL:\n  ARCH: slow\n"},
        "parallel": {"state_dict": {"module._orig_mod.fc.weight": weight}},
        "ours": {"model": {"fc.weight": weight}, "config": {"model": {"wiring": "paper"}}, "class_names": ["a", "b"]},
    }.items():
        torch.save(content, tmp_path / f"{name}.pt")
        file = read_weights(tmp_path / f"{name}.pt")
        assert list(file.tensors) == ["fc.weight"]
        assert torch.equal(file.tensors["fc.weight"], weight)
        assert file.parallel == (name == "parallel")
        assert (file.cfg is not None) == (name == "theirs")
        assert file.class_names == (("a", "b") if name == "ours" else None)
        assert file.settings == ({"wiring": "paper"} if name == "ours" else {})


def test_safetensors(tmp_path):
    save_file = pytest.importorskip("safetensors.torch").save_file
    save_file({"fc.weight": torch.ones(2)}, tmp_path / "a.safetensors")
    assert torch.equal(read_weights(tmp_path / "a.safetensors").tensors["fc.weight"], torch.ones(2))
    (tmp_path / "b.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes()[:30])
    with pytest.raises(WeightsError, match=r"b.safetensors cannot be read \(truncated"):
        read_weights(tmp_path / "b.safetensors")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_truncated_file(tmp_path, zipped):
    path = tmp_path / "a.pt"
    torch.save({"fc.weight": torch.randn(64, 64)}, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    for size in (0, 20, len(whole) // 2, len(whole) - 100):
        path.write_bytes(whole[:size])
        with pytest.raises(WeightsError, match=r"a\.pt cannot be read \(truncated, or not a file of weights\): \S"):
            read_weights(path)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_code_in_a_pickle_is_named_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"fc.weight": torch.ones(1), "epoch": Harmful()}, "a.pt")
    (tmp_path / "b.pt").write_bytes(pickle.dumps({"fc.weight": Harmful()}, protocol=2))
    torch.save(torch.nn.Linear(1, 1), "c.pt")
    for name, named in [("a", "mkdir"), ("b", "mkdir"), ("c", "torch.nn.modules.linear.Linear")]:
        with pytest.raises(WeightsError, match=rf"{name}\.pt holds code \(.*{named}\), .*; none of it was run\."):
            read_weights(f"{name}.pt")
    (tmp_path / "d.pt").write_bytes(pickle.dumps({"fc.weight": Harmful()}, protocol=4))
    with pytest.raises(WeightsError, match=r"d\.pt cannot be read \(truncated, or not a file of weights\): it is"):
        read_weights("d.pt")
    assert not (tmp_path / "harm was done").exists()


def test_files_that_hold_no_state_dict(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "empty.pt")
    torch.save({"state_dict": {}}, tmp_path / "nothing.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    for name, message in [
        ("empty", "empty.pt: no state dict found; the keys are epoch"),
        ("nothing", "the keys are none at all"),
        ("list", "holds a list, not a state dict"),
        ("absent", "absent.pt do not exist"),
    ]:
        with pytest.raises(WeightsError, match=message):
            read_weights(tmp_path / f"{name}.pt")
