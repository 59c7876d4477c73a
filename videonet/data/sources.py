"""THE TABLE of data sources: how a row of `data.source` reads its annotations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .formats.folders import read_folder
from .formats.frame_csv import read_frame_csv
from .formats.images import CIFAR10, CIFAR100, read_cifar, read_images
from .formats.kinetics import read_kinetics
from .formats.listing import Listing
from .formats.mirror import mirrored_labels
from .formats.paths import read_list, read_multilabel, read_rawframes
from .formats.splits import read_hmdb51, read_ucf101
from .formats.ssv2 import read_ssv2
from .formats.webdataset import read_webdataset


@dataclass(frozen=True)
class Source:
    """`read(path, root, class_names)` -> Listing. Raises ListError."""

    summary: str
    read: Callable[[Path, str | None, Sequence[str] | None], Listing]


SOURCES: dict[str, Source] = {
    "folder": Source(
        "a folder of class folders: of videos, folders of frames, or images (ImageNet)",
        lambda path, root, names: read_folder(path, names),
    ),
    "list": Source("`path label` or `path,label` a line (PySlowFast, MMAction2 videos)", read_list),
    "multilabel": Source("`path l1 l2 ...` or `path,l1;l2` a line, or a csv of 0 and 1 a class", read_multilabel),
    "kinetics": Source("official csv: label,youtube_id,time_start,time_end,split", read_kinetics),
    "ssv2": Source("official Something-Something-v2 json: id, template", read_ssv2),
    "ucf101": Source("official trainlist0N.txt, testlist0N.txt", read_ucf101),
    "hmdb51": Source("official splits: <folder of <class>_test_split1.txt>#train1 or #test1", read_hmdb51),
    "rawframes": Source("MMAction2 frame lists: `folder [offset] total label` a line", read_rawframes),
    "rawframes_multilabel": Source("the same: `folder total l1 l2 ...` a line", partial(read_rawframes, several=True)),
    "frame_csv": Source("PySlowFast frame lists (Charades): one frame a line", read_frame_csv),
    "webdataset": Source("shards: a tar, shard-{000..009}.tar, a folder of tars, or a .txt of them", read_webdataset),
    "idx": Source(
        "MNIST, Fashion-MNIST: train-images-idx3-ubyte or .gz", lambda path, root, names: read_images(path, names)
    ),
    "cifar10": Source("<folder of batches>#train or #test", lambda path, root, names: read_cifar(path, names, CIFAR10)),
    "cifar100": Source("the same, the 100 fine labels", lambda path, root, names: read_cifar(path, names, CIFAR100)),
}


def may_flip(class_names: Sequence[str]) -> bool:
    """Whether a mirrored video is of a known class, as far as the names tell: its own, or `Listing.flip_labels`."""
    return mirrored_labels(class_names) is not None
