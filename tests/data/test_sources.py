"""Flips and class names, and the official annotation files where they are present."""

from pathlib import Path

import pytest

from videonet.data.formats.mirror import mirrored_labels
from videonet.data.lists import ListError, Listing, read_class_names
from videonet.data.sources import SOURCES, may_flip

LISTS = Path(__file__).parents[2] / "data_lists"


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["jump", "leftover cake", "bright light"], {}),
        (["move_left", "jump", "move_right"], {0: 2, 2: 0}),
        (["SwipeLeft", "SwipeRight"], {0: 1, 1: 0}),
        (["from left to right", "From right to left"], {0: 1, 1: 0}),
        (["turning clockwise", "turning counter-clockwise"], {0: 1, 1: 0}),
        (["pulling it right out", "jump"], {}),
        (["move_left", "jump"], None),
        (["turning clockwise"], None),
        (["left to right", "right to left", "raise the left arm"], None),
    ],
)
def test_a_flip_maps_a_label_to_its_mirror(names, labels):
    assert mirrored_labels(names) == labels
    assert may_flip(names) == (labels is not None)
    assert Listing([], tuple(names)).flip_labels == (labels or {})


def test_flips_of_something_something():
    names = read_class_names(LISTS / "something_something_v2.txt")
    assert mirrored_labels(names) == {86: 87, 87: 86, 93: 94, 94: 93, 166: 167, 167: 166}


def test_kinetics_may_be_flipped():
    assert mirrored_labels(read_class_names(LISTS / "kinetics400.txt")) == {}


def test_official_class_names(real_data):
    formats = real_data / "formats"
    kinetics = read_class_names(LISTS / "kinetics400.txt")
    assert kinetics == read_class_names(formats / "k400" / "label_map_k400.txt")
    assert kinetics == read_class_names(formats / "k400" / "kinetics_classnames.json")
    ssv2 = read_class_names(LISTS / "something_something_v2.txt")
    assert ssv2 == read_class_names(formats / "ssv2" / "something-something-v2-labels.json")


@pytest.mark.parametrize(
    ("source", "file", "classes", "videos", "labelled"),
    [
        ("kinetics", "k400/kinetics-400_val.csv", "kinetics400.txt", 19_906, True),
        ("kinetics", "k400/kinetics-400_test.head.csv", "kinetics400.txt", 1_999, False),
        ("ssv2", "ssv2/something-something-v2-validation.first6000.json", "something_something_v2.txt", 6_000, True),
        ("ssv2", "ssv2/something-something-v2-test.first3000.json", "something_something_v2.txt", 3_000, False),
        ("rawframes", "ucf101/val.head.txt", None, 500, True),
    ],
)
def test_official_files(real_data, source, file, classes, videos, labelled):
    names = read_class_names(LISTS / classes) if classes else None
    listing = SOURCES[source].read(real_data / "formats" / file, None, names)
    assert len({item.id for item in listing.items}) == videos
    assert all((item.label >= 0) == labelled for item in listing.items)
    if file.endswith("val.csv"):  # the labels alone give the same classes
        assert SOURCES[source].read(real_data / "formats" / file, None, None).class_names == names


@pytest.mark.parametrize(
    ("source", "file", "labels"),
    [
        ("list", "video_test_list.txt", ()),
        ("multilabel", "video_test_list_multi_label.txt", (0, 3)),
        ("rawframes", "rawframe_test_list.txt", ()),
        ("rawframes", "rawframe_test_list_with_offset.txt", ()),
        ("rawframes_multilabel", "rawframe_test_list_multi_label.txt", (1,)),
    ],
)
def test_mmaction_files(real_data, tmp_path, source, file, labels):
    path = real_data / "formats" / "mmaction2" / "annotations" / file
    with pytest.raises(ListError, match=r"line 2: '.*' stands on line 1 already"):  # both lines are one video
        SOURCES[source].read(path, None, None)
    (tmp_path / file).write_text(path.read_text().splitlines()[0])
    (item,) = SOURCES[source].read(tmp_path / file, None, None).items
    assert item.id in ("test.mp4", "imgs", "imgs#3-7")
    assert item.labels == labels


@pytest.mark.parametrize(
    ("source", "folder", "root", "classes", "files"),
    [
        ("kinetics", "k400_format_real", ".", "annotations/classids.json",
         {"annotations/train.csv": 71, "annotations/val.csv": 25}),
        ("ssv2", "ssv2_format_real", "20bn-something-something-v2", "labels/something-something-v2-labels.json",
         {"labels/something-something-v2-train.json": 50, "labels/something-something-v2-validation.json": 20}),
    ],
)  # fmt: skip
def test_official_layouts(real_data, source, folder, root, classes, files):
    folder = real_data / folder
    names = read_class_names(folder / classes)
    for file, videos in files.items():
        items = SOURCES[source].read(folder / file, str(folder / root), names).items
        assert len(items) == videos
        assert all(Path(item.path).is_file() for item in items)
