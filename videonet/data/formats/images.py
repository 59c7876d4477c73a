"""Packed image sets: idx files with their labels, CIFAR-10 and CIFAR-100. A video is one image, `file#index`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from videonet.decode.packed import read_idx, read_pack, read_python_batch
from videonet.decode.reader import VideoError

from .listing import Listing, Reading
from .names import read_class_names
from .text import ListError

_PART = re.compile(r"(?P<folder>.+)#(?P<part>train|test)")


def read_images(path: str | Path, class_names: Sequence[str] | None = None) -> Listing:
    """An idx file of images, `train-images-idx3-ubyte` or the same with `.gz`; its labels lie beside it."""
    file = Path(path)
    labels_name = file.name.replace("images", "labels").replace("idx3", "idx1")
    if labels_name == file.name or "idx3-ubyte" not in file.name:
        raise ListError(f"{file}: the idx source needs a file such as train-images-idx3-ubyte or ...-ubyte.gz")
    labels_file = file.with_name(labels_name)
    try:
        count = len(read_pack(str(file)).images)
        labels = read_idx(str(labels_file), 1)
    except VideoError as error:
        raise ListError(str(error)) from None
    if len(labels) != count:
        raise ListError(f"{labels_file} holds {len(labels)} labels for {count} images")
    return _listing(file, [(file, labels.tolist())], class_names)


@dataclass(frozen=True)
class CifarFiles:
    """Names of the batches, of the binary version and of the Python version, and where the class names stand."""

    train: tuple[str, str]
    test: tuple[str, str]
    names: str
    python_names: tuple[str, str]


CIFAR10 = CifarFiles(
    ("data_batch_[0-9].bin", "data_batch_[0-9]"),
    ("test_batch.bin", "test_batch"),
    "batches.meta.txt",
    ("batches.meta", "label_names"),
)
CIFAR100 = CifarFiles(
    ("train.bin", "train"), ("test.bin", "test"), "fine_label_names.txt", ("meta", "fine_label_names")
)


def read_cifar(path: str | Path, class_names: Sequence[str] | None, names: CifarFiles) -> Listing:
    """`<folder>#train` or `<folder>#test`: the batches of cifar-10-batches-bin or cifar-100-binary, or of the Python
    versions, which must be the published files. Without `class_names`: those that lie beside the batches.
    """
    match = _PART.fullmatch(os.fspath(path))
    if match is None:
        raise ListError(f"{path}: say which part, as in <folder of the batches>#train or ...#test")
    folder = Path(match["folder"])
    patterns = names.train if match["part"] == "train" else names.test
    files = next((found for pattern in patterns if (found := sorted(folder.glob(pattern)))), [])
    if not files:
        raise ListError(f"{folder} holds no {' or '.join(patterns)}; it must be the unpacked archive of the data set")
    try:
        packs = [(file, read_pack(str(file))) for file in files]
        given = _names_beside(folder, names) if class_names is None else class_names
    except VideoError as error:
        raise ListError(str(error)) from None
    return _listing(folder, [(file, pack.labels.tolist()) for file, pack in packs], given)


def _names_beside(folder: Path, names: CifarFiles) -> Sequence[str] | None:
    if (folder / names.names).is_file():
        return read_class_names(folder / names.names)
    file, key = names.python_names
    return tuple(read_python_batch(str(folder / file))[key]) if (folder / file).is_file() else None


def _listing(path: Path, parts: Sequence[tuple[Path, list[int]]], class_names: Sequence[str] | None) -> Listing:
    reading = Reading(path, class_names, "entry")
    number = 0
    for file, labels in parts:
        for index, label in enumerate(labels):
            number += 1
            reading.add(number, f"{file.name}#{index}", f"{file}#{index}", (str(label),))
    return reading.listing()
