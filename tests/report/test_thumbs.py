"""The contact sheet of wrong predictions."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from videonet.report.thumbs import Mistake, mistakes

CLASSES = ("move_left", "a $name that is much longer than what fits on the line of a phone")


def test_four_frames_of_a_video_in_order(demo_data: Path) -> None:
    path = next((demo_data / "test" / "move_left").glob("*.mp4"))
    figure = mistakes([Mistake("test/0", str(path), 0, 1, 0.875)], CLASSES)
    frames = [np.asarray(axes.images[0].get_array()) for axes in figure.axes]
    assert [frame.shape for frame in frames] == [(40, 48, 3)] * 4
    assert len({frame.tobytes() for frame in frames}) == 4
    assert figure.texts[0].get_text() == "move_left  →  a $name that…e of a phone  (88 %)"
    assert figure.texts[1].get_text() == "test/0"


@pytest.mark.parametrize(("size", "shown"), [((50, 40), (50, 40)), ((2000, 1000), (334, 167))])
def test_an_image_is_one_frame_and_large_ones_are_thinned(
    tmp_path: Path, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    matplotlib.image.imsave(tmp_path / "tall.png", np.zeros((*size, 3), np.uint8))
    figure = mistakes([Mistake("tall", str(tmp_path / "tall.png"), 0, 1, 0.5)], CLASSES)
    assert [axes.images[0].get_size() for axes in figure.axes] == [shown]


def test_an_unreadable_video_says_why(tmp_path: Path) -> None:
    figure = mistakes([Mistake("lost", str(tmp_path / "lost.mp4"), 1, 0, 0.5)], CLASSES)
    assert not figure.axes
    assert figure.texts[2].get_text().startswith("not readable now: ")
