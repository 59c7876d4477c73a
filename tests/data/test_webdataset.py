"""webdataset's shards as a data source, and a tar named by hand."""

import io
import json
import tarfile

import pytest

from videonet.data.audit import find_missing
from videonet.data.ledger import stamp
from videonet.data.lists import ListError, named_videos
from videonet.data.sources import SOURCES


def write_shard(path, **members):
    """Members in order; `__` in a name is the dot before its suffix."""
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name.replace("__", "."))
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def shards(tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    write_shard(folder / "s-08.tar", a__mp4=b"A", a__cls=b"1\n", b__cls=b"0", b__mp4=b"BB")
    write_shard(folder / "s-09.tar", a__json=b'{"label": 1}', a__webm=b"C", a__txt=b"caption")
    write_shard(folder / "s-10.tar", d__jpg=b"D", d__cls=b"0")
    return folder


def test_shards_are_named_in_four_ways(shards, tmp_path):
    (tmp_path / "shards.txt").write_text("# two lines\ns-{08..09}.tar\ns-10.tar\n")
    expected = [
        ("s-08/a", f"{shards}/s-08.tar#a.mp4", 1),
        ("s-08/b", f"{shards}/s-08.tar#b.mp4", 0),
        ("s-09/a", f"{shards}/s-09.tar#a.webm", 1),
        ("s-10/d", f"{shards}/s-10.tar#d.jpg", 0),
    ]
    read = SOURCES["webdataset"].read
    for path, root in ((shards, None), (shards / "s-{08..10}.tar", None), (tmp_path / "shards.txt", str(shards))):
        listing = read(path, root, None)
        assert [(item.id, item.path, item.label) for item in listing.items] == expected
        assert listing.class_names == ("0", "1")
    assert [item.id for item in read(shards / "s-09.tar", None, ["no", "yes"]).items] == ["s-09/a"]


def test_labels_may_be_class_names_or_absent(tmp_path):
    members = {"x/a__mp4": b"", "x/a__json": json.dumps({"id": 3, "class_name": "side kick"}).encode()}
    shard = write_shard(tmp_path / "a.tar", **members, **{"x/b__mp4": b"", "x/b__cls": b"hugging"})
    listing = SOURCES["webdataset"].read(shard, None, None)
    assert [(item.id, item.label) for item in listing.items] == [("a/x/a", 1), ("a/x/b", 0)]
    assert listing.class_names == ("hugging", "side kick")
    bare = write_shard(tmp_path / "b.tar", a__mp4=b"", a__json=b'{"fps": 3}')
    assert [item.label for item in SOURCES["webdataset"].read(bare, None, None).items] == [-1]


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"a__cls": b"0"}, "entry 1: .*'a' has a label and no video"),
        ({"a__mp4": b"", "a__cls": b"0", "b__mp4": b""}, "'a/b' has no label, while others have one"),
        ({"a__mp4": b"", "a__cls": b"9" * 70_000}, "longer than 65536 bytes"),
        ({"a__mp4": b"", "a__cls": b"\xff\xfe\xff"}, "is not UTF-8"),
        ({"a__mp4": b"", "a__json": b"{"}, "is not JSON"),
        ({"a__mp4": b"", "a__json": b"[" * 60_000}, "is not JSON"),
        ({"a__mp4": b"", "a__json": b'{"label": [1]}'}, "neither a whole number nor a class name"),
        ({"readme__txt": b""}, "lists no videos"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, members, problem):
    with pytest.raises(ListError, match=problem):
        SOURCES["webdataset"].read(write_shard(tmp_path / "a.tar", **members), None, None)


def test_shards_that_are_missing_damaged_or_too_many(shards, tmp_path):
    read = SOURCES["webdataset"].read
    whole = (shards / "s-08.tar").read_bytes()
    (shards / "s-08.tar").write_bytes(whole[:1536])
    with pytest.raises(ListError, match=r"s-08\.tar is cut off or damaged after 2 members"):
        read(shards, None, None)
    with pytest.raises(ListError, match="No such file"):
        read(shards / "s-{10..11}.tar", None, None)
    with pytest.raises(ListError, match=r"holds no \.tar"):
        read(tmp_path, None, None)
    with pytest.raises(ListError, match="is more than 100000 shards"):
        read(tmp_path / "s-{0..999999}.tar", None, None)


def test_a_tar_named_by_hand_is_its_videos(shards):
    items = named_videos([str(shards / "s-08.tar"), str(shards / "s-09.tar")])
    assert [item.path for item in items] == [f"{shards}/s-08.tar#a.mp4", f"{shards}/s-08.tar#b.mp4",
                                             f"{shards}/s-09.tar#a.webm"]  # fmt: skip
    assert [item.id for item in items] == ["a.mp4", "b.mp4", "a.webm"]
    assert not find_missing(items).items
    gone = named_videos([f"{shards}/s-08.tar#c.mp4", f"{shards}/s-11.tar#a.mp4"])
    assert len(find_missing(gone).items) == 2
    assert stamp(items[1].path) == (2, (shards / "s-08.tar").stat().st_mtime_ns)
    assert stamp(gone[0].path) == (0, 0)
