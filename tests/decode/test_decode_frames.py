"""Folders of frames and single images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.decode.make import barcode_frame, read_number
from videonet.data.audit import find_missing
from videonet.data.lists import VideoItem
from videonet.data.sources import SOURCES
from videonet.decode import Limits, OpenError, TooLarge, Undecodable, open_video


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Frames 1 to 12 without number 5, named so that text order is wrong."""
    for number in [*range(1, 5), *range(6, 13)]:
        Image.fromarray(barcode_frame(number)).save(tmp_path / f"img_{number}.png")
    (tmp_path / "notes.txt").write_text("not a frame")
    return tmp_path


def test_a_folder_is_a_video_in_natural_order(folder: Path) -> None:
    with open_video(folder, frames_fps=10) as video:
        info = video.info
        assert (info.frames, info.fps, info.duration_seconds, info.width) == (11, 10, 1.1, 224)
        assert [read_number(frame.numpy()) for _, frame in video.stream()] == [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12]
        clip = video.at_index([10, 4, 4, 30])
        assert [read_number(frame) for frame in clip.frames.numpy()] == [12, 6, 6, 12]
        assert (clip.clamped, clip.pts_seconds.tolist()) == (1, [1.0, 0.4, 0.4, 1.0])
        assert read_number(video.at([0.55]).frames[0].numpy()) == 7


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".jpg", ".webp"])
def test_one_image_is_a_video_of_one_frame(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"image{suffix}"
    Image.fromarray(barcode_frame(9)).save(path)
    with open_video(path) as video:
        assert video.info.frames == 1
        clip = video.at_index([0, 0])
    assert torch.equal(
        clip.frames, torch.from_numpy(np.array(Image.open(path).convert("RGB")))[None].expand(2, -1, -1, -1)
    )


def test_an_image_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to see it upright
    Image.fromarray(barcode_frame(3)).save(tmp_path / "turned.png", exif=exif)
    with open_video(tmp_path / "turned.png") as video:
        assert (video.info.width, video.info.height) == (96, 224)
        assert np.array_equal(video.at_index([0]).frames[0].numpy(), np.rot90(barcode_frame(3), -1))


def test_a_broken_frame_is_its_neighbour(folder: Path) -> None:
    (folder / "img_7.png").write_bytes(b"broken")
    whole = (folder / "img_8.png").read_bytes()
    (folder / "img_8.png").write_bytes(whole[: len(whole) // 2])
    with open_video(folder) as video:
        clip = video.at_index([4, 5, 6, 7])
    assert [read_number(frame) for frame in clip.frames.numpy()] == [6, 6, 6, 9]
    assert clip.substituted == 2


def test_every_frame_comes_in_the_first_ones_size(folder: Path) -> None:
    Image.fromarray(barcode_frame(12, 192, 448)).save(folder / "img_12.png")
    with open_video(folder) as video:
        assert video.at_index([10]).frames.shape == (1, 96, 224, 3)


def test_bad_images_and_folders_are_named_errors(tmp_path: Path) -> None:
    with pytest.raises(OpenError, match="without images"):
        open_video(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(Undecodable, match="not one image"):
        open_video(tmp_path / "a.png")
    Image.fromarray(barcode_frame(0)).save(tmp_path / "large.png")
    with pytest.raises(TooLarge, match=r"large\.png: frames are 224x96"):
        open_video(tmp_path / "large.png", limits=Limits(max_side=100))
    with pytest.raises(ValueError, match="frames_fps=0"):
        open_video(tmp_path / "large.png", frames_fps=0)


def test_a_part_of_a_folder_is_its_frames_of_these_numbers(folder: Path) -> None:
    """As MMAction2's lists with an offset mean it: numbers of files, whatever is missing between them."""
    annotations = folder / "list.txt"
    annotations.write_text(f"{folder} 3 4 0\n{folder} 0 3 1\n")
    items = SOURCES["rawframes"].read(annotations, None, None).items
    assert [(item.id, item.label) for item in items] == [(f"{folder}#4-7", 0), (f"{folder}#1-3", 1)]
    assert not find_missing(items).items
    with open_video(items[0].path) as video:
        assert [read_number(frame.numpy()) for _, frame in video.stream()] == [4, 6, 7]
    assert find_missing([VideoItem("", f"{folder}/none#4-7", 0)]).items
    with pytest.raises(OpenError, match="no image here has a number from 90 to 95"):
        open_video(f"{folder}#90-95")
    with pytest.raises(OpenError, match="no such file or directory"):
        open_video(f"{folder}#90")
