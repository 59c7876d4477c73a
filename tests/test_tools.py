import json
import runpy
import sys
from pathlib import Path

import pytest

from tests.engine.fresh import write_checkpoint

TOOLS = Path(__file__).parents[1] / "tools"


@pytest.mark.parametrize("name", ["train_net", "test_net", "extract_features", "predict", "model_info"])
def test_a_tool_is_its_sub_command(name, monkeypatch, capsys):
    command = {"train_net": "train", "test_net": "test", "extract_features": "extract", "model_info": "info"}
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(TOOLS / f"{name}.py"), run_name="__main__")
    assert stopped.value.code == 0
    assert f"videonet {command.get(name, name)}" in capsys.readouterr().out


def test_images_are_videos_of_one_frame(tmp_path, monkeypatch):
    """Folders of pictures train and test the paper's CIFAR network through the same commands."""
    from PIL import Image

    for name, colour in (("dark", 40), ("light", 200)):
        for index in range(6):
            path = tmp_path / "images" / name / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (32, 32), (colour + index,) * 3).save(path)
    words = ["model.name=iresnet164_cifar", "model.blocks=[1,1,1]", "clip.frames=1", "clip.crop=32",
             "clip.short_side=32", f"data.train={tmp_path / 'images'}", "data.workers=0", "train.batch_size=5",
             "train.epochs=8", "optim.lr=0.02", "device=cpu", f"output_dir={tmp_path / 'run'}"]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["train_net", "--quiet", *words])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(TOOLS / "train_net.py"), run_name="__main__")
    assert stopped.value.code == 0
    checkpoint = str(tmp_path / "run" / "checkpoints" / "last.pt")
    monkeypatch.setattr(sys, "argv", ["test_net", "--quiet", "--checkpoint", checkpoint, "test.clips=1"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(TOOLS / "test_net.py"), run_name="__main__")
    assert stopped.value.code == 0
    results = (tmp_path / "run" / "results.json").read_text()
    assert '"top1": 1.0' in results


def test_bench_infer_compares_ways_on_real_decoding(demo_data, tmp_path, monkeypatch, capsys):
    checkpoint = write_checkpoint(tmp_path / "fresh.pt")
    words = ["--videos", str(demo_data / "test"), "--checkpoint", str(checkpoint), "--clips", "3", "--calibrate", "2",
             "--threads", "1", "--repeats", "2", "--ways", "eager", "folded", "bf16 weights", "--markdown"]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["bench_infer", *words])
    runpy.run_path(str(TOOLS / "bench_infer.py"), run_name="__main__")
    said, _, table = capsys.readouterr().out.partition("| way ")
    rows = {row["way"]: row for row in map(json.loads, said.splitlines())}
    assert "| folded |" in table
    assert rows["eager"]["to_eager"] == 1
    assert rows["eager"]["largest_difference"] == 0 < rows["folded"]["largest_difference"] < 1e-5
    assert rows["folded"]["largest_difference"] < rows["bf16 weights"]["largest_difference"] < 0.1
    assert rows["folded"]["same_top"] == rows["folded"]["clips"] == 3
