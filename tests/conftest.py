"""Data that the tests make themselves, once a session, and the extra real data where it is present."""

import os
from pathlib import Path

import pytest

from videonet.cli import main
from videonet.data.synthetic import DemoSpec, write_demo_videos


@pytest.fixture(scope="session")
def demo_data(tmp_path_factory):
    """Encoded motion videos, 10 classes: train 2, val 1, test 2 a class."""
    folder = tmp_path_factory.mktemp("demo")
    list(write_demo_videos(folder, DemoSpec(train=2, val=1, test=2, frames=10, size=(48, 40))))
    return folder


@pytest.fixture(scope="session")
def real_data():
    """Real clips, never part of the project: VIDEONET_TEST_DATA names their folder."""
    folder = Path(os.environ.get("VIDEONET_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set VIDEONET_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def tiny(demo_data):
    """Settings of a network and clips small enough to train in a second."""
    return [
        "model.width=8", "model.blocks=[1,1,1,1]", "clip.frames=4", "clip.crop=32", "clip.short_side=32",
        f"data.train={demo_data / 'train'}", f"data.val={demo_data / 'val'}", f"data.test={demo_data / 'test'}",
        "data.workers=0", "train.batch_size=8", "train.epochs=2", "train.log_every=1", "optim.lr=0.01",
        "test.clips=2", "test.crops=3", "device=cpu",
    ]  # fmt: skip


@pytest.fixture(scope="session")
def trained(tiny, tmp_path_factory):
    """A finished run: its folder holds checkpoints, log, results and report."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    assert main(["train", "--quiet", *tiny, f"output_dir={folder}"]) == 0
    assert main(["test", "--quiet", "--checkpoint", str(folder / "checkpoints" / "last.pt")]) == 0
    return folder
