"""`videonet info`: what it prints of networks and of the paper's tables."""

import json

import pytest

from videonet.cli import main
from videonet.models.complexity import count_model


def printed_json(capsys, *words):
    assert main(["info", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_json_has_a_network_an_object(capsys):
    rows = printed_json(capsys, "iresnet18", "resnet3d18", "--num-classes", "7")
    assert [row["name"] for row in rows] == ["iresnet18", "resnet3d18"]
    assert rows[1]["input"] == [1, 3, 16, 224, 224]
    assert set(rows[0]) == {"name", "input", "params", "macs", "activations", "paper_ops"}


def test_input_and_batch_are_those_asked_for(capsys):
    (row,) = printed_json(capsys, "iresnet3d18", "--input", "4x32", "--batch", "3", "--precision", "bf16", "--layers")
    assert row["input"] == [1, 3, 4, 32, 32]
    assert row["macs"] == count_model("iresnet3d18", None, (1, 3, 4, 32, 32)).macs
    assert row["macs"] == sum(layer["macs"] for layer in row["layers"])
    memory = row["training_memory"]
    assert (memory["batch"], memory["precision"]) == (3, "bf16")
    assert memory["total"] == sum(memory[part] for part in ("parameters", "gradients", "momentum", "activations"))


def test_layers_are_one_line_each(capsys):
    assert main(["info", "resnet18", "--layers", "--input", "1x64x48"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["conv1", "Conv2d", "1x64x32x24", "9,408", "7,225,344", "49,152", "7,225,344"] in lines
    assert any(line and line[0] == "layer4.1.bn2" for line in lines)


def test_a_table_stands_beside_ours(capsys):
    assert main(["info", "--table", "IV"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "ResMax resmax50 25.56 25.56 4.18 4.18 = 4.128 22.85 6.42" in lines
    assert not any("DIFFERS" in line for line in lines)


def test_a_misprint_and_a_missing_detector_are_said(capsys):
    assert main(["info", "--table", "II"]) == 0
    assert sum("misprint " in line for line in capsys.readouterr().out.splitlines()) == 6
    assert main(["info", "--table", "VIII"]) == 0
    assert capsys.readouterr().out.count("no detector yet") == 8


def test_a_table_as_json(capsys):
    rows = printed_json(capsys, "--table", "III")
    assert [row["name"] for row in rows] == ["iresnet302", "iresnet404"]
    assert rows[1]["paper"] == {"params_M": "124.5", "GFLOPs": "30.15", "top-1": "20.30", "top-5": "5.26"}
    assert rows[1]["params"] == 124_524_328


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--table", "X"], "--table 'X' is not among the paper's tables of networks: I, II"),
        (["iresnet18", "--table", "II"], "goes with --json only"),
        (["iresnet18", "--precision", "bf16"], "name its --batch too"),
        (["iresnet18", "resnt50"], "did you mean 'resnet50'?"),
    ],
)
def test_wrong_words_are_one_message(words, message, capsys):
    assert main(["info", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("size", ["16", "0x32", "4x32x32x32", "4xa"])
def test_a_size_that_is_none_is_refused(size, capsys):
    with pytest.raises(SystemExit):
        main(["info", "iresnet18", "--input", size])
    assert "argument --input" in capsys.readouterr().err
