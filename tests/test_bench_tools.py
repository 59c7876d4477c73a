"""The measuring tools, on networks small enough to see that they measure what they say."""

import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[1] / "tools"


@pytest.fixture
def run_tool(monkeypatch, capsys):
    def run(name, *words):
        monkeypatch.syspath_prepend(str(TOOLS))
        monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
        runpy.run_path(str(TOOLS / f"{name}.py"), run_name="__main__")
        return capsys.readouterr().out

    return run


def test_the_sweep_names_the_fastest_way_that_is_right(run_tool):
    words = ["--sweep", "--eager", "--model", "resnet18", "--size", 32, "--batches", 2, "--repeats", 1]
    said = run_tool("bench_model", *words, "--device", "cpu")
    found = json.loads(said.splitlines()[-1])
    ways = {(row["mode"], row["way"]) for row in found["rows"]}
    assert len(ways) == len(found["rows"]) == 8  # two modes, float32 and bfloat16, two memory formats
    speeds = [row["clips_per_second"] for row in found["rows"] if row["mode"] == "inference" and row["sound"]]
    assert found["fastest"]["inference"]["clips_per_second"] == max(speeds)
    assert all(row["error"] < 1e-3 for row in found["rows"] if row["way"].startswith("fp32"))
    assert found["peak"] is None
    assert "fastest in training:" in said


def test_a_fast_way_that_is_wrong_is_not_the_fastest(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    from model_sweep import Row, Way, fastest, table

    right = Row("training", Way("fp32", False, False), 2, 10.0, 1e-6)
    wrong = Row("training", Way("bf16", True, True), 2, 99.0, 0.7)
    failed = Row("training", Way("bf16", True, False), 2, None, None, fault="out of memory")
    assert fastest([wrong, right, failed], "training") == right
    assert fastest([wrong, failed], "training") is None
    assert fastest([replace(wrong, error=float("nan"))], "training") is None
    assert table([wrong]).endswith("WRONG")
    assert table([failed]).endswith("out of memory")


@pytest.mark.parametrize("data", ["ready", "videos"])
def test_the_trainer_is_measured_against_a_plain_loop(run_tool, demo_data, data):
    words = ["--data", data, "--videos", demo_data / "train", "--batch", 4, "--size", 32, "--repeats", 2]
    said = run_tool("bench_trainer", *words, "--device", "cpu", "model.width=8", "model.blocks=[1,1,1,1]")
    found = json.loads(said.splitlines()[-1])
    assert found["steps"] == 5
    assert found["ratio"] == pytest.approx(found["ms_a_step"] / found["plain_ms_a_step"], rel=0.9)
    assert found["ms_a_step"] > 0
