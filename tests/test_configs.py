import json
from pathlib import Path

import pytest

from videonet.build import KNOWN_NAMES, build_model, build_preprocessing
from videonet.cli import main
from videonet.config import load_config

ROOT = Path(__file__).parents[1]
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))


def test_there_are_configs():
    assert len(CONFIGS) >= 4


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_builds_its_network_and_says_how_to_run_it(path):
    config = load_config(path, known=KNOWN_NAMES).config
    assert f"--cfg {path.relative_to(ROOT)}" in path.read_text()
    assert sum(p.numel() for p in build_model(config.model, 10).parameters()) > 0
    assert build_preprocessing(config).frames == config.clip.frames


def test_real_clips_train_and_test(real_data, tmp_path):
    """A short, small run of a config as it stands: its lists, labels and paths fit the real clips."""
    folder = real_data / "weizmann_dir8"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    words = ["train.epochs=1", "model.blocks=[1,1,1,1]", "clip.crop=32", "clip.short_side=32", "data.workers=0"]
    places = [f"data.{key}={folder / name}" for key, name in
              (("train", "train.txt"), ("test", "val.txt"), ("classes", "classes.txt"))]  # fmt: skip
    config = str(ROOT / "configs" / "weizmann" / "dir8.yaml")
    assert main(["train", "--quiet", "--cfg", config, *words, *places, f"output_dir={tmp_path}"]) == 0
    checkpoint = str(tmp_path / "checkpoints" / "last.pt")
    assert main(["test", "--quiet", "--checkpoint", checkpoint, "test.clips=1", "test.crops=1"]) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    assert (results["n_listed"], results["n_decoded"]) == (16, 16)
    assert [row["n"] for row in results["per_class"]] == [2] * 8
