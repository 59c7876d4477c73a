from pathlib import Path

import pytest

from videonet.build import KNOWN_NAMES, build_model, build_preprocessing
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
