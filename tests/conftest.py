"""Data that the tests make themselves, once a session, and the extra real data where it is present."""

import os
from pathlib import Path

import pytest

from videonet.data.synthetic import DemoSpec, make_demo_data


@pytest.fixture(scope="session")
def demo_data(tmp_path_factory):
    """Encoded motion videos, 10 classes: train 2, val 1, test 2 a class."""
    folder = tmp_path_factory.mktemp("demo")
    make_demo_data(folder, DemoSpec(train=2, val=1, test=2, frames=10, size=(48, 40)))
    return folder


@pytest.fixture(scope="session")
def real_data():
    """Real clips, never part of the project: VIDEONET_TEST_DATA names their folder."""
    folder = Path(os.environ.get("VIDEONET_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set VIDEONET_TEST_DATA")
    return folder
