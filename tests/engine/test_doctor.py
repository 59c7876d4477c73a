import json

import pytest

from videonet.cli import main
from videonet.decode import reader
from videonet.engine import doctor


def test_a_sound_machine(capsys):
    assert main(["doctor", "--json"]) == 0
    findings = {row["what"]: row for row in json.loads(capsys.readouterr().out)}
    assert {"python", "torch", "av", "codecs", "pyav", "self-test"} <= findings.keys()
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


@pytest.mark.parametrize(
    ("torch_version", "cudnn", "bad"),
    [("2.9.1+cu128", 91002, True), ("2.9.0", 91500, False), ("2.11.0", 91002, False), ("2.9.0", None, False)],
)
def test_the_slow_conv3d_is_known(torch_version, cudnn, bad):
    assert bool(doctor.conv3d_fault(torch_version, cudnn)) == bad
