"""A network, a few videos of 60 frames, and the command on them."""

import json

import pytest

from tests.decode.make import Recipe, encode
from videonet.cli import main

GROUPS = {"g": "12", "bf": "3"}
RECIPES = {
    "groups": Recipe(".mp4", options=GROUPS),
    "one group": Recipe(".mp4", options={"g": "250", "bf": "3"}),
    "vp9": Recipe(".webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "g": "12"}),
}


@pytest.fixture(scope="session")
def videos(tmp_path_factory):
    """A folder with three videos and a text that calls itself one."""
    folder = tmp_path_factory.mktemp("videos")
    for name, recipe in RECIPES.items():
        encode(recipe, folder / f"{name}{recipe.suffix}")
    (folder / "broken.mp4").write_text("no video")
    return folder


@pytest.fixture(scope="session")
def words(trained, videos):
    """The command up to --out, for sliding windows."""
    return ["extract", "--quiet", "--checkpoint", str(trained / "checkpoints" / "last.pt"), "--videos", str(videos),
            "--hop-frames", "5"]  # fmt: skip


@pytest.fixture
def extract(words, tmp_path):
    """extract("--pool", "none", ...) -> (folder, index)."""

    def run(*more, out="features", code=0):
        assert main([*words, "--out", str(tmp_path / out), *more]) == code
        index = tmp_path / out / "index.json"
        return tmp_path / out, json.loads(index.read_text()) if index.exists() else None

    return run


def contents(folder):
    """File name -> bytes, below the folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
