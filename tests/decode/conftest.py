"""Test videos, each encoded once a session, and the folder of real odd files where it is present."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.decode.make import Recipe, encode

Videos = Callable[[Recipe], Path]


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Videos:
    """videos(recipe) -> path of the encoded video; the same recipe is encoded once."""
    folder = tmp_path_factory.mktemp("videos")
    made: dict[str, Path] = {}

    def video(recipe: Recipe) -> Path:
        name = repr(recipe)
        if name not in made:
            made[name] = encode(recipe, folder / f"{len(made)}{recipe.suffix}")
        return made[name]

    return video


@pytest.fixture(scope="session")
def odd_videos() -> Path:
    """The folder of real odd files with its manifest.csv: VIDEONET_TEST_DATA names its parent."""
    default = Path(__file__).parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("VIDEONET_TEST_DATA", default)) / "odd_videos"
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"no odd videos at {folder}; set VIDEONET_TEST_DATA to the folder that holds them")
    return folder
