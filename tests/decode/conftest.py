"""Test videos, each encoded once a session, and the folder of real odd files where it is present."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.decode.cases import CASES
from tests.decode.conformance import Truth, truth_or_error
from tests.decode.make import Recipe, encode
from videonet.decode import VideoError

Videos = Callable[[Recipe], Path]
Known = Callable[[str], tuple[Path, Truth | VideoError]]


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
def known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    """known(name) -> the file of a case of `cases.py` and what the default backend gives of it, made once."""

    @functools.cache
    def case(name: str) -> tuple[Path, Truth | VideoError]:
        path = CASES[name].make(tmp_path_factory.mktemp("case"))
        return path, truth_or_error(path)

    return case


@pytest.fixture(scope="session")
def odd_videos(real_data: Path) -> Path:
    """The folder of real odd files with its manifest.csv."""
    folder = real_data / "odd_videos"
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"no odd videos at {folder}")
    return folder
