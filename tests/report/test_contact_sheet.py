"""The contact sheet, and the command that makes it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from videonet.cli import main
from videonet.report.contact_sheet import Strip, around_grey, contact_sheet
from videonet.report.figures import to_png


def frames(count: int, height: int = 8, width: int = 8) -> np.ndarray:
    return np.full((count, height, width, 3), 5, np.uint8) * np.arange(count, dtype=np.uint8)[:, None, None, None]


def test_a_row_a_clip_with_its_frames_in_order() -> None:
    figure = contact_sheet(
        [Strip("a/1.mp4", "jump", "0.00 to 1.00 s", frames(4)), Strip("b.mp4", "", "0.50 s", frames(3))], "title"
    )
    drawn = [np.asarray(axes.images[0].get_array()) for axes in figure.axes]
    assert [int(image.max()) for image in drawn] == [0, 5, 10, 15, 0, 5, 10]
    texts = [text.get_text() for text in figure.texts if text.get_text()]
    assert texts == ["title", "jump", "0.00 to 1.00 s", "a/1.mp4", "b.mp4", "0.50 s"]
    boxes = [axes.get_position() for axes in figure.axes]
    assert [box.x0 for box in boxes[:4]] == sorted({box.x0 for box in boxes})
    assert boxes[3].y0 > boxes[4].y1
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)


def test_long_clips_are_thinned_to_sixteen_from_end_to_end() -> None:
    figure = contact_sheet([Strip("a", "", "", frames(48))])
    levels = [int(np.asarray(axes.images[0].get_array()).max()) // 5 for axes in figure.axes]
    assert len(levels) == 16
    assert (levels[0], levels[-1]) == (0, 47)
    assert np.diff(levels).min() >= 3


def test_a_video_that_gave_no_frames_says_why() -> None:
    figure = contact_sheet([Strip("lost.mp4", "jump", "not readable: gone", None)])
    assert not figure.axes
    assert figure.texts[-1].get_text() == "lost.mp4: not readable: gone"
    assert to_png(figure).startswith(b"\x89PNG")


def test_differences_are_drawn_around_grey() -> None:
    values = np.zeros((2, 10, 10, 3))
    values[1, :5] = -2.0
    values[1, 5:] = 1.0
    drawn = around_grey(values)
    assert [int(drawn[0].max()), int(drawn[1, 0, 0, 0]), int(drawn[1, 9, 0, 0])] == [128, 0, 191]
    assert abs(around_grey(values * 0.01).astype(int) - 128).max() < 12  # noise stays faint


def test_frames_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match=r"frames are float64 \(4, 8, 8, 3\); they must be uint8"):
        Strip("a", "", "", np.zeros((4, 8, 8, 3)))


SMALL = ["clip.frames=4", "clip.crop=32", "clip.short_side=32", "augment.flip=0"]


def test_show_clips_draws_a_folder_of_class_folders(
    demo_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "clips.png"
    assert main(["show-clips", "--quiet", str(demo_data / "train"), "--count", "3", "--out", str(out), *SMALL]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    with Image.open(out) as image:
        assert image.height > 3 * 200


def test_show_clips_draws_every_view_of_the_test(demo_data: Path, tmp_path: Path) -> None:
    heights = []
    for crops in (1, 3):
        out = tmp_path / f"{crops}.png"
        settings = [f"data.train={demo_data / 'train'}", f"data.test={demo_data / 'test'}", *SMALL]
        views = ["test.clips=2", f"test.crops={crops}", "clip.input=difference"]
        assert main(["show-clips", "--quiet", "--test", "--out", str(out), *settings, *views]) == 0
        with Image.open(out) as image:
            heights.append(image.height)
    assert heights[1] > 2.5 * heights[0]


def test_show_clips_of_nothing_readable_is_the_users_error(tmp_path: Path) -> None:
    assert main(["show-clips", "--quiet", str(tmp_path / "no.mp4"), "--out", str(tmp_path / "a.png"), *SMALL]) == 2
    assert (tmp_path / "a.png").exists()
