"""Test videos, each encoded once a session, and the folder of real odd files where it is present."""

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
def odd_videos(real_data: Path) -> Path:
    """The folder of real odd files with its manifest.csv."""
    folder = real_data / "odd_videos"
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"no odd videos at {folder}")
    return folder
