import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as F

from videonet.data import transforms
from videonet.data.transforms import Box, Spatial


def frame(height, width):
    """Each pixel tells its place: channel 0 its row, channel 1 its column."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([rows, columns, torch.full_like(rows, 7)], dim=2).to(torch.uint8)


def test_cut_and_flip_are_exact():
    out = Spatial(Box(10, 20, 4, 6), (4, 6), flip=True)(frame(40, 60))
    assert out.shape == (4, 6, 3)
    assert out[:, :, 0].tolist() == [[row] * 6 for row in range(10, 14)]
    assert out[0, :, 1].tolist() == [25, 24, 23, 22, 21, 20]


def test_one_draw_is_cut_before_it_is_resized():
    out = Spatial(Box(0, 32, 64, 64), (32, 32))(frame(64, 128))
    assert out.shape == (32, 32, 3)
    assert out.dtype == torch.uint8
    assert out[:, :, 1].min() >= 32
    assert out[:, :, 1].max() <= 96


@pytest.mark.parametrize("source", [(240, 320), (320, 240), (37, 200), (16, 16)])
def test_random_geometry_stays_inside_the_frame(source):
    rng = np.random.default_rng(0)
    image = frame(*source)
    for _ in range(30):
        for spatial in (
            transforms.resized_crop(source, 32, (0.1, 1.0), (0.75, 4 / 3), False, rng),
            transforms.jittered_crop(source, 32, (36, 48), True, rng),
            transforms.scaled_letterbox(source, 32, (0.3, 1.0), False, rng),
        ):
            box = spatial.box
            assert 0 <= box.top <= box.top + box.height <= source[0]
            assert 0 <= box.left <= box.left + box.width <= source[1]
            assert spatial(image).shape == (32, 32, 3)


def test_resized_crop_keeps_to_its_area():
    rng = np.random.default_rng(1)
    boxes = [transforms.resized_crop((200, 200), 32, (0.25, 0.5), (1.0, 1.0), False, rng).box for _ in range(200)]
    shares = [box.height * box.width / 40000 for box in boxes]
    assert 0.24 < min(shares) < 0.27
    assert 0.48 < max(shares) < 0.52


def test_letterbox_shows_the_whole_frame_once():
    out = transforms.centred_letterbox((30, 60), 20)(torch.full((30, 60, 3), 200, dtype=torch.uint8))
    assert out.shape == (20, 20, 3)
    assert (out[5:15] == 200).all()
    assert (out[:5] == 0).all()
    assert (out[15:] == 0).all()


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(
    ("source", "box", "size"),
    [
        ((64, 86), Box(3, 5, 40, 52), (32, 32)),
        ((64, 86), Box(0, 0, 64, 86), (72, 97)),
        ((97, 31), Box(10, 0, 80, 31), (24, 9)),
        ((64, 86), Box(3, 5, 32, 32), (32, 32)),
        ((64, 86), Box(63, 85, 1, 1), (8, 8)),
    ],
)
def test_pixels_are_those_of_torchvision(source: tuple[int, int], box: Box, size: tuple[int, int], flip: bool) -> None:
    image = torch.randint(0, 256, (*source, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    cut = F.crop(image.permute(2, 0, 1), box.top, box.left, box.height, box.width)
    expected = F.resize(cut, list(size), antialias=True)
    expected = (F.horizontal_flip(expected) if flip else expected).permute(1, 2, 0)
    found = Spatial(box, size, flip)(image)
    assert found.dtype == torch.uint8
    assert (found.int() - expected.int()).abs().max() <= 1


def test_the_source_frame_is_left_as_it_was() -> None:
    image = frame(40, 60)
    Spatial(Box(0, 0, 40, 60), (40, 60), flip=True, canvas=(60, 60), offset=(10, 0))(image)
    Spatial(Box(1, 2, 30, 30), (16, 16))(image)
    assert torch.equal(image, frame(40, 60))


@pytest.mark.parametrize(
    ("size", "crops", "expected"),
    [
        # PySlowFast's uniform_crop: ceil((length - size) / 2) in the middle, 0 and length - size at the ends
        ((257, 257), 3, [(113, 0), (113, 113), (113, 225)]),
        ((32, 43), 3, [(0, 0), (0, 6), (0, 11)]),
        ((45, 32), 3, [(0, 0), (7, 0), (13, 0)]),
        ((33, 43), 1, [(1, 6)]),
        ((32, 48), 1, [(0, 8)]),
        ((32, 48), 3, [(0, 0), (0, 8), (0, 16)]),
        ((48, 32), 3, [(0, 0), (8, 0), (16, 0)]),
        ((40, 40), 1, [(4, 4)]),
    ],
)
def test_uniform_crops(size, crops, expected):
    assert [(box.top, box.left) for box in transforms.uniform_crops(size, 32, crops)] == expected


def test_a_crop_larger_than_the_frame_is_an_error():
    with pytest.raises(ValueError, match="a crop of 64 does not fit a frame of 32x80"):
        transforms.uniform_crops((32, 80), 64, 1)


@pytest.mark.parametrize(("source", "size"), [((144, 180), (72, 90)), ((180, 144), (90, 72)), ((100, 333), (72, 240))])
def test_short_side_resize(source, size):
    assert transforms.short_side_resize(source, 72).size == size


def test_a_padded_crop_is_a_cut_of_the_frame_in_a_black_border():
    frame = torch.from_numpy(np.random.default_rng(0).integers(1, 256, (32, 32, 3), dtype=np.uint8))
    border = F.pad(frame.permute(2, 0, 1), [4, 4, 4, 4]).permute(1, 2, 0)
    places = {(top, left): border[top : top + 32, left : left + 32] for top in range(9) for left in range(9)}
    found = set()
    rng = np.random.default_rng(1)
    for _ in range(400):
        cut = transforms.padded_crop((32, 32), 32, 4, False, rng)(frame)
        (place,) = [place for place, expected in places.items() if torch.equal(cut, expected)]
        found.add(place)
    assert len(found) > 70
