import json
from pathlib import Path

import numpy as np
import pytest
import torch

from videonet.build import (
    KNOWN_NAMES,
    build_model,
    build_preprocessing,
    build_rate,
    build_schedule,
    build_step,
    build_train_views,
)
from videonet.cli import main
from videonet.config import load_config
from videonet.data.lists import Listing, VideoItem
from videonet.data.loader import Batch
from videonet.engine.dist import Ranks

ROOT = Path(__file__).parents[1]
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))


def test_there_are_configs():
    assert len(CONFIGS) >= 60


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_builds_its_network_and_says_how_to_run_it(path):
    config = load_config(path, known=KNOWN_NAMES).config
    assert f"--cfg {path.relative_to(ROOT)}" in path.read_text()
    assert sum(p.numel() for p in build_model(config.model, 10).parameters()) > 0
    assert build_preprocessing(config).frames == config.clip.frames


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_config_makes_a_step(path):
    """One block a stage, few pixels; all else as the file says."""
    stages = 3 if "cifar" in path.parent.name else 4
    size = 32 if stages == 3 else 64
    words = [
        f"model.blocks={[1] * stages}",
        f"clip.crop={size}",
        f"clip.short_side={size}",
        "device=cpu",
    ]
    config = load_config(path, words, KNOWN_NAMES).config
    frames = config.clip.frames
    listing = Listing([VideoItem(str(label), f"{label}.mp4", label) for label in range(3)], ("a", "b", "c"))
    ranks = Ranks(0, 1, torch.device("cpu"))
    step = build_step(config, build_preprocessing(config), listing, ranks, resumes=True)
    views = build_train_views(config, step.preprocessing, listing.class_names)
    plan = views.plan(50, (72, 96), np.random.default_rng(0))
    assert plan.ticks.shape == (config.train.clips_per_video, frames)
    pixels = torch.randint(0, 256, (2, 1, 3, frames, size, size), dtype=torch.uint8)
    batch = Batch(pixels, torch.tensor([0, 2]), torch.tensor([0, 1]), np.zeros((2, 1, 2)), ())
    before = [parameter.detach().clone() for parameter in step.model.parameters()]
    rate = build_rate(config) * build_schedule(config.optim, config.train.epochs)(config.train.epochs * 0.25)
    with step.ready():
        step.train()
        loss = step(batch, rate)[0]
    assert torch.isfinite(loss)
    assert rate > 0
    moved = [not torch.equal(old, new) for old, new in zip(before, step.model.parameters(), strict=True)]
    assert sum(moved) > 0.9 * len(moved)


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
