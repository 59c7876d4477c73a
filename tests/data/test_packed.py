"""Images packed into idx files and CIFAR batches."""

import gzip
import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest

from videonet.data.lists import ListError
from videonet.data.sources import SOURCES
from videonet.decode import Limits, OpenError, TooLarge, Undecodable, open_video, packed
from videonet.decode.packed import PackedReader, is_packed


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.astype(np.uint8).tobytes()


@pytest.fixture
def gray():
    return np.random.default_rng(0).integers(0, 256, (5, 6, 7), np.uint8)


def write_idx(folder, gray, suffix=""):
    pack = gzip.compress if suffix else bytes
    (folder / f"train-labels-idx1-ubyte{suffix}").write_bytes(pack(idx(np.array([0, 1, 2, 1, 0]))))
    path = folder / f"train-images-idx3-ubyte{suffix}"
    path.write_bytes(pack(idx(gray)))
    return path


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_an_image_of_an_idx_file_is_a_video_of_one_frame(tmp_path, gray, suffix):
    listing = SOURCES["idx"].read(write_idx(tmp_path, gray, suffix), None, None)
    assert [item.label for item in listing.items] == [0, 1, 2, 1, 0]
    item = listing.items[3]
    assert item.id == f"train-images-idx3-ubyte{suffix}#3"
    assert is_packed(item.path)
    with open_video(item.path) as video:
        assert (video.info.width, video.info.height, video.info.frames) == (7, 6, 1)
        clip = video.at_index([0, 0])
        assert clip.frames.shape == (2, 6, 7, 3)
        assert (clip.frames.numpy() == gray[3][None, ..., None]).all()
        assert video.at([0.0], lambda frame: frame[:2]).frames.shape == (1, 2, 7, 3)
        assert [(seconds, frame.shape) for seconds, frame in video.stream()] == [(0.0, (6, 7, 3))]


def cifar(folder, coarse):
    """Two batches of CIFAR-10, or one of CIFAR-100 with a coarse label before the fine one."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (6, 3, 32, 32), np.uint8)
    fine = np.array([2, 0, 1, 1, 0, 2], np.uint8)
    labels = np.stack([fine + 7, fine], axis=1) if coarse else fine[:, None]
    rows = np.concatenate([labels, pixels.reshape(6, -1)], axis=1)
    if coarse:
        (folder / "train.bin").write_bytes(rows.tobytes())
    else:
        (folder / "data_batch_1.bin").write_bytes(rows[:4].tobytes())
        (folder / "data_batch_2.bin").write_bytes(rows[4:].tobytes())
    (folder / ("fine_label_names.txt" if coarse else "batches.meta.txt")).write_text("ant\nbee\ncat\n\n")
    return pixels, fine


@pytest.mark.parametrize("source", ["cifar10", "cifar100"])
def test_cifar_batches(tmp_path, source):
    pixels, labels = cifar(tmp_path, source == "cifar100")
    listing = SOURCES[source].read(Path(f"{tmp_path}#train"), None, None)
    assert listing.class_names == ("ant", "bee", "cat")
    assert [item.label for item in listing.items] == labels.tolist()
    for item, image in zip(listing.items, pixels, strict=True):
        file, _, index = item.path.rpartition("#")
        with PackedReader(file, int(index), Limits()) as video:
            assert (video.at_index([0]).frames[0].numpy() == image.transpose(1, 2, 0)).all()
    with pytest.raises(ListError, match="holds no test"):
        SOURCES[source].read(Path(f"{tmp_path}#test"), None, None)


def test_a_python_batch_is_opened_only_as_published(tmp_path, monkeypatch):
    pixels = np.random.default_rng(2).integers(0, 256, (3, 3072), np.uint8)
    data = pickle.dumps({"data": pixels, "labels": [1, 0, 1]})
    (tmp_path / "test_batch").write_bytes(data)
    path = Path(f"{tmp_path}#test")
    with pytest.raises(ListError, match="not the published file"):
        SOURCES["cifar10"].read(path, None, ["a", "b"])
    monkeypatch.setitem(packed.PUBLISHED_MD5, "test_batch", hashlib.md5(data, usedforsecurity=False).hexdigest())
    listing = SOURCES["cifar10"].read(path, None, ["a", "b"])
    assert [item.label for item in listing.items] == [1, 0, 1]
    with PackedReader(str(tmp_path / "test_batch"), 2, Limits()) as video:
        assert (video.at_index([0]).frames[0].numpy() == pixels[2].reshape(3, 32, 32).transpose(1, 2, 0)).all()


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("change", "error", "problem"),
    [
        (lambda data: data[:-1], Undecodable, "promises 210 bytes, and 209 are there"),
        (lambda data: data + b"x", Undecodable, "promises 210 bytes, and more are there"),
        (lambda data: data[:10], Undecodable, "not an idx file"),
        (lambda data: b"x" + data, Undecodable, "not an idx file"),
        (lambda data: data[:4] + b"\x00\x00\x00\x05\x7f\xff\xff\xff" + data[12:], TooLarge, "max_side"),
        (lambda data: data[:4] + b"\x7f\xff\xff\xff" + data[8:], TooLarge, "max_frames"),
        (
            lambda data: data[:4] + b"\x00\x10\x00\x00\x00\x00\x40\x00\x00\x00\x10\x00" + data[16:],
            TooLarge,
            "1 to 4294",
        ),
        (lambda data: data[:4] + bytes(4) + data[8:], TooLarge, "not 1 to"),
    ],
)
def test_a_header_that_lies(tmp_path, gray, suffix, change, error, problem):
    path = tmp_path / f"t10k-images-idx3-ubyte{suffix}"
    path.write_bytes((gzip.compress if suffix else bytes)(change(idx(gray))))
    with pytest.raises(error, match=problem):
        PackedReader(str(path), 0, Limits())


def test_broken_packages(tmp_path, gray):
    path = write_idx(tmp_path, gray, ".gz")
    with pytest.raises(OpenError, match="holds 5 images"):
        PackedReader(str(path), 5, Limits())
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(OpenError, match="cannot be read"):
        PackedReader(str(path), 0, Limits())
    (tmp_path / "test_batch.bin").write_bytes(bytes(3074))
    with pytest.raises(Undecodable, match="3074 bytes are not rows of 3073"):
        PackedReader(str(tmp_path / "test_batch.bin"), 0, Limits())


def test_what_is_packed(tmp_path, gray):
    path = write_idx(tmp_path, gray)
    assert is_packed(f"{path}#0")
    assert not is_packed(str(path))
    assert not is_packed(f"{path}#-1")
    assert not is_packed(f"{tmp_path / 'clip.mp4'}#1")
    assert not is_packed(f"{tmp_path / 'test_batch.bin'}#1")  # absent


def test_labels_must_be_as_many_as_images(tmp_path, gray):
    path = write_idx(tmp_path, gray[:4])
    with pytest.raises(ListError, match="5 labels for 4 images"):
        SOURCES["idx"].read(path, None, None)
