"""Splits by group, and the tool that writes them."""

import runpy
from pathlib import Path

import pytest

from videonet.data.lists import ListError, Listing, VideoItem, read_list
from videonet.data.make_list import count_table, group_items, list_text, split_by_group

TOOL = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "make_list.py"))["main"]


def items(classes=3, groups=10, clips=4):
    return [
        VideoItem(f"{c}/v_g{g:02}_c{i}.avi", "", c) for c in range(classes) for g in range(groups) for i in range(clips)
    ]


def groups_of(videos, pattern):
    return set(group_items(videos, pattern))


@pytest.mark.parametrize("pattern", [r"_g(\d+)_", r"^(\d+)/v_(g\d+)", r"\d+/v_g\d+", None])
def test_no_group_is_in_two_splits(pattern):
    videos = items()
    splits = split_by_group(group_items(videos, pattern), {"val": 0.2, "test": 0.3})
    assert sorted(item.id for part in splits.values() for item in part) == sorted(item.id for item in videos)
    assert {name: len(part) for name, part in splits.items()} == {"train": 60, "val": 24, "test": 36}
    for label in range(3):
        assert sum(item.label == label for item in splits["val"]) == 8
    parts = [groups_of(part, pattern) for part in splits.values()]
    assert sum(map(len, parts)) == len(set.union(*parts))


def test_the_split_depends_on_the_seed_and_not_on_the_order():
    videos = items()
    ids = [
        [item.id for item in split_by_group(group_items(order, r"_(g\d+)_"), {"val": 0.2}, seed)["val"]]
        for order, seed in ((videos, 0), (videos[::-1], 0), (videos, 1))
    ]
    assert ids[0] == ids[1] != ids[2]


def test_every_class_is_in_every_split_where_groups_allow():
    large = [VideoItem(f"a/{g}_{i}", "", 0) for g in range(2) for i in range(50)]  # two groups of half the class
    single = [VideoItem(f"b/9_{i}", "", 1) for i in range(3)]  # one group: train
    splits = split_by_group(group_items(large + single, r"(\d+)_"), {"val": 0.1})
    counts = {name: [sum(item.label == label for item in part) for label in (0, 1)] for name, part in splits.items()}
    assert counts == {"train": [50, 3], "val": [50, 0]}


@pytest.mark.parametrize(
    ("pattern", "shares", "problem"),
    [
        ("(", {"val": 0.2}, "not a regular expression"),
        ("_h", {"val": 0.2}, r"is not in 120 paths:\n  0/v_g00_c0.avi[\s\S]*and 100 more"),
        (None, {"val": 0.5, "test": 0.5}, "leave something for train"),
        (None, {"val": -0.5}, "must be above 0"),
    ],
)
def test_wrong_groups_and_shares(pattern, shares, problem):
    with pytest.raises(ListError, match=problem):
        split_by_group(group_items(items(), pattern), shares)


def test_paths_that_no_list_can_hold():
    with pytest.raises(ListError, match="no line can hold"):
        list_text([VideoItem("a\nb.mp4", "", 0)])


def test_the_table_of_counts():
    listing = Listing(items(2, 1, 1), ("jump", "side kick"))
    table = count_table(listing, {"train": listing.items, "val": listing.items[:1]})
    assert table.splitlines() == ["class      train  val", "jump           1    1", "side kick      1    0",
                                  "all            2    1"]  # fmt: skip


def test_the_tool_writes_lists_once(tmp_path, capsys):
    for name in (f"{c}/{g}_{i}.mp4" for c in ("jump", "side kick") for g in range(5) for i in range(2)):
        path = tmp_path / "videos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    arguments = [str(tmp_path / "videos"), "--out", str(tmp_path / "lists"), "--group", r"/(\d+)_"]
    assert TOOL(arguments) == 0
    assert "data.source=list" in capsys.readouterr().out
    listing = read_list(tmp_path / "lists" / "val.txt", str(tmp_path / "videos"), ["jump", "side kick"])
    assert [item.label for item in listing.items] == [0, 0, 1, 1]
    assert all(Path(item.path).is_file() for item in listing.items)
    assert not (tmp_path / "lists" / "test.txt").exists()
    assert TOOL(arguments) == 2
    assert "train.txt, val.txt, classes.txt already" in capsys.readouterr().err
    assert TOOL([*arguments, "--force"]) == 0
