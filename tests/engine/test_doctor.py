import json

import pytest

from videonet.cli import main
from videonet.decode import reader
from videonet.engine import doctor


def test_a_sound_machine(capsys):
    assert main(["doctor", "--json"]) == 0
    findings = {row["what"]: row for row in json.loads(capsys.readouterr().out)}
    assert {"python", "torch", "av", "extras", "gpu", "codecs", "pyav", "shared memory", "self-test"} <= findings.keys()
    assert findings["pyav"]["state"] == "ok"
    assert "two training steps" in findings["self-test"]["text"]


def test_faults_are_named_and_change_the_exit_code(monkeypatch, capsys):
    def dark(source, limits, pixels):
        opened = plain(source, limits, pixels)
        read = opened.at_index
        monkeypatch.setattr(opened, "at_index", lambda indices: read([0] * len(indices)), raising=False)
        return opened

    plain = reader.BACKENDS["pyav"]
    monkeypatch.setitem(reader.BACKENDS, "pyav", dark)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 2**26}))
    assert main(["doctor", "--no-self-test"]) == 1
    said = capsys.readouterr().out
    assert "frame 20 has level" in said
    assert "docker run --shm-size" in said


def test_extras_that_are_not_there_are_named_and_no_fault(monkeypatch):
    monkeypatch.setitem(doctor.EXTRAS, "ray", ("no-such-package",))
    finding = doctor._extras()
    assert finding.state == "ok"
    assert "timm 1." in finding.text
    assert finding.text.endswith("not installed: no-such-package (pip install 'videonet[ray]')")


def test_a_gpu_is_looked_at_for_what_is_known_to_go_wrong(monkeypatch):
    """Two GPUs made up: one that knows no bf16, a cuDNN that runs Conv3d badly, a PyTorch without NCCL."""
    facts = type("Facts", (), {"name": "T4", "total_memory": 16 * doctor.GIB})
    monkeypatch.setattr(doctor.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(doctor.torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(doctor.torch.cuda, "get_device_properties", lambda index: facts)
    monkeypatch.setattr(doctor.torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    monkeypatch.setattr(doctor.torch.backends.cudnn, "version", lambda: 91002)
    monkeypatch.setattr(doctor.torch, "__version__", "2.9.1+cu128")
    monkeypatch.setattr(doctor.td, "is_nccl_available", lambda: False)
    first, _, cudnn, nccl = doctor._gpus()
    assert (first.state, cudnn.state, nccl.state) == ("note", "BAD", "BAD")
    assert "T4, 16 GiB" in first.text
    assert "train.precision=fp16" in first.text


@pytest.mark.parametrize(
    ("torch_version", "cudnn", "bad"),
    [("2.9.1+cu128", 91002, True), ("2.9.0", 91500, False), ("2.11.0", 91002, False), ("2.9.0", None, False)],
)
def test_the_slow_conv3d_is_known(torch_version, cudnn, bad):
    assert bool(doctor.conv3d_fault(torch_version, cudnn)) == bad
